// A response as it goes over the wire.
#pragma once

#include <cstddef>
#include <string>

#include "src/http/message.h"

namespace psephos::http {

struct ResponseFrame {
  bool version_1_1 = true;
  bool keep_alive = false;
  bool head_only = false;  // answers HEAD
};

// Whether all of it may be written: header names and values cannot end their line.
[[nodiscard]] bool is_valid(const Response& response);

// The head up to the empty line. An event stream has no length and ends with the connection.
[[nodiscard]] std::string response_head(const Response& response, const ResponseFrame& frame);

// Whether a body follows this head.
[[nodiscard]] bool has_body(const Response& response, const ResponseFrame& frame);

}  // namespace psephos::http
