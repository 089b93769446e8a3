// JSON on standard output.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "cli/output.h"

namespace psephos::cli {

// Members stand in the order they are added. File names need not be UTF-8; what is not is replaced.
using Json = nlohmann::ordered_json;

[[nodiscard]] inline std::string json_text(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}
inline void print_json(const Json& value) { say(json_text(value)); }

}  // namespace psephos::cli
