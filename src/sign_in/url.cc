#include "src/sign_in/url.h"

#include <algorithm>
#include <utility>

#include "psephos/network/url.h"

#include "src/sign_in/json.h"

namespace psephos::sign_in {

namespace {

constexpr std::size_t kMaxUrlBytes = 2048;
constexpr std::size_t kMaxQueryBytes = std::size_t{16} * 1024;

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
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

bool is_loopback(std::string_view text) {
  const auto url = network::Url::parse(text);
  return url.has_value() && text.starts_with("http://") && network::is_this_machine(url->host);
}

Result<void> check_url(std::string_view what, std::string_view text, bool allow_loopback) {
  const auto refuse = [&](const std::string& why) {
    return fail(Errc::malformed, std::string(what) + ": " + why);
  };
  if (text.size() > kMaxUrlBytes) {
    return refuse("a URL longer than " + std::to_string(kMaxUrlBytes) + " bytes");
  }
  // The parser of the client that will use it.
  if (const auto url = network::Url::parse(text); !url.has_value()) {
    return refuse(url.error().message);
  }
  if (text.contains('#')) {
    return refuse(excerpt(text) + " has a fragment");
  }
  if (!text.starts_with("https://") && !(allow_loopback && is_loopback(text))) {
    return refuse(excerpt(text) + " does not start with https://");
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
