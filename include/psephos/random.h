// Randomness comes in as a parameter; nothing in the library reaches for a global generator.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace psephos {

// Random fills a buffer with bytes nobody else can predict. Implementations may be called from
// several threads at once unless they say otherwise. fill cannot fail: an implementation that has
// no randomness aborts.
class Random {
 public:
  Random() = default;
  Random(const Random&) = delete;
  Random& operator=(const Random&) = delete;
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;

  // below returns a uniform integer in [0, bound), by rejection; bound > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);
};

// SystemRandom is the operating system's generator (libsodium's randombytes). Thread-safe.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override;
};

}  // namespace psephos
