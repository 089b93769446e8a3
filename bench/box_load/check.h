// Whether a record keeps what its box has acknowledged.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "psephos/error.h"

namespace psephos::load {

struct CheckOptions {
  std::string record;  // directory or URL
  std::filesystem::path ballots;
  std::filesystem::path receipts;
  std::vector<std::filesystem::path> checkpoints;  // files of notes that were published, joined
  std::chrono::seconds wait{0};                    // for the files to hold what was acknowledged
};

// check reads the box logs whole. Every receipt must be signed, prove its entry, and be under a
// tree that is a beginning of the log; the entry must be the ballot; no ballot and no credential
// stands twice; the log continues every checkpoint given. Errc::rejected: the first thing that is
// not so.
Result<void> check(const CheckOptions& options);

}  // namespace psephos::load
