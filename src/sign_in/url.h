// The few things about URLs that a sign-in needs (RFC 3986).
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "psephos/error.h"

namespace psephos::sign_in {

// is_loopback tells whether the text is an http URL of this machine.
bool is_loopback(std::string_view text);

// check_url takes https URLs without user and fragment; http URLs too if they are on loopback and
// that is allowed. `what` names it in the message.
Result<void> check_url(std::string_view what, std::string_view text, bool allow_loopback);

// percent_encode leaves letters, digits and -._~ as they are.
std::string percent_encode(std::string_view text);

// parse_query takes name=value&…, as forms are encoded. No name may occur twice.
Result<std::map<std::string, std::string>> parse_query(std::string_view query);

}  // namespace psephos::sign_in
