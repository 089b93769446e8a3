// A verification's report in the two forms the tool prints.
#pragma once

#include <string>

#include "psephos/protocol/verify.h"

namespace psephos::cli {

[[nodiscard]] std::string report_table(const protocol::Report& report);
[[nodiscard]] std::string report_json(const protocol::Report& report);

}  // namespace psephos::cli
