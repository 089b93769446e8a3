// The words for the phases of an election, as they stand in answers, in the log and in metrics.
#pragma once

#include <array>
#include <string_view>

#include "psephos/protocol/main_log.h"

namespace psephos::server {

[[nodiscard]] std::string_view name(protocol::MainLog::Phase phase);

// All of them, in their order.
inline constexpr std::array kPhases{
    protocol::MainLog::Phase::empty,      protocol::MainLog::Phase::ceremony,
    protocol::MainLog::Phase::ready,      protocol::MainLog::Phase::failed,
    protocol::MainLog::Phase::opened,     protocol::MainLog::Phase::voting,
    protocol::MainLog::Phase::closed,     protocol::MainLog::Phase::tallied,
    protocol::MainLog::Phase::decrypting, protocol::MainLog::Phase::resulting,
    protocol::MainLog::Phase::complete};

}  // namespace psephos::server
