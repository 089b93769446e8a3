// An election to measure with, and honest ballots for it.
#pragma once

#include <cstddef>
#include <filesystem>

#include "psephos/error.h"

namespace psephos::load {

struct PrepareOptions {
  std::filesystem::path manifest;
  std::filesystem::path directory;
  std::size_t ballots = 0;
  std::size_t threads = 0;     // 0: one a core
  std::uint32_t rsa_bits = 0;  // 0: as the manifest says
};

// prepare makes the directory as `psephos election open` and `psephos box start` leave one: record,
// box.key, password; and psephosd.toml for role "box", token, and the file of ballots. The
// registrars' keys are thrown away, and nothing is in their logs: the box does not look at these.
Result<void> prepare(const PrepareOptions& options);

}  // namespace psephos::load
