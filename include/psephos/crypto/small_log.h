// The logarithm of a tally: v with v·G = P for 0 ≤ v ≤ bound, by baby steps and giant steps
// (Shanks). Public data (a decrypted total), variable time.
#pragma once

#include <cstdint>
#include <vector>

#include "psephos/crypto/point.h"
#include "psephos/error.h"

namespace psephos::crypto {

class SmallLog {
 public:
  // Prepares a table for logarithms up to bound, of which about num_logs will be asked: its size is
  // chosen so that building it costs about as much as using it, at most 2^22 steps of 16 bytes.
  // Errc::misuse if bound ≥ 2^44.
  static Result<SmallLog> prepare(std::uint64_t bound, std::uint64_t num_logs);

  // find_vartime returns v, or Errc::rejected if there is none in 0..bound. Thread-safe.
  [[nodiscard]] Result<std::uint64_t> find_vartime(const Point& point) const;
  [[nodiscard]] std::size_t table_size() const { return steps_; }

 private:
  // Baby step value·G: the first bytes of its encoding, sorted by them.
  struct Step {
    std::uint64_t key;
    std::uint32_t value;
  };

  SmallLog() = default;
  std::uint64_t bound_ = 0;
  std::uint64_t steps_ = 0;
  Point giant_;  // −steps·G
  std::vector<Step> baby_;
};

}  // namespace psephos::crypto
