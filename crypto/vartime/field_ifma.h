// GF(2^255 − 19) in five limbs of 51 bits, eight elements at once, one in each 64-bit lane of
// AVX-512 registers; products by IFMA (52×52 bits, low and high half). Variable time: public data
// only.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "crypto/vartime/coordinates.h"

namespace psephos::crypto::vartime {
namespace {

class IfmaField {
 public:
  static constexpr unsigned kLanes = 8;

  IfmaField() = default;
  static IfmaField constant(const Limbs& value) {
    return {set1(value.l[0]), set1(value.l[1]), set1(value.l[2]), set1(value.l[3]),
            set1(value.l[4])};
  }

  // load reads kFields consecutive elements from each of eight places.
  template <unsigned kFields>
  static void load(const std::uint64_t* const* lanes, IfmaField* fields) {
    constexpr unsigned kWords = 5 * kFields;
    for (unsigned word = 0; word < kWords; word += 8) {
      const unsigned count = kWords - word < 8 ? kWords - word : 8;
      const auto mask = static_cast<__mmask8>((1U << count) - 1);
      __m512i rows[8];
      for (unsigned k = 0; k < 8; ++k) {
        rows[k] = _mm512_maskz_loadu_epi64(mask, lanes[k] + word);
      }
      transpose(rows);
      for (unsigned k = 0; k < count; ++k) {
        fields[(word + k) / 5].l_[(word + k) % 5] = rows[k];
      }
    }
  }
  template <unsigned kFields>
  static void store(std::uint64_t* const* lanes, const IfmaField* fields) {
    constexpr unsigned kWords = 5 * kFields;
    for (unsigned word = 0; word < kWords; word += 8) {
      const unsigned count = kWords - word < 8 ? kWords - word : 8;
      const auto mask = static_cast<__mmask8>((1U << count) - 1);
      __m512i rows[8];
      for (unsigned k = 0; k < 8; ++k) {
        rows[k] = k < count ? fields[(word + k) / 5].l_[(word + k) % 5] : _mm512_setzero_si512();
      }
      transpose(rows);
      for (unsigned k = 0; k < 8; ++k) {
        _mm512_mask_storeu_epi64(lanes[k] + word, mask, rows[k]);
      }
    }
  }
  friend IfmaField operator+(const IfmaField& a, const IfmaField& b) {
    return IfmaField(add(a.l_[0], b.l_[0]), add(a.l_[1], b.l_[1]), add(a.l_[2], b.l_[2]),
                     add(a.l_[3], b.l_[3]), add(a.l_[4], b.l_[4]))
        .carried();
  }
  friend IfmaField operator-(const IfmaField& a, const IfmaField& b) {
    // a + 4p − b
    const __m512i low = set1(4 * (kLow51 - 18));
    const __m512i high = set1(4 * kLow51);
    return IfmaField(sub(add(a.l_[0], low), b.l_[0]), sub(add(a.l_[1], high), b.l_[1]),
                     sub(add(a.l_[2], high), b.l_[2]), sub(add(a.l_[3], high), b.l_[3]),
                     sub(add(a.l_[4], high), b.l_[4]))
        .carried();
  }
  friend IfmaField operator*(const IfmaField& a, const IfmaField& b) {
    const __m512i* x = a.l_;
    const __m512i* y = b.l_;
    const __m512i zero = _mm512_setzero_si512();
    // lo[k] and hi[k] gather the halves of the products with i + j = k; a high half weighs
    // 2^52 = 2·2^51, twice the next limb.
    __m512i lo[9] = {zero, zero, zero, zero, zero, zero, zero, zero, zero};
    __m512i hi[9] = {zero, zero, zero, zero, zero, zero, zero, zero, zero};
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; ++i) {
#pragma GCC unroll 5
      for (unsigned j = 0; j < 5; ++j) {
        lo[i + j] = _mm512_madd52lo_epu64(lo[i + j], x[i], y[j]);
        hi[i + j] = _mm512_madd52hi_epu64(hi[i + j], x[i], y[j]);
      }
    }
    return folded(lo, hi);
  }
  [[nodiscard]] IfmaField squared() const {
    const __m512i* x = l_;
    const __m512i zero = _mm512_setzero_si512();
    __m512i lo[9] = {zero, zero, zero, zero, zero, zero, zero, zero, zero};
    __m512i hi[9] = {zero, zero, zero, zero, zero, zero, zero, zero, zero};
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; ++i) {
#pragma GCC unroll 5
      for (unsigned j = i + 1; j < 5; ++j) {
        lo[i + j] = _mm512_madd52lo_epu64(lo[i + j], x[i], x[j]);
        hi[i + j] = _mm512_madd52hi_epu64(hi[i + j], x[i], x[j]);
      }
    }
#pragma GCC unroll 9
    for (unsigned k = 1; k < 8; ++k) {
      lo[k] = add(lo[k], lo[k]);
      hi[k] = add(hi[k], hi[k]);
    }
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; ++i) {
      lo[2 * i] = _mm512_madd52lo_epu64(lo[2 * i], x[i], x[i]);
      hi[2 * i] = _mm512_madd52hi_epu64(hi[2 * i], x[i], x[i]);
    }
    return folded(lo, hi);
  }
  static IfmaField select(Mask mask, const IfmaField& yes, const IfmaField& no) {
    const auto which = static_cast<__mmask8>(mask);
    return {_mm512_mask_blend_epi64(which, no.l_[0], yes.l_[0]),
            _mm512_mask_blend_epi64(which, no.l_[1], yes.l_[1]),
            _mm512_mask_blend_epi64(which, no.l_[2], yes.l_[2]),
            _mm512_mask_blend_epi64(which, no.l_[3], yes.l_[3]),
            _mm512_mask_blend_epi64(which, no.l_[4], yes.l_[4])};
  }

  [[nodiscard]] IfmaField canonical() const {
    IfmaField r = carried().carried();
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
  static __m512i set1(std::uint64_t v) { return _mm512_set1_epi64(static_cast<long long>(v)); }
  static __m512i add(__m512i a, __m512i b) { return _mm512_add_epi64(a, b); }
  static __m512i sub(__m512i a, __m512i b) { return _mm512_sub_epi64(a, b); }

  // Limbs of at most 2^64 − 1 become limbs below 2^51 + 19·2^13.
  [[nodiscard]] IfmaField carried() const {
    const __m512i mask = set1(kLow51);
    const auto low = [&](unsigned i) { return _mm512_and_si512(l_[i], mask); };
    const auto high = [&](unsigned i) { return _mm512_srli_epi64(l_[i], 51); };
    return {_mm512_madd52lo_epu64(low(0), high(4), set1(19)), add(low(1), high(0)),
            add(low(2), high(1)), add(low(3), high(2)), add(low(4), high(3))};
  }
  static IfmaField folded(const __m512i* lo, const __m512i* hi) {
    // t[k] = lo[k] + 2·hi[k − 1] < 15·2^52; then r[k] = t[k] + 19·t[k + 5] < 2^61.
    __m512i t[10];
    t[0] = lo[0];
#pragma GCC unroll 8
    for (unsigned k = 1; k < 9; ++k) {
      t[k] = add(lo[k], add(hi[k - 1], hi[k - 1]));
    }
    t[9] = add(hi[8], hi[8]);
    IfmaField r;
#pragma GCC unroll 5
    for (unsigned k = 0; k < 5; ++k) {
      const __m512i u = t[k + 5];
      r.l_[k] = add(add(t[k], u), add(_mm512_slli_epi64(u, 4), add(u, u)));
    }
    return r.carried();
  }
  static void transpose(__m512i* r) {
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
