// JSON in and out of the server.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "psephos/bytes.h"

#include "src/http/message.h"

namespace psephos::server {

using Json = nlohmann::ordered_json;

// parse_json returns nothing for text that is no JSON.
[[nodiscard]] inline std::optional<Json> parse_json(ByteView text) {
  Json value = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) {
    return std::nullopt;
  }
  return value;
}

[[nodiscard]] inline http::Response json_response(const Json& value) {
  // Texts of a manifest are UTF-8; whatever else got here is made so.
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return {.status = 200,
          .content_type = "application/json",
          .headers = {{"Cache-Control", "no-store"}},
          .body = Bytes(text.begin(), text.end()),
          .events = nullptr,
          .last_event_id = {}};
}

}  // namespace psephos::server
