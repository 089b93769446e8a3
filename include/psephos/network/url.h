// URLs of http and https, strictly: what is not plainly one is refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "psephos/error.h"

namespace psephos::network {

struct Url {
  bool secure = true;  // https
  std::string host;    // lower case; an IPv6 address without its brackets
  std::uint16_t port = 443;
  std::string target;  // path and query, as they are sent; starts with '/'

  // parse takes "https://host[:port][/path][?query][#fragment]"; the fragment is dropped, as it is
  // never sent. Errc::misuse: another scheme, a user name, characters that should be encoded.
  static Result<Url> parse(std::string_view text);

  // The URL as text, without a port that goes without saying.
  [[nodiscard]] std::string print() const;

  // What is written into Host: the host, in brackets if it is an IPv6 address, and the port unless
  // it goes without saying.
  [[nodiscard]] std::string authority() const;

  [[nodiscard]] bool is_v6() const { return host.contains(':'); }

  friend bool operator==(const Url&, const Url&) = default;
};

// is_this_machine tells whether a host, as Url has it, is this machine whatever the network says:
// an address of loopback, written in full, or "localhost".
[[nodiscard]] bool is_this_machine(const std::string& host);

// join puts a relative path, "main/checkpoint", below a base: its path is made to end in '/', its
// query is dropped. The path may not lead out of the base, nor begin with '/', nor be a URL.
[[nodiscard]] Result<std::string> join(std::string_view base, std::string_view path);

}  // namespace psephos::network
