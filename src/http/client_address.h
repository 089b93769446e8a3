// Whose request it is: the address of a peer, or what proxies we trust say of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "psephos/error.h"

namespace psephos::http {

// Address is an IP address; of IPv4, the form mapped into IPv6, so that each has one form.
struct Address {
  std::array<std::uint8_t, 16> bytes{};

  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] std::string print() const;
  // client is what limits are counted for: an IPv4 address, or the /64 of an IPv6 one, since a
  // single machine has all addresses of that.
  [[nodiscard]] std::string client() const;

  friend bool operator==(const Address&, const Address&) = default;
};

// parse_address takes a numeric address without brackets, port or zone.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text);

// AddressRange is "192.0.2.1", "192.0.2.0/24" or "2001:db8::/32".
struct AddressRange {
  Address first;
  std::size_t bits = 128;

  [[nodiscard]] static Result<AddressRange> parse(std::string_view text);
  [[nodiscard]] bool contains(const Address& address) const;
};

// client_of returns the address a request comes from. If the peer is a trusted proxy, that is the
// last hop of X-Forwarded-For that is not one; if the header is absent or malformed up to there,
// the peer. `forwarded` are the values of that header in order.
[[nodiscard]] Address client_of(const Address& peer, const std::vector<std::string_view>& forwarded,
                                const std::vector<AddressRange>& trusted);

}  // namespace psephos::http
