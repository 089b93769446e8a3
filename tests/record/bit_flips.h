// Verifying a record with single bits flipped.
#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "psephos/runtime/thread_executor.h"

#include "tests/record/forge.h"

namespace psephos::test {

struct Flip {
  std::string file;
  std::size_t bit = 0;
};

// Verifies the record with each flip alone and returns those that were accepted.
inline std::vector<std::string> accepted_flips(const MemoryStore::Files& files,
                                               const std::vector<Flip>& flips) {
  std::vector<std::string> accepted;
  std::mutex mutex;
  runtime::ThreadExecutor executor;
  executor.run(flips.size(), [&](std::size_t i) {
    MemoryStore::Files changed = files;
    changed[flips[i].file][flips[i].bit / 8] ^= static_cast<std::uint8_t>(1U << flips[i].bit % 8);
    if (verify_files(std::move(changed)).accepted()) {
      const std::lock_guard lock(mutex);
      accepted.push_back(flips[i].file + " bit " + std::to_string(flips[i].bit));
    }
  });
  return accepted;
}

}  // namespace psephos::test
