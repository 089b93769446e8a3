// JSON as others send it: nlohmann's, without what it would let pass.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "psephos/error.h"

namespace psephos::sign_in {

// parse_object takes a text that is one object of at most max_bytes, without names that occur twice
// in an object and without deep nesting: two readers of such a text could understand it
// differently.
Result<nlohmann::json> parse_object(std::string_view text, std::size_t max_bytes);

// text_member is the text of a member; null if it is not there or no text.
const std::string* text_member(const nlohmann::json& object, const char* name);

// excerpt is the beginning of a text from outside as it may stand in a message, in quotes.
std::string excerpt(std::string_view text);

}  // namespace psephos::sign_in
