#include <immintrin.h>

#include "crypto/vartime/rsa_power.h"

namespace psephos::crypto::vartime {

namespace {

constexpr unsigned kLimbBits = 52;

__m512i set1(std::uint64_t v) { return _mm512_set1_epi64(static_cast<long long>(v)); }

// The high halves of a·b + n·m.
__m512i high_halves(__m512i a, __m512i b, std::uint64_t n, __m512i m) {
  return _mm512_madd52hi_epu64(_mm512_madd52hi_epu64(_mm512_setzero_si512(), a, b), set1(n), m);
}

// result = a·b/R mod n, below 2n, for a, b below 2n. `result` may be a or b.
void montgomery_product(const RsaModulus& modulus, const __m512i* a, const __m512i* b,
                        __m512i* result) {
  const std::size_t size = modulus.num_limbs;
  const std::uint64_t* n = modulus.n.data();
  const __m512i zero = _mm512_setzero_si512();
  const __m512i inverse = set1(modulus.minus_inverse);
  __m512i sum[kMaxRsaLimbs];
  for (std::size_t j = 0; j < size; ++j) {
    sum[j] = zero;
  }
  // A limb of the sum takes four halves of products in each round and moves down: it stays below
  // 4·79·2^52.
  for (std::size_t i = 0; i < size; ++i) {
    const __m512i bi = b[i];
    const __m512i low = _mm512_madd52lo_epu64(sum[0], a[0], bi);
    const __m512i m = _mm512_madd52lo_epu64(zero, low, inverse);
    const __m512i cleared = _mm512_madd52lo_epu64(low, set1(n[0]), m);
    // What limb j − 1 gives to limb j: its carry or the high halves of its products.
    __m512i up =
        _mm512_add_epi64(_mm512_srli_epi64(cleared, kLimbBits), high_halves(a[0], bi, n[0], m));
#pragma GCC unroll 4
    for (std::size_t j = 1; j < size; ++j) {
      __m512i t = _mm512_madd52lo_epu64(sum[j], a[j], bi);
      t = _mm512_madd52lo_epu64(t, set1(n[j]), m);
      sum[j - 1] = _mm512_add_epi64(t, up);
      up = high_halves(a[j], bi, n[j], m);
    }
    sum[size - 1] = up;
  }
  const __m512i mask = set1((std::uint64_t{1} << kLimbBits) - 1);
  __m512i carry = zero;
  for (std::size_t j = 0; j < size; ++j) {
    const __m512i t = _mm512_add_epi64(sum[j], carry);
    result[j] = _mm512_and_si512(t, mask);
    carry = _mm512_srli_epi64(t, kLimbBits);
  }
}

}  // namespace

void power_65537_ifma(const RsaModulus& modulus, RsaLanes& numbers) {
  __m512i base[kMaxRsaLimbs];
  __m512i power[kMaxRsaLimbs];
  __m512i factor[kMaxRsaLimbs];
  for (std::size_t j = 0; j < modulus.num_limbs; ++j) {
    base[j] = _mm512_loadu_si512(&numbers[j]);
    power[j] = base[j];
    factor[j] = set1(modulus.factor[j]);
  }
  for (unsigned i = 0; i < 16; ++i) {
    montgomery_product(modulus, power, power, power);
  }
  // s^65537/R^65536, and the factor's R^65537 with one more division makes it s^65537.
  montgomery_product(modulus, power, base, power);
  montgomery_product(modulus, power, factor, power);
  for (std::size_t j = 0; j < modulus.num_limbs; ++j) {
    _mm512_storeu_si512(&numbers[j], power[j]);
  }
}

}  // namespace psephos::crypto::vartime
