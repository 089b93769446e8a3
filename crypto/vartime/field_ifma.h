// GF(2^255 − 19) in five limbs of 51 bits, eight elements at once, one in each 64-bit lane of
// AVX-512 registers; products by IFMA (52×52 bits, low and high half). Variable time: public data
// only.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "crypto/vartime/coordinates.h"
#include "crypto/vartime/lanes.h"

namespace psephos::crypto::vartime {
namespace {

class IfmaField {
 public:
  static constexpr unsigned kLanes = 8;

  IfmaField() = default;
  PSEPHOS_LANES static IfmaField constant(const Limbs& value) {
    return {set1(value.l[0]), set1(value.l[1]), set1(value.l[2]), set1(value.l[3]),
            set1(value.l[4])};
  }

  // Sums of products that have not been carried: Wide. A product's limbs are below 300·2^52 < 2^61;
  // a sum or difference of a sum of two of them and one more stays below 2^63.
  class Wide {
   public:
    Wide() = default;
    PSEPHOS_LANES explicit Wide(const IfmaField& a)
        : l_{a.l_[0], a.l_[1], a.l_[2], a.l_[3], a.l_[4]} {}
    PSEPHOS_LANES Wide operator+(const Wide& b) const {
      Wide r;
#pragma GCC unroll 5
      for (unsigned i = 0; i < 5; ++i) {
        r.l_[i] = add(l_[i], b.l_[i]);
      }
      return r;
    }
    PSEPHOS_LANES Wide operator-(const Wide& b) const {
      // + 2^10·p
      Wide r;
#pragma GCC unroll 5
      for (unsigned i = 0; i < 5; ++i) {
        r.l_[i] = sub(add(l_[i], set1((i == 0 ? kLow51 - 18 : kLow51) << 10)), b.l_[i]);
      }
      return r;
    }
    // Limbs of at most 2^64 − 1 become limbs below 2^51 + 19·2^13.
    [[nodiscard]] PSEPHOS_LANES IfmaField reduced() const {
      const __m512i mask = set1(kLow51);
      IfmaField r;
      r.l_[0] = _mm512_madd52lo_epu64(_mm512_and_si512(l_[0], mask), _mm512_srli_epi64(l_[4], 51),
                                      set1(19));
#pragma GCC unroll 4
      for (unsigned i = 1; i < 5; ++i) {
        r.l_[i] = add(_mm512_and_si512(l_[i], mask), _mm512_srli_epi64(l_[i - 1], 51));
      }
      return r;
    }

   private:
    friend class IfmaField;
    __m512i l_[5];
  };

  // load reads kFields consecutive elements from each of eight places, whole groups of eight words.
  template <unsigned kFields>
  PSEPHOS_LANES static void load(const std::uint64_t* const* lanes, IfmaField* fields) {
    constexpr unsigned kWords = 5 * kFields;
#pragma GCC unroll 3
    for (unsigned word = 0; word < kWords; word += 8) {
      const unsigned count = kWords - word < 8 ? kWords - word : 8;
      const auto mask = static_cast<__mmask8>((1U << count) - 1);
      __m512i rows[8];
#pragma GCC unroll 8
      for (unsigned k = 0; k < 8; ++k) {
        rows[k] = _mm512_maskz_loadu_epi64(mask, lanes[k] + word);
      }
      transpose(rows);
#pragma GCC unroll 8
      for (unsigned k = 0; k < count; ++k) {
        fields[(word + k) / 5].l_[(word + k) % 5] = rows[k];
      }
    }
  }
  template <unsigned kFields>
  PSEPHOS_LANES static void store(std::uint64_t* const* lanes, const IfmaField* fields) {
    constexpr unsigned kWords = 5 * kFields;
#pragma GCC unroll 3
    for (unsigned word = 0; word < kWords; word += 8) {
      const unsigned count = kWords - word < 8 ? kWords - word : 8;
      const auto mask = static_cast<__mmask8>((1U << count) - 1);
      __m512i rows[8];
#pragma GCC unroll 8
      for (unsigned k = 0; k < 8; ++k) {
        rows[k] = k < count ? fields[(word + k) / 5].l_[(word + k) % 5] : _mm512_setzero_si512();
      }
      transpose(rows);
#pragma GCC unroll 8
      for (unsigned k = 0; k < 8; ++k) {
        _mm512_mask_storeu_epi64(lanes[k] + word, mask, rows[k]);
      }
    }
  }

  PSEPHOS_LANES friend IfmaField operator+(const IfmaField& a, const IfmaField& b) {
    return (Wide(a) + Wide(b)).reduced();
  }
  PSEPHOS_LANES friend IfmaField operator-(const IfmaField& a, const IfmaField& b) {
    return (Wide(a) - Wide(b)).reduced();
  }
  PSEPHOS_LANES friend IfmaField operator*(const IfmaField& a, const IfmaField& b) {
    return product(a, b).reduced();
  }
  [[nodiscard]] PSEPHOS_LANES IfmaField squared() const { return square(*this).reduced(); }

  // t[k] gathers what weighs 2^(51·k): the low halves of the products with i + j = k and, as a high
  // half weighs 2^52 = 2·2^51, twice the high halves of those with i + j = k − 1. The high halves
  // go first, so that all of them are doubled at once.
  PSEPHOS_LANES static Wide product(const IfmaField& a, const IfmaField& b) {
    const __m512i* x = a.l_;
    const __m512i* y = b.l_;
    const __m512i zero = _mm512_setzero_si512();
    __m512i t[10] = {zero, zero, zero, zero, zero, zero, zero, zero, zero, zero};
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; ++i) {
#pragma GCC unroll 5
      for (unsigned j = 0; j < 5; ++j) {
        t[i + j + 1] = _mm512_madd52hi_epu64(t[i + j + 1], x[i], y[j]);
      }
    }
#pragma GCC unroll 9
    for (unsigned k = 1; k < 10; ++k) {
      t[k] = add(t[k], t[k]);
    }
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; ++i) {
#pragma GCC unroll 5
      for (unsigned j = 0; j < 5; ++j) {
        t[i + j] = _mm512_madd52lo_epu64(t[i + j], x[i], y[j]);
      }
    }
    return folded(t);
  }
  // The same, in which what is neither doubled nor halved by symmetry goes last:
  // t[k] = 2·(2·Σ high + Σ low + high of a square) + low of a square, sums over i < j.
  PSEPHOS_LANES static Wide square(const IfmaField& a) {
    const __m512i* x = a.l_;
    const __m512i zero = _mm512_setzero_si512();
    __m512i t[10] = {zero, zero, zero, zero, zero, zero, zero, zero, zero, zero};
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; ++i) {
#pragma GCC unroll 5
      for (unsigned j = i + 1; j < 5; ++j) {
        t[i + j + 1] = _mm512_madd52hi_epu64(t[i + j + 1], x[i], x[j]);
      }
    }
#pragma GCC unroll 7
    for (unsigned k = 2; k < 9; ++k) {
      t[k] = add(t[k], t[k]);
    }
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; ++i) {
      t[2 * i + 1] = _mm512_madd52hi_epu64(t[2 * i + 1], x[i], x[i]);
#pragma GCC unroll 5
      for (unsigned j = i + 1; j < 5; ++j) {
        t[i + j] = _mm512_madd52lo_epu64(t[i + j], x[i], x[j]);
      }
    }
#pragma GCC unroll 9
    for (unsigned k = 1; k < 10; ++k) {
      t[k] = add(t[k], t[k]);
    }
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; ++i) {
      t[2 * i] = _mm512_madd52lo_epu64(t[2 * i], x[i], x[i]);
    }
    return folded(t);
  }
  PSEPHOS_LANES static IfmaField select(Mask mask, const IfmaField& yes, const IfmaField& no) {
    const auto which = static_cast<__mmask8>(mask);
    return {_mm512_mask_blend_epi64(which, no.l_[0], yes.l_[0]),
            _mm512_mask_blend_epi64(which, no.l_[1], yes.l_[1]),
            _mm512_mask_blend_epi64(which, no.l_[2], yes.l_[2]),
            _mm512_mask_blend_epi64(which, no.l_[3], yes.l_[3]),
            _mm512_mask_blend_epi64(which, no.l_[4], yes.l_[4])};
  }
  // −a where the mask is set, as 2p − a: a factor, with limbs below 2^52.
  PSEPHOS_LANES static IfmaField negative_where(Mask mask, const IfmaField& a) {
    IfmaField r;
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; ++i) {
      r.l_[i] = _mm512_mask_sub_epi64(a.l_[i], static_cast<__mmask8>(mask),
                                      set1(2 * (i == 0 ? kLow51 - 18 : kLow51)), a.l_[i]);
    }
    return r;
  }

  [[nodiscard]] IfmaField canonical() const {
    IfmaField r = Wide(Wide(*this).reduced()).reduced();
    __m512i q = _mm512_srli_epi64(add(r.l_[0], set1(19)), 51);
#pragma GCC unroll 4
    for (unsigned i = 1; i < 5; ++i) {
      q = _mm512_srli_epi64(add(r.l_[i], q), 51);
    }
    r.l_[0] = _mm512_madd52lo_epu64(r.l_[0], q, set1(19));
    const __m512i mask = set1(kLow51);
#pragma GCC unroll 4
    for (unsigned i = 0; i < 4; ++i) {
      r.l_[i + 1] = add(r.l_[i + 1], _mm512_srli_epi64(r.l_[i], 51));
      r.l_[i] = _mm512_and_si512(r.l_[i], mask);
    }
    r.l_[4] = _mm512_and_si512(r.l_[4], mask);
    return r;
  }
  [[nodiscard]] Mask is_zero() const {
    const IfmaField r = canonical();
    const __m512i any = _mm512_or_si512(
        _mm512_or_si512(_mm512_or_si512(r.l_[0], r.l_[1]), _mm512_or_si512(r.l_[2], r.l_[3])),
        r.l_[4]);
    return _mm512_testn_epi64_mask(any, any);
  }
  [[nodiscard]] Mask is_negative() const {
    return _mm512_test_epi64_mask(canonical().l_[0], set1(1));
  }

 private:
  static constexpr std::uint64_t kLow51 = (std::uint64_t{1} << 51) - 1;

  IfmaField(__m512i l0, __m512i l1, __m512i l2, __m512i l3, __m512i l4) : l_{l0, l1, l2, l3, l4} {}
  PSEPHOS_LANES static __m512i set1(std::uint64_t v) {
    return _mm512_set1_epi64(static_cast<long long>(v));
  }
  PSEPHOS_LANES static __m512i add(__m512i a, __m512i b) { return _mm512_add_epi64(a, b); }
  PSEPHOS_LANES static __m512i sub(__m512i a, __m512i b) { return _mm512_sub_epi64(a, b); }

  // r[k] = t[k] + 19·t[k + 5], each t[k] below 15·2^52.
  PSEPHOS_LANES static Wide folded(const __m512i* t) {
    Wide r;
#pragma GCC unroll 5
    for (unsigned k = 0; k < 5; ++k) {
      const __m512i u = t[k + 5];
      r.l_[k] = add(add(t[k], u), add(_mm512_slli_epi64(u, 4), add(u, u)));
    }
    return r;
  }
  PSEPHOS_LANES static void transpose(__m512i* r) {
    __m512i a[8];
    __m512i b[8];
#pragma GCC unroll 4
    for (unsigned k = 0; k < 4; ++k) {
      a[2 * k] = _mm512_unpacklo_epi64(r[2 * k], r[2 * k + 1]);
      a[2 * k + 1] = _mm512_unpackhi_epi64(r[2 * k], r[2 * k + 1]);
    }
    // a[0]: words 0 2 4 6 of rows 0, 1; a[1]: words 1 3 5 7
#pragma GCC unroll 2
    for (unsigned h = 0; h < 2; ++h) {
      b[4 * h + 0] = _mm512_shuffle_i64x2(a[4 * h + 0], a[4 * h + 2], 0x88);
      b[4 * h + 1] = _mm512_shuffle_i64x2(a[4 * h + 1], a[4 * h + 3], 0x88);
      b[4 * h + 2] = _mm512_shuffle_i64x2(a[4 * h + 0], a[4 * h + 2], 0xdd);
      b[4 * h + 3] = _mm512_shuffle_i64x2(a[4 * h + 1], a[4 * h + 3], 0xdd);
    }
    // b[0]: words 0 4 of rows 0 1, then of rows 2 3
#pragma GCC unroll 4
    for (unsigned k = 0; k < 4; ++k) {
      r[k] = _mm512_shuffle_i64x2(b[k], b[k + 4], 0x88);
      r[k + 4] = _mm512_shuffle_i64x2(b[k], b[k + 4], 0xdd);
    }
  }

  __m512i l_[5];
};

}  // namespace
}  // namespace psephos::crypto::vartime
