#include "src/sign_in/url.h"

#include <algorithm>
#include <array>
#include <utility>

#include "psephos/bytes.h"

#include "src/sign_in/json.h"

namespace psephos::sign_in {

namespace {

constexpr std::string_view kHttps = "https://";
constexpr std::string_view kHttp = "http://";
constexpr std::size_t kMaxUrlBytes = 2048;
constexpr std::size_t kMaxQueryBytes = 16 * 1024;

// user@host:port
std::string_view authority_of(std::string_view url) {
  url.remove_prefix(url.find("://") + 3);
  return url.substr(0, url.find_first_of("/?#"));
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

bool is_visible(char c) {
  return c > ' ' && c <= '~' && !std::string_view("\"<>\\^`{|}").contains(c);
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

Result<std::string> form_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? digit_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? digit_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return fail(Errc::malformed, "query: % without two hex digits");
    }
    decoded += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return decoded;
}

}  // namespace

bool is_loopback(std::string_view url) {
  if (!url.starts_with(kHttp)) {
    return false;
  }
  std::string_view host = authority_of(url);
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && !host.ends_with(']')) {
    const std::string_view port = host.substr(colon + 1);
    if (port.empty() || !std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; })) {
      return false;
    }
    host = host.substr(0, colon);
  }
  constexpr std::array<std::string_view, 3> kHosts = {"127.0.0.1", "[::1]", "localhost"};
  return std::ranges::find(kHosts, host) != kHosts.end();
}

Result<void> check_url(std::string_view what, std::string_view url, bool allow_loopback) {
  const auto refuse = [&](const std::string& why) {
    return fail(Errc::malformed, std::string(what) + " " + excerpt(url) + " " + why);
  };
  if (url.size() > kMaxUrlBytes) {
    return refuse("is longer than " + std::to_string(kMaxUrlBytes) + " bytes");
  }
  if (!std::ranges::all_of(url, is_visible)) {
    return refuse("holds a character that no URL has");
  }
  if (!url.starts_with(kHttps) && !(allow_loopback && is_loopback(url))) {
    return refuse("is no https URL");
  }
  if (url.contains('#')) {
    return refuse("has a fragment");
  }
  const std::string_view authority = authority_of(url);
  if (authority.empty() || authority.starts_with(':')) {
    return refuse("names no host");
  }
  if (authority.contains('@')) {
    return refuse("names a user");
  }
  return {};
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (is_unreserved(c)) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += kDigits[byte >> 4];
      encoded += kDigits[byte & 15];
    }
  }
  return encoded;
}

Result<std::map<std::string, std::string>> parse_query(std::string_view query) {
  if (query.size() > kMaxQueryBytes) {
    return fail(Errc::malformed, "query: longer than " + std::to_string(kMaxQueryBytes) + " bytes");
  }
  std::map<std::string, std::string> parameters;
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    if (part.empty()) {
      continue;
    }
    const std::size_t equals = std::min(part.find('='), part.size());
    PSEPHOS_TRY(std::string key, form_decode(part.substr(0, equals)));
    PSEPHOS_TRY(std::string value,
                form_decode(equals < part.size() ? part.substr(equals + 1) : std::string_view()));
    if (!parameters.emplace(key, std::move(value)).second) {
      return fail(Errc::malformed, "query: the parameter " + excerpt(key) + " occurs twice");
    }
  }
  return parameters;
}

}  // namespace psephos::sign_in
