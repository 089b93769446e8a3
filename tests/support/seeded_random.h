// Randomness for tests that can be repeated: everything follows from one 64-bit seed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "psephos/random.h"

namespace psephos::test {

// test_seed is the seed of this run: PSEPHOS_TEST_SEED, or a fresh one. It is printed when first
// asked for, so that the output of a failed test says how to repeat it.
[[nodiscard]] std::uint64_t test_seed();

// iterations scales the number of rounds of a property test by PSEPHOS_TEST_ITERS (default 1).
[[nodiscard]] std::size_t iterations(std::size_t base);

// SeededRandom is ChaCha20 under the seed; the n-th call of fill yields the n-th stream.
// Thread-safe, but repeatable only if called from one thread.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed = test_seed()) : seed_(seed) {}
  void fill(std::span<std::uint8_t> out) override;

 private:
  std::uint64_t seed_;
  std::atomic<std::uint64_t> calls_{0};
};

}  // namespace psephos::test
