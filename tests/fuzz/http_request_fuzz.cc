// What strangers send to the server before anything is checked: requests, targets, X-Forwarded-For;
// and URLs. The first byte says how many bytes come at once; the outcome must not depend on it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "psephos/network/url.h"

#include "src/http/client_address.h"
#include "src/http/request_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using namespace psephos;
using http::RequestParser;
using State = RequestParser::State;

// Each request that could be read, as text; then how it ended.
std::vector<std::string> read_requests(ByteView bytes, std::size_t piece) {
  std::vector<std::string> found;
  RequestParser parser(512);
  while (true) {
    State state = parser.step();
    if (state == State::head) {
      const auto& head = parser.head();
      PSEPHOS_CHECK(head.target.path.starts_with('/') && is_utf8(head.target.path));
      PSEPHOS_CHECK(!head.target.path.contains("/../") && !head.target.path.contains('\0'));
      std::string text = head.method + " " + head.target.path + "?" + head.target.query;
      for (const http::Header& header : head.headers) {
        PSEPHOS_CHECK(!header.value.contains('\n') && !header.value.contains('\0'));
        text += "\n" + header.name + ":" + header.value;
      }
      found.push_back(text);
      state = parser.limit_body(1000);
    }
    if (state == State::failed) {
      found.push_back("failed");
      return found;
    }
    if (state == State::complete) {
      const Bytes body = parser.take_body();
      PSEPHOS_CHECK(body.size() <= 1000);
      found.emplace_back(as_text(body));
      parser.next();
      continue;
    }
    if (state == State::more) {
      if (bytes.empty()) {
        return found;
      }
      const std::size_t count = std::min(piece, bytes.size());
      std::ranges::copy(bytes.first(count), parser.prepare(count).begin());
      parser.commit(count);
      bytes = bytes.subspan(count);
    }
  }
}

void check_target(std::string_view text) {
  if (const auto target = http::parse_target(text); target.has_value()) {
    // No encoding of it leads elsewhere: encoded again, it is the same path.
    std::string encoded;
    for (const char c : target->path) {
      const bool plain = c == '/' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
      encoded += plain ? std::string(1, c) : "%" + hex(as_bytes(std::string_view(&c, 1)));
    }
    PSEPHOS_CHECK(http::parse_target(encoded).value().path == target->path);
  }
}

void check_forwarded(std::string_view text) {
  static const std::vector<http::AddressRange> trusted{
      http::AddressRange::parse("10.0.0.0/8").value(), http::AddressRange::parse("::/1").value()};
  const http::Address peer = http::parse_address("10.0.0.1").value();
  const http::Address client = http::client_of(peer, {text, text}, trusted);
  PSEPHOS_CHECK(http::parse_address(client.print()) == client);
  if (const auto range = http::AddressRange::parse(text); range.has_value()) {
    PSEPHOS_CHECK(range->contains(range->first));
  }
}

void check_url(std::string_view text) {
  if (const auto url = network::Url::parse(text); url.has_value()) {
    PSEPHOS_CHECK(network::Url::parse(url->print()) == url);
    PSEPHOS_CHECK(!url->print().contains('\n') && !url->authority().contains('@'));
  }
  if (const auto joined = network::join("https://a/b", text); joined.has_value()) {
    PSEPHOS_CHECK(joined->starts_with("https://a/b/"));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const ByteView bytes(data + 1, size - 1);
  const auto whole = read_requests(bytes, bytes.size());
  const auto pieces = read_requests(bytes, data[0] % 64 + 1U);
  // Bytes at once may show an error that piecemeal is still waited for, but never other requests.
  const std::size_t common = std::min(whole.size(), pieces.size());
  for (std::size_t i = 0; i < common; ++i) {
    PSEPHOS_CHECK(whole[i] == pieces[i] || whole[i] == "failed" || pieces[i] == "failed");
  }
  const std::string_view text = as_text(bytes);
  check_target(text);
  check_forwarded(text);
  check_url(text);
  return 0;
}
