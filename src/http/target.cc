#include "src/http/target.h"

#include <algorithm>

#include "psephos/bytes.h"

#include "src/http/ascii.h"

namespace psephos::http {

namespace {

// pchar and '/' of RFC 3986 §3.3, with the sign that begins an encoded byte.
bool is_path_character(char c) {
  return is_letter(c) || is_digit(c) || std::string_view("-._~!$&'()*+,;=:@/%").contains(c);
}

bool is_query_character(char c) { return is_path_character(c) || c == '?'; }

// The path and query of an absolute URI; the text itself if it is none.
std::string_view without_authority(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (same_word(text.substr(0, scheme.size()), scheme)) {
      const std::size_t end = text.find_first_of("/?", scheme.size());
      return end == std::string_view::npos ? "/" : text.substr(end);
    }
  }
  return text;
}

Result<void> check_segments(std::string_view path) {
  for (std::size_t begin = 1; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    if (segment.empty() || segment == "." || segment == "..") {
      return fail(Errc::malformed, "the path has an empty segment, '.' or '..'");
    }
    begin = end + 1;
  }
  return {};
}

}  // namespace

Result<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return fail(Errc::malformed, "'%' is not followed by two hexadecimal digits");
    }
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

Result<Target> parse_target(std::string_view text) {
  text = without_authority(text);
  const std::size_t mark = std::min(text.find('?'), text.size());
  const std::string_view encoded = text.substr(0, mark);
  const std::string_view query = text.substr(std::min(mark + 1, text.size()));
  if (!encoded.starts_with('/') || !std::ranges::all_of(encoded, is_path_character)) {
    return fail(Errc::malformed, "the target is not a path, or has characters no path may have");
  }
  if (!std::ranges::all_of(query, is_query_character) || !percent_decode(query).has_value()) {
    return fail(Errc::malformed, "the query has characters no query may have");
  }
  PSEPHOS_TRY(std::string path, percent_decode(encoded));
  // What stands encoded for a separator would change the path's shape after it was looked at.
  if (std::ranges::count(path, '/') != std::ranges::count(encoded, '/') || path.contains('\\') ||
      !is_utf8(path) || has_control(path)) {
    return fail(Errc::malformed,
                "the path has encoded separators or control characters, or is "
                "not UTF-8");
  }
  PSEPHOS_CHECK_OK(check_segments(path));
  return Target{std::move(path), std::string(query)};
}

}  // namespace psephos::http
