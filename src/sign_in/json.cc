#include "src/sign_in/json.h"

#include <algorithm>

#include "psephos/bytes.h"

#include "src/json/parse.h"

namespace psephos::sign_in {

using nlohmann::json;

Result<json> parse_object(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes) {
    return fail(Errc::malformed, "JSON text of " + std::to_string(text.size()) +
                                     " bytes; at most " + std::to_string(max_bytes) + " are read");
  }
  auto parsed = psephos::json::parse<json>(text);
  if (parsed.has_value() && !parsed->is_object()) {
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
