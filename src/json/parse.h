// JSON as others send it: nlohmann's, without what it would let pass.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "psephos/bytes.h"
#include "psephos/error.h"

namespace psephos::json {

// parse refuses names that occur twice in an object, which two readers could understand
// differently, and deep nesting, which whoever walks through the value would recurse into.
template <class Json>
Result<Json> parse(std::string_view text) {
  constexpr int kMaxDepth = 8;
  constexpr std::size_t kMaxShown = 200;
  // nlohmann takes a zero byte for the end of the text.
  if (text.contains('\0')) {
    return fail(Errc::malformed, "JSON text holds a zero byte");
  }
  using Event = typename Json::parse_event_t;
  std::vector<std::set<std::string>> open;  // the names of each object that is open
  std::optional<std::string> wrong;
  const auto watch = [&](int depth, Event event, Json& parsed) {
    if (event == Event::object_start) {
      open.emplace_back();
    } else if (event == Event::object_end) {
      open.pop_back();
    } else if (event == Event::key) {
      const auto& name = parsed.template get_ref<const std::string&>();
      if (!open.back().insert(name).second) {
        wrong = "the member \"" + printable(name.substr(0, kMaxShown)) + "\" occurs twice";
      }
    }
    if (depth > kMaxDepth) {
      wrong = "JSON text is nested deeper than " + std::to_string(kMaxDepth);
    }
    return true;
  };
  Json parsed = Json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
  if (wrong.has_value()) {
    return fail(Errc::malformed, *wrong);
  }
  if (parsed.is_discarded()) {
    return fail(Errc::malformed, "the text is no JSON");
  }
  return parsed;
}

}  // namespace psephos::json
