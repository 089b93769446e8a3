// Errors as RFC 9457 problem details.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/http/message.h"

namespace psephos::http {

using ProblemMembers = std::vector<std::pair<std::string, std::string>>;

// problem is an application/problem+json answer. An empty title becomes the name of the status.
[[nodiscard]] Response problem(unsigned status, std::string_view title, std::string_view detail,
                               const ProblemMembers& members = {});

// The same, with the time after which the client may try again, rounded up to seconds.
[[nodiscard]] Response problem_retry(unsigned status, std::string_view title,
                                     std::string_view detail, std::chrono::milliseconds after);

// status_name returns the reason phrase of a status; "Status" if it is not a known one.
[[nodiscard]] std::string_view status_name(unsigned status);

}  // namespace psephos::http
