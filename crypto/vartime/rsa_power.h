// s^65537 mod n for eight numbers at once, by IFMA: what verifying RSA signatures consists of.
// Public data only. Montgomery multiplication in limbs of 52 bits, word by word (Montgomery 1985;
// lanes as in Gueron, Krasnov 2012, but one number per lane).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace psephos::crypto::vartime {

inline constexpr std::size_t kRsaLanes = 8;
inline constexpr std::size_t kMaxRsaLimbs = 79;  // of 4096 bits and a factor of 4 above

// R = 2^(52·num_limbs) ≥ 4n.
struct RsaModulus {
  std::size_t num_limbs;
  std::uint64_t minus_inverse;                     // −n^(−1) mod 2^52
  std::array<std::uint64_t, kMaxRsaLimbs> n;       // little-endian limbs
  std::array<std::uint64_t, kMaxRsaLimbs> factor;  // R^65537 mod n
};

using RsaLanes = std::array<std::array<std::uint64_t, kRsaLanes>, kMaxRsaLimbs>;  // [limb][lane]

// power_65537_ifma: numbers below n, in limbs of 52 bits, become their powers, below 2n. Needs the
// CPU that kIfma needs.
void power_65537_ifma(const RsaModulus& modulus, RsaLanes& numbers);

}  // namespace psephos::crypto::vartime
