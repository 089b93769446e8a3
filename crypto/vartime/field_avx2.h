// GF(2^255 − 19) in ten limbs of 26 and 25 bits in turn, four elements at once, one in each 64-bit
// lane of AVX2 registers; products of 32-bit halves. Variable time: public data only.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "crypto/vartime/coordinates.h"

namespace psephos::crypto::vartime {
namespace {

class Avx2Field {
 public:
  static constexpr unsigned kLanes = 4;

  Avx2Field() = default;
  static Avx2Field constant(const Limbs& value) {
    Avx2Field r;
    for (unsigned i = 0; i < 5; ++i) {
      r.l_[2 * i] = set1(value.l[i] & kLow26);
      r.l_[2 * i + 1] = set1(value.l[i] >> 26);
    }
    return r;
  }

  // A product, and sums of products: limbs are not carried, for there is room. A product's limbs
  // are below 2^26 + 2^14 and 2^25 + 2^14 in turn; those of a first factor may reach four times
  // that, those of a second three times: 19 times such a limb still is below 2^32.
  class Wide {
   public:
    Wide() = default;
    explicit Wide(const Avx2Field& a) {
#pragma GCC unroll 10
      for (unsigned i = 0; i < 10; ++i) {
        l_[i] = a.l_[i];
      }
    }
    Wide operator+(const Wide& b) const {
      Wide r;
#pragma GCC unroll 10
      for (unsigned i = 0; i < 10; ++i) {
        r.l_[i] = _mm256_add_epi64(l_[i], b.l_[i]);
      }
      return r;
    }
    Wide operator-(const Wide& b) const {
      // + 2p
      Wide r;
#pragma GCC unroll 10
      for (unsigned i = 0; i < 10; ++i) {
        r.l_[i] = _mm256_sub_epi64(_mm256_add_epi64(l_[i], set1(2 * limb_of_p(i))), b.l_[i]);
      }
      return r;
    }
    [[nodiscard]] Avx2Field reduced() const {
      Avx2Field r;
#pragma GCC unroll 10
      for (unsigned i = 0; i < 10; ++i) {
        r.l_[i] = l_[i];
      }
      return r;
    }

   private:
    __m256i l_[10];
  };
  static Wide product(const Avx2Field& a, const Avx2Field& b) { return Wide(a * b); }
  static Wide square(const Avx2Field& a) { return Wide(a.squared()); }

  // load reads kFields consecutive elements from each of four places.
  template <unsigned kFields>
  static void load(const std::uint64_t* const* lanes, Avx2Field* fields) {
    for (unsigned i = 0; i < 5 * kFields; ++i) {
      const __m256i limb = _mm256_set_epi64x(
          static_cast<long long>(lanes[3][i]), static_cast<long long>(lanes[2][i]),
          static_cast<long long>(lanes[1][i]), static_cast<long long>(lanes[0][i]));
      fields[i / 5].l_[2 * (i % 5)] = _mm256_and_si256(limb, set1(kLow26));
      fields[i / 5].l_[2 * (i % 5) + 1] = _mm256_srli_epi64(limb, 26);
    }
  }
  template <unsigned kFields>
  static void store(std::uint64_t* const* lanes, const Avx2Field* fields) {
    for (unsigned i = 0; i < 5 * kFields; ++i) {
      const __m256i* l = fields[i / 5].l_ + 2 * (i % 5);
      alignas(32) std::uint64_t limb[4];
      _mm256_store_si256(reinterpret_cast<__m256i*>(limb), add(l[0], _mm256_slli_epi64(l[1], 26)));
      for (unsigned k = 0; k < 4; ++k) {
        lanes[k][i] = limb[k];
      }
    }
  }

  friend Avx2Field operator+(const Avx2Field& a, const Avx2Field& b) {
    Avx2Field r;
#pragma GCC unroll 10
    for (unsigned i = 0; i < 10; ++i) {
      r.l_[i] = add(a.l_[i], b.l_[i]);
    }
    return r.carried();
  }
  friend Avx2Field operator-(const Avx2Field& a, const Avx2Field& b) {
    // a + 4p − b
    Avx2Field r;
#pragma GCC unroll 10
    for (unsigned i = 0; i < 10; ++i) {
      r.l_[i] = _mm256_sub_epi64(add(a.l_[i], set1(4 * limb_of_p(i))), b.l_[i]);
    }
    return r.carried();
  }
  friend Avx2Field operator*(const Avx2Field& a, const Avx2Field& b) {
    // Row by row: ten sums and what stays the same in a row fill the registers; the other factors
    // come from memory.
    const __m256i* y = b.l_;
    __m256i y19[10];  // for what wraps around
#pragma GCC unroll 10
    for (unsigned j = 1; j < 10; ++j) {
      y19[j] = _mm256_mul_epu32(y[j], set1(19));
    }
    Avx2Field r;
#pragma GCC unroll 10
    for (unsigned i = 0; i < 10; ++i) {
      const __m256i x = a.l_[i];
      const __m256i x2 = add(x, x);  // odd limbs meet half a bit short
#pragma GCC unroll 10
      for (unsigned j = 0; j < 10; ++j) {
        const __m256i term =
            _mm256_mul_epu32(i % 2 == 1 && j % 2 == 1 ? x2 : x, i + j >= 10 ? y19[j] : y[j]);
        __m256i& sum = r.l_[(i + j) % 10];
        sum = i == 0 ? term : add(sum, term);
      }
    }
    return r.chained();
  }
  [[nodiscard]] Avx2Field squared() const {
    const __m256i* x = l_;
    __m256i x19[10];
#pragma GCC unroll 10
    for (unsigned j = 5; j < 10; ++j) {
      x19[j] = _mm256_mul_epu32(x[j], set1(19));
    }
    Avx2Field r;
#pragma GCC unroll 10
    for (unsigned i = 0; i < 10; ++i) {
      const __m256i twice = add(x[i], x[i]);
      const __m256i four = add(twice, twice);
#pragma GCC unroll 10
      for (unsigned j = i; j < 10; ++j) {
        const bool odd = i % 2 == 1 && j % 2 == 1;
        const __m256i left = i == j ? (odd ? twice : x[i]) : (odd ? four : twice);
        const __m256i term = _mm256_mul_epu32(left, i + j >= 10 ? x19[j] : x[j]);
        __m256i& sum = r.l_[(i + j) % 10];
        sum = i == 0 ? term : add(sum, term);
      }
    }
    return r.chained();
  }
  static Avx2Field select(Mask which, const Avx2Field& yes, const Avx2Field& no) {
    const __m256i mask =
        _mm256_cmpgt_epi64(_mm256_and_si256(_mm256_set1_epi64x(static_cast<long long>(which)),
                                            _mm256_set_epi64x(8, 4, 2, 1)),
                           _mm256_setzero_si256());
    Avx2Field r;
#pragma GCC unroll 10
    for (unsigned i = 0; i < 10; ++i) {
      r.l_[i] = _mm256_blendv_epi8(no.l_[i], yes.l_[i], mask);
    }
    return r;
  }
  // −a where the mask is set, as 2p − a: a factor.
  static Avx2Field negative_where(Mask which, const Avx2Field& a) {
    return select(which, (Wide(constant(kZero)) - Wide(a)).reduced(), a);
  }

  [[nodiscard]] Avx2Field canonical() const {
    Avx2Field r = carried().carried();
    __m256i q = _mm256_srli_epi64(add(r.l_[0], set1(19)), 26);
#pragma GCC unroll 9
    for (unsigned i = 1; i < 10; ++i) {
      q = _mm256_srli_epi64(add(r.l_[i], q), i % 2 == 0 ? 26 : 25);
    }
    r.l_[0] = add(r.l_[0], _mm256_mul_epu32(q, set1(19)));
#pragma GCC unroll 9
    for (unsigned i = 0; i < 9; ++i) {
      r.l_[i + 1] = add(r.l_[i + 1], _mm256_srli_epi64(r.l_[i], i % 2 == 0 ? 26 : 25));
      r.l_[i] = _mm256_and_si256(r.l_[i], set1(i % 2 == 0 ? kLow26 : kLow25));
    }
    r.l_[9] = _mm256_and_si256(r.l_[9], set1(kLow25));
    return r;
  }
  [[nodiscard]] Mask is_zero() const {
    const Avx2Field r = canonical();
    __m256i any = r.l_[0];
#pragma GCC unroll 9
    for (unsigned i = 1; i < 10; ++i) {
      any = _mm256_or_si256(any, r.l_[i]);
    }
    return bits(_mm256_cmpeq_epi64(any, _mm256_setzero_si256()));
  }
  [[nodiscard]] Mask is_negative() const { return bits(_mm256_slli_epi64(canonical().l_[0], 63)); }

 private:
  static constexpr std::uint64_t kLow25 = (std::uint64_t{1} << 25) - 1;
  static constexpr std::uint64_t kLow26 = (std::uint64_t{1} << 26) - 1;

  static constexpr std::uint64_t limb_of_p(unsigned i) {
    return i == 0 ? kLow26 - 18 : i % 2 == 0 ? kLow26 : kLow25;
  }
  static __m256i set1(std::uint64_t v) { return _mm256_set1_epi64x(static_cast<long long>(v)); }
  static __m256i add(__m256i a, __m256i b) { return _mm256_add_epi64(a, b); }
  static __m256i times_19(__m256i a) { return add(add(_mm256_slli_epi64(a, 4), add(a, a)), a); }
  static Mask bits(__m256i mask) {
    return static_cast<Mask>(_mm256_movemask_pd(_mm256_castsi256_pd(mask)));
  }

  // Limbs below 2^32 become limbs below 2^26 + 2^11, 2^25 + 2^7 in turn.
  [[nodiscard]] Avx2Field carried() const {
    Avx2Field r;
#pragma GCC unroll 10
    for (unsigned i = 0; i < 10; ++i) {
      const __m256i low = _mm256_and_si256(l_[i], set1(i % 2 == 0 ? kLow26 : kLow25));
      r.l_[i] = add(low, i == 0 ? _mm256_mul_epu32(_mm256_srli_epi64(l_[9], 25), set1(19))
                                : _mm256_srli_epi64(l_[i - 1], i % 2 == 1 ? 26 : 25));
    }
    return r;
  }
  // The same for sums of products, in two chains that meet.
  [[nodiscard]] Avx2Field chained() const {
    Avx2Field r = *this;
    const auto carry = [&r](unsigned i) {
      const __m256i high = _mm256_srli_epi64(r.l_[i], i % 2 == 0 ? 26 : 25);
      r.l_[i] = _mm256_and_si256(r.l_[i], set1(i % 2 == 0 ? kLow26 : kLow25));
      if (i == 9) {
        r.l_[0] = add(r.l_[0], times_19(high));
      } else {
        r.l_[i + 1] = add(r.l_[i + 1], high);
      }
    };
    carry(0);
    carry(4);
    carry(1);
    carry(5);
    carry(2);
    carry(6);
    carry(3);
    carry(7);
    carry(4);
    carry(8);
    carry(9);
    carry(0);
    return r;
  }

  __m256i l_[10];
};

}  // namespace
}  // namespace psephos::crypto::vartime
