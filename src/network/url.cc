#include "psephos/network/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>

#include "psephos/bytes.h"

namespace psephos::network {

namespace {

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return result;
}

// A name or an IPv4 address. Names in other scripts are written in their ASCII form (xn--...).
bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= 253 && !text.starts_with('-') && !text.starts_with('.') &&
         !text.contains("..") && std::ranges::all_of(text, [](char c) {
           return is_alphanumeric(c) || c == '-' || c == '.' || c == '_';
         });
}

// What stands in brackets; the system says whether it is an address.
bool is_v6_address(std::string_view text) {
  return std::ranges::count(text, ':') >= 2 && text.size() <= 45 &&
         std::ranges::all_of(text, [](char c) { return is_hex(c) || c == ':' || c == '.'; });
}

bool is_target(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool encoded =
        text[i] == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2]);
    if (!encoded && !is_alphanumeric(text[i]) &&
        !std::string_view("-._~!$&'()*+,;=:@/?").contains(text[i])) {
      return false;
    }
  }
  return true;
}

std::uint16_t usual_port(bool secure) { return secure ? 443 : 80; }

std::unexpected<Error> bad_url(std::string_view text, std::string_view why) {
  return fail(Errc::misuse, "'" + printable(text) + "' " + std::string(why));
}

}  // namespace

Result<Url> Url::parse(std::string_view text) {
  Url url;
  std::string_view rest = text;
  const std::size_t scheme_end = text.find("://");
  const std::string scheme = lower(text.substr(0, std::min(scheme_end, text.size())));
  if (scheme_end == std::string_view::npos || (scheme != "http" && scheme != "https")) {
    return bad_url(text, "is no URL: it starts with https:// or http://");
  }
  url.secure = scheme == "https";
  rest.remove_prefix(scheme_end + 3);
  rest = rest.substr(0, rest.find('#'));
  const std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, authority_end);
  const std::string_view target = rest.substr(authority_end);
  if (authority.contains('@')) {
    return bad_url(text, "names a user; leave that out");
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos || !is_v6_address(authority.substr(1, end - 1))) {
      return bad_url(text, "has no IPv6 address between brackets");
    }
    url.host = lower(authority.substr(1, end - 1));
    port = authority.substr(end + 1);
  } else {
    const std::size_t end = std::min(authority.find(':'), authority.size());
    if (!is_host_name(authority.substr(0, end))) {
      return bad_url(text, "names no host");
    }
    url.host = lower(authority.substr(0, end));
    port = authority.substr(end);
  }
  url.port = usual_port(url.secure);
  if (!port.empty()) {
    const char* end = port.data() + port.size();
    const auto [stop, error] = std::from_chars(port.data() + 1, end, url.port);
    if (port[0] != ':' || error != std::errc() || stop != end || url.port == 0) {
      return bad_url(text, "has a port that is not a number from 1 to 65535");
    }
  }
  if (!is_target(target)) {
    return bad_url(text, "has characters that are to be percent-encoded");
  }
  url.target = (target.starts_with('/') ? "" : "/") + std::string(target);
  return url;
}

std::string Url::authority() const {
  const std::string name = is_v6() ? "[" + host + "]" : host;
  return port == usual_port(secure) ? name : name + ":" + std::to_string(port);
}

std::string Url::print() const { return (secure ? "https://" : "http://") + authority() + target; }

bool is_this_machine(const std::string& host) {
  in_addr v4{};
  in6_addr v6{};
  constexpr std::uint32_t kLoopbackNetwork = 127;
  return host == "localhost" ||
         (inet_pton(AF_INET, host.c_str(), &v4) == 1 &&
          ntohl(v4.s_addr) >> 24 == kLoopbackNetwork) ||
         (inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6));
}

Result<std::string> join(std::string_view base, std::string_view path) {
  PSEPHOS_TRY(Url url, Url::parse(base));
  url.target = url.target.substr(0, url.target.find('?'));
  if (!url.target.ends_with('/')) {
    url.target += '/';
  }
  if (path.starts_with('/') || !is_target(path)) {
    return bad_url(path, "is no relative path");
  }
  const std::string_view names = path.substr(0, path.find('?'));
  for (std::size_t begin = 0; begin <= names.size();) {
    const std::size_t end = std::min(names.find('/', begin), names.size());
    // Encoded dots count as dots.
    std::string segment = lower(names.substr(begin, end - begin));
    for (std::size_t at = segment.find("%2e"); at != std::string::npos; at = segment.find("%2e")) {
      segment.replace(at, 3, ".");
    }
    if (segment == "." || segment == "..") {
      return bad_url(path, "leads out of its base");
    }
    begin = end + 1;
  }
  url.target += path;
  return url.print();
}

}  // namespace psephos::network
