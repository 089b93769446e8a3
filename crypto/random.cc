#include "psephos/random.h"

#include "psephos/error.h"

#include "crypto/sodium.h"

namespace psephos {

std::uint64_t Random::below(std::uint64_t bound) {
  PSEPHOS_CHECK(bound > 0);
  // The largest multiple of bound in 64 bits; values from there on would favour small results.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  while (true) {
    std::array<std::uint8_t, 8> bytes;
    fill(bytes);
    std::uint64_t value = 0;
    for (const std::uint8_t b : bytes) {
      value = value << 8 | b;
    }
    if (value < limit) {
      return value % bound;
    }
  }
}

void SystemRandom::fill(std::span<std::uint8_t> out) {
  crypto::sodium();
  if (!out.empty()) {
    randombytes_buf(out.data(), out.size());
  }
}

}  // namespace psephos
