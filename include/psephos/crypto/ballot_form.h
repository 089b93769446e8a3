// Contests compiled to one linear form of committed bits: v = M·b, L·b = t. Spec: docs/spec.md
// §4.2.
//
// Bits stand contest by contest; within a contest option by option, each option's in the order of
// its cover, then the contest's slack bits. One row of L per contest, none (and no slack) where
// every combination is allowed. Public data; the same compilation runs in every verifier, from the
// manifest alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "psephos/error.h"

namespace psephos::crypto {

// ContestRule: each of `options` options gets 0..range, and the sum lies in min..max.
struct ContestRule {
  std::uint32_t options;
  std::uint32_t range;
  std::uint32_t min;
  std::uint32_t max;

  // is_constrained is false where every combination of values is allowed: no slack, no row of L.
  [[nodiscard]] bool is_constrained() const;
};

// cover returns weights whose subset sums are exactly 0..top: none for 0; else, with l the bit
// length of top, 1, 2, …, 2^(l−2), top − 2^(l−1) + 1.
[[nodiscard]] std::vector<std::uint32_t> cover(std::uint32_t top);

class BallotForm {
 public:
  // One nonzero entry of a matrix: weight in the column of bit `bit`.
  struct Entry {
    std::uint32_t bit;
    std::uint32_t weight;
  };
  // One row of L with its right side: Σ weight·b[bit] = target. The first entry is an option's
  // first bit; its weight is 1, so a row can be solved for it.
  struct Constraint {
    std::vector<Entry> entries;
    std::uint32_t target;
  };

  // No ballot is longer than an entry of a log.
  static constexpr std::size_t kMaxBytes = 65535;

  // compile refuses, with Errc::malformed naming the contest's position: no contest, no option, a
  // range of 0, min > max, max above options·range, a largest sum of 2^32 or more, and ciphertexts
  // and proof of more than kMaxBytes together.
  static Result<BallotForm> compile(std::span<const ContestRule> contests);

  [[nodiscard]] std::size_t num_options() const { return rows_.size(); }  // N
  [[nodiscard]] std::size_t num_bits() const { return num_bits_; }        // m
  [[nodiscard]] const std::vector<ContestRule>& contests() const { return contests_; }
  // rows()[j] is row j of M (options count from 0 over the whole ballot).
  [[nodiscard]] const std::vector<std::vector<Entry>>& rows() const { return rows_; }
  [[nodiscard]] const std::vector<Constraint>& constraints() const { return constraints_; }
  // Sizes on the wire: 64·N and 32·(m + 11) bytes.
  [[nodiscard]] std::size_t ciphertexts_size() const { return 64 * num_options(); }
  [[nodiscard]] std::size_t proof_size() const { return 32 * (num_bits_ + 11); }

 private:
  std::vector<ContestRule> contests_;
  std::vector<std::vector<Entry>> rows_;
  std::vector<Constraint> constraints_;
  std::size_t num_bits_ = 0;
};

}  // namespace psephos::crypto
