#include "src/http/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <ranges>

#include "src/http/ascii.h"

namespace psephos::http {

namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 && std::ranges::all_of(text, is_digit);
}

// One hop of X-Forwarded-For; proxies also write ports and brackets.
std::optional<Address> parse_hop(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && (rest[0] != ':' || !is_port(rest.substr(1)))) {
      return std::nullopt;
    }
    return parse_address(text.substr(1, end - 1));
  }
  if (std::ranges::count(text, ':') == 1) {
    const std::size_t colon = text.find(':');
    return is_port(text.substr(colon + 1)) ? parse_address(text.substr(0, colon)) : std::nullopt;
  }
  return parse_address(text);
}

bool is_trusted(const Address& address, const std::vector<AddressRange>& trusted) {
  return std::ranges::any_of(trusted, [&](const auto& range) { return range.contains(address); });
}

}  // namespace

bool Address::is_v4() const { return std::equal(kMapped.begin(), kMapped.end(), bytes.begin()); }

std::string Address::print() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool v4 = is_v4();
  const void* from = v4 ? &bytes[12] : bytes.data();
  if (::inet_ntop(v4 ? AF_INET : AF_INET6, from, text.data(), text.size()) == nullptr) {
    return {};
  }
  return text.data();
}

std::string Address::client() const {
  if (is_v4()) {
    return print();
  }
  Address network = *this;
  std::fill(network.bytes.begin() + 8, network.bytes.end(), std::uint8_t{0});
  return network.print() + "/64";
}

std::optional<Address> parse_address(std::string_view text) {
  const std::string ended(text);
  Address address;
  // A NUL inside would end the text early.
  if (text.contains('\0')) {
    return std::nullopt;
  }
  if (::inet_pton(AF_INET6, ended.c_str(), address.bytes.data()) == 1) {
    return address;
  }
  std::ranges::copy(kMapped, address.bytes.begin());
  if (::inet_pton(AF_INET, ended.c_str(), &address.bytes[12]) == 1) {
    return address;
  }
  return std::nullopt;
}

Result<AddressRange> AddressRange::parse(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto first = parse_address(text.substr(0, slash));
  if (!first.has_value()) {
    return fail(Errc::malformed, "'" + std::string(text) +
                                     "' is not an address or a network: "
                                     "write 192.0.2.0/24 or 2001:db8::/32");
  }
  AddressRange range{*first, 128};
  if (slash < text.size()) {
    const std::string_view length = text.substr(slash + 1);
    const bool v4 = !text.substr(0, slash).contains(':');
    const std::size_t most = v4 ? 32 : 128;
    std::size_t bits = 0;
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bits);
    if (error != std::errc() || end != length.data() + length.size() || bits > most) {
      return fail(Errc::malformed, "'" + std::string(text) + "': the length of the network is " +
                                       "not a number up to " + std::to_string(most));
    }
    range.bits = bits + (v4 ? 96 : 0);
  }
  return range;
}

bool AddressRange::contains(const Address& address) const {
  const std::size_t whole = bits / 8;
  if (!std::equal(first.bytes.begin(), first.bytes.begin() + static_cast<std::ptrdiff_t>(whole),
                  address.bytes.begin())) {
    return false;
  }
  const std::size_t rest = bits % 8;
  return rest == 0 || ((first.bytes[whole] ^ address.bytes[whole]) >> (8 - rest)) == 0;
}

Address client_of(const Address& peer, const std::vector<std::string_view>& forwarded,
                  const std::vector<AddressRange>& trusted) {
  if (!is_trusted(peer, trusted)) {
    return peer;
  }
  // Each proxy appends whom it was called by: from the end, as long as those who wrote are trusted.
  Address client = peer;
  for (const std::string_view value : std::views::reverse(forwarded)) {
    std::string_view rest = value;
    while (true) {
      const std::size_t comma = rest.rfind(',');
      const bool last = comma == std::string_view::npos;
      const auto hop = parse_hop(trim(last ? rest : rest.substr(comma + 1)));
      if (!hop.has_value()) {
        return peer;
      }
      client = *hop;
      if (!is_trusted(client, trusted)) {
        return client;
      }
      if (last) {
        break;
      }
      rest = rest.substr(0, comma);
    }
  }
  return client;
}

}  // namespace psephos::http
