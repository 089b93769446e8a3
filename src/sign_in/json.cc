#include "src/sign_in/json.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "psephos/bytes.h"

namespace psephos::sign_in {

using nlohmann::json;

Result<json> parse_object(std::string_view text, std::size_t max_bytes) {
  constexpr int kMaxDepth = 8;
  if (text.size() > max_bytes) {
    return fail(Errc::malformed, "JSON text of " + std::to_string(text.size()) +
                                     " bytes; at most " + std::to_string(max_bytes) + " are read");
  }
  // nlohmann takes a zero byte for the end of the text.
  if (text.contains('\0')) {
    return fail(Errc::malformed, "JSON text holds a zero byte");
  }
  std::vector<std::set<std::string>> open;  // the names of each object that is open
  std::optional<std::string> wrong;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) {
      open.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      open.pop_back();
    } else if (event == json::parse_event_t::key &&
               !open.back().insert(parsed.get_ref<const std::string&>()).second) {
      wrong = "the member " + excerpt(parsed.get_ref<const std::string&>()) + " occurs twice";
    }
    if (depth > kMaxDepth) {
      wrong = "JSON text is nested deeper than " + std::to_string(kMaxDepth);
    }
    return true;
  };
  json parsed = json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
  if (wrong.has_value()) {
    return fail(Errc::malformed, *wrong);
  }
  if (!parsed.is_object()) {
    return fail(Errc::malformed, "not a JSON object");
  }
  return parsed;
}

const std::string* text_member(const json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get_ptr<const std::string*>()
                                                       : nullptr;
}

std::string excerpt(std::string_view text) {
  constexpr std::size_t kMax = 200;
  std::size_t size = std::min(text.size(), kMax);
  while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) {
    --size;  // not in the middle of a character
  }
  return "\"" + printable(text.substr(0, size)) + (text.size() > size ? "…" : "") + "\"";
}

}  // namespace psephos::sign_in
