// The target of a request: what stands between method and version.
#pragma once

#include <string>
#include <string_view>

#include "psephos/error.h"

namespace psephos::http {

struct Target {
  std::string path;   // decoded; starts with '/'
  std::string query;  // without '?', still encoded
};

// parse_target takes "/path?query" or "http://host/path?query" and decodes the path once. So that
// a path has one meaning for everything that looks at it, refused are: what RFC 3986 does not allow
// in a path, control characters, encoded '/' and '\', text that is not UTF-8, and segments that are
// empty (but the last), "." or "..".
[[nodiscard]] Result<Target> parse_target(std::string_view text);

// percent_decode decodes %XX. Errc::malformed: digits missing.
[[nodiscard]] Result<std::string> percent_decode(std::string_view text);

}  // namespace psephos::http
