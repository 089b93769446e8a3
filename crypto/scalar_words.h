// Public scalars modulo q as four 64-bit words: the arithmetic of Scalar. libsodium's takes a fifth
// of a microsecond for a product, which is more than a batch verifier spends on a point. Constant
// time all the same, but for what is named _vartime.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "psephos/crypto/scalar.h"

namespace psephos::crypto {

using ScalarWords = std::array<std::uint64_t, 4>;

inline constexpr ScalarWords kScalarOrder = {0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0,
                                             0x1000000000000000};

class ScalarAccess {
 public:
  static ScalarWords words(const Scalar& scalar) {
    return little_endian(std::bit_cast<ScalarWords>(scalar.bytes_));
  }
  // scalar: from words below q.
  static Scalar scalar(const ScalarWords& words) {
    Scalar scalar;
    scalar.bytes_ = std::bit_cast<std::array<std::uint8_t, Scalar::kSize>>(little_endian(words));
    return scalar;
  }

 private:
  static ScalarWords little_endian(ScalarWords words) {
    if constexpr (std::endian::native == std::endian::big) {
      for (std::uint64_t& word : words) {
        word = std::byteswap(word);
      }
    }
    return words;
  }
};

__extension__ using Wide = unsigned __int128;

// a − b, and the borrow: 1 if a < b.
struct WordsDifference {
  ScalarWords words;
  std::uint64_t borrow;
};
inline WordsDifference subtract_words(const ScalarWords& a, const ScalarWords& b) {
  WordsDifference result{};
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; ++i) {
    const Wide d = Wide{a[i]} - b[i] - result.borrow;
    result.words[i] = static_cast<std::uint64_t>(d);
    result.borrow = static_cast<std::uint64_t>(d >> 64) & 1;
  }
  return result;
}
inline ScalarWords add_words(const ScalarWords& a, const ScalarWords& b) {
  ScalarWords sum{};
  std::uint64_t carry = 0;
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; ++i) {
    const Wide s = Wide{a[i]} + b[i] + carry;
    sum[i] = static_cast<std::uint64_t>(s);
    carry = static_cast<std::uint64_t>(s >> 64);
  }
  return sum;
}
// `yes` for 1, zero for 0.
inline ScalarWords masked(std::uint64_t bit, const ScalarWords& yes) {
  const std::uint64_t mask = 0 - bit;
  return {yes[0] & mask, yes[1] & mask, yes[2] & mask, yes[3] & mask};
}

// a mod q, for a < 2q.
inline ScalarWords reduced_once(const ScalarWords& a) {
  const WordsDifference difference = subtract_words(a, kScalarOrder);
  return add_words(difference.words, masked(difference.borrow, kScalarOrder));
}

// a + b and a − b mod q, for a, b < q.
inline ScalarWords add_scalars(const ScalarWords& a, const ScalarWords& b) {
  return reduced_once(add_words(a, b));
}
inline ScalarWords subtract_scalars(const ScalarWords& a, const ScalarWords& b) {
  const WordsDifference difference = subtract_words(a, b);
  return add_words(difference.words, masked(difference.borrow, kScalarOrder));
}

// a·b·2^(−256) mod q, for a < 2^256, b < q (Montgomery 1985).
inline ScalarWords montgomery_product(const ScalarWords& a, const ScalarWords& b) {
  constexpr std::uint64_t kMinusOrderInverse = 0xd2b51da312547e1b;  // −q^(−1) mod 2^64
  // After each round t < 2q, so that five words hold a round's sum.
  std::uint64_t t0 = 0;
  std::uint64_t t1 = 0;
  std::uint64_t t2 = 0;
  std::uint64_t t3 = 0;
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; ++i) {
    Wide sum = Wide{a[i]} * b[0] + t0;
    const auto low = static_cast<std::uint64_t>(sum);
    const std::uint64_t m = low * kMinusOrderInverse;
    Wide carry = (Wide{m} * kScalarOrder[0] + low) >> 64;
    sum = Wide{a[i]} * b[1] + t1 + static_cast<std::uint64_t>(sum >> 64);
    carry += Wide{m} * kScalarOrder[1] + static_cast<std::uint64_t>(sum);
    t0 = static_cast<std::uint64_t>(carry);
    sum = Wide{a[i]} * b[2] + t2 + static_cast<std::uint64_t>(sum >> 64);
    carry = (carry >> 64) + static_cast<std::uint64_t>(sum);  // q has no third word
    t1 = static_cast<std::uint64_t>(carry);
    sum = Wide{a[i]} * b[3] + t3 + static_cast<std::uint64_t>(sum >> 64);
    carry = (carry >> 64) + (Wide{m} << 60) + static_cast<std::uint64_t>(sum);  // q's last: 2^60
    t2 = static_cast<std::uint64_t>(carry);
    t3 = static_cast<std::uint64_t>(carry >> 64) + static_cast<std::uint64_t>(sum >> 64);
  }
  return reduced_once({t0, t1, t2, t3});
}
// a·2^256 mod q: the Montgomery product with it is a product with a.
inline ScalarWords to_montgomery(const ScalarWords& a) {
  constexpr ScalarWords kRadixSquared = {0xa40611e3449c0f01, 0xd00e1ba768859347, 0xceec73d217f5be65,
                                         0x0399411b7c309a3d};  // 2^512 mod q
  return montgomery_product(a, kRadixSquared);
}

// The representative of least magnitude: ± magnitude ≡ scalar, magnitude ≤ q/2.
struct SignedScalar {
  ScalarWords magnitude;
  bool negative;
};
inline SignedScalar to_signed_vartime(const ScalarWords& a) {
  constexpr ScalarWords kHalfOrder = {0x2c09318d2e7ae9f6, 0x0a6f7cef517bce6b, 0,
                                      0x0800000000000000};
  if (subtract_words(kHalfOrder, a).borrow != 0) {
    return {subtract_words(kScalarOrder, a).words, true};
  }
  return {a, false};
}

}  // namespace psephos::crypto
