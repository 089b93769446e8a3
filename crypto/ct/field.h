// GF(2^255 − 19) for secrets: constant time in every value. Five limbs of 51 bits; no branch, no
// address and no division depends on one. docs/side-channels.md argues it.
//
// How large limbs get: products are below 2^51 + 2^14, and take limbs below 2^54. + and − do not
// carry. a − b is a + 4p − b limb by limb: b's must be at most those of 4p, just below 2^53, and
// the result is below a's plus 2^53. So sums of up to four products, differences of two products,
// and of a sum of two from a product either way, may go into a product.
#pragma once

#include <cstdint>
#include <span>

namespace psephos::crypto::ct {

// All ones for yes, zero for no.
using Mask = std::uint64_t;

// opaque keeps the compiler from knowing that a mask has two values only, and so from making a
// branch of it.
inline std::uint64_t opaque(std::uint64_t value) {
  __asm__("" : "+r"(value));
  return value;
}
// bit: 0 or 1.
inline Mask mask_of(std::uint64_t bit) { return opaque(0 - bit); }
inline Mask is_zero(std::uint64_t value) { return mask_of(((value | (0 - value)) >> 63) ^ 1); }
inline std::uint64_t select(Mask which, std::uint64_t yes, std::uint64_t no) {
  return no ^ (which & (yes ^ no));
}

class Field {
 public:
  constexpr Field() : l_{} {}
  constexpr Field(std::uint64_t l0, std::uint64_t l1, std::uint64_t l2, std::uint64_t l3,
                  std::uint64_t l4)
      : l_{l0, l1, l2, l3, l4} {}
  explicit constexpr Field(std::uint64_t small) : l_{small} {}
  explicit Field(std::span<const std::uint64_t, 5> limbs)
      : l_{limbs[0], limbs[1], limbs[2], limbs[3], limbs[4]} {}
  static constexpr Field one() { return Field(1); }
  [[nodiscard]] std::span<const std::uint64_t, 5> limbs() const { return l_; }
  // from_bytes reads 32 bytes, little-endian; bit 255 is passed over.
  static Field from_bytes(std::span<const std::uint8_t, 32> bytes) {
    std::uint64_t words[4] = {};
    for (unsigned k = 0; k < 32; ++k) {
      words[k / 8] |= std::uint64_t{bytes[k]} << (8 * (k % 8));
    }
    return {words[0] & kLimb, (words[0] >> 51 | words[1] << 13) & kLimb,
            (words[1] >> 38 | words[2] << 26) & kLimb, (words[2] >> 25 | words[3] << 39) & kLimb,
            words[3] >> 12 & kLimb};
  }
  // to_bytes writes the representative below p.
  void to_bytes(std::span<std::uint8_t, 32> out) const {
    const Field r = canonical();
    const std::uint64_t words[4] = {r.l_[0] | r.l_[1] << 51, r.l_[1] >> 13 | r.l_[2] << 38,
                                    r.l_[2] >> 26 | r.l_[3] << 25, r.l_[3] >> 39 | r.l_[4] << 12};
    for (unsigned k = 0; k < 32; ++k) {
      out[k] = static_cast<std::uint8_t>(words[k / 8] >> (8 * (k % 8)));
    }
  }

  friend Field operator+(const Field& a, const Field& b) {
    Field r;
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; ++i) {
      r.l_[i] = a.l_[i] + b.l_[i];
    }
    return r;
  }
  friend Field operator-(const Field& a, const Field& b) {
    Field r;
    r.l_[0] = a.l_[0] + 4 * (kLimb - 18) - b.l_[0];
#pragma GCC unroll 4
    for (unsigned i = 1; i < 5; ++i) {
      r.l_[i] = a.l_[i] + 4 * kLimb - b.l_[i];
    }
    return r;
  }
  [[gnu::always_inline]] friend Field operator*(const Field& a, const Field& b) {
    const std::uint64_t* x = a.l_;
    const std::uint64_t* y = b.l_;
    const std::uint64_t y1 = 19 * y[1];
    const std::uint64_t y2 = 19 * y[2];
    const std::uint64_t y3 = 19 * y[3];
    const std::uint64_t y4 = 19 * y[4];
    return folded(
        wide(x[0], y[0]) + wide(x[1], y4) + wide(x[2], y3) + wide(x[3], y2) + wide(x[4], y1),
        wide(x[0], y[1]) + wide(x[1], y[0]) + wide(x[2], y4) + wide(x[3], y3) + wide(x[4], y2),
        wide(x[0], y[2]) + wide(x[1], y[1]) + wide(x[2], y[0]) + wide(x[3], y4) + wide(x[4], y3),
        wide(x[0], y[3]) + wide(x[1], y[2]) + wide(x[2], y[1]) + wide(x[3], y[0]) + wide(x[4], y4),
        wide(x[0], y[4]) + wide(x[1], y[3]) + wide(x[2], y[2]) + wide(x[3], y[1]) +
            wide(x[4], y[0]));
  }
  [[nodiscard]] Field squared() const {
    const std::uint64_t* x = l_;
    const std::uint64_t d0 = 2 * x[0];
    const std::uint64_t d1 = 2 * x[1];
    const std::uint64_t d2 = 2 * x[2];
    const std::uint64_t x3 = 19 * x[3];
    const std::uint64_t x4 = 19 * x[4];
    return folded(wide(x[0], x[0]) + wide(d1, x4) + wide(d2, x3),
                  wide(d0, x[1]) + wide(d2, x4) + wide(x[3], x3),
                  wide(d0, x[2]) + wide(x[1], x[1]) + wide(2 * x[3], x4),
                  wide(d0, x[3]) + wide(d1, x[2]) + wide(x[4], x4),
                  wide(d0, x[4]) + wide(d1, x[3]) + wide(x[2], x[2]));
  }
  static Field select(Mask which, const Field& yes, const Field& no) {
    Field r;
#pragma GCC unroll 5
    for (unsigned i = 0; i < 5; ++i) {
      r.l_[i] = ct::select(which, yes.l_[i], no.l_[i]);
    }
    return r;
  }
  // carried returns limbs as small as a product's.
  [[nodiscard]] Field carried() const {
    Field r;
    r.l_[0] = (l_[0] & kLimb) + 19 * (l_[4] >> 51);
    for (unsigned i = 1; i < 5; ++i) {
      r.l_[i] = (l_[i] & kLimb) + (l_[i - 1] >> 51);
    }
    return r;
  }

  // canonical returns the representative below p, limbs below 2^51.
  [[nodiscard]] Field canonical() const {
    Field r = carried().carried();
    // r < 2p now; subtract p if that leaves a nonnegative number.
    std::uint64_t q = (r.l_[0] + 19) >> 51;
    for (unsigned i = 1; i < 5; ++i) {
      q = (r.l_[i] + q) >> 51;
    }
    r.l_[0] += 19 * q;
    for (unsigned i = 0; i < 4; ++i) {
      r.l_[i + 1] += r.l_[i] >> 51;
      r.l_[i] &= kLimb;
    }
    r.l_[4] &= kLimb;
    return r;
  }
  [[nodiscard]] Mask is_zero() const {
    const Field r = canonical();
    return ct::is_zero(r.l_[0] | r.l_[1] | r.l_[2] | r.l_[3] | r.l_[4]);
  }
  // is_negative: the canonical representative is odd (RFC 9496 §3.1).
  [[nodiscard]] Mask is_negative() const { return mask_of(canonical().l_[0] & 1); }

 private:
  static constexpr std::uint64_t kLimb = (std::uint64_t{1} << 51) - 1;
  __extension__ using Wide = unsigned __int128;

  static Wide wide(std::uint64_t a, std::uint64_t b) { return Wide{a} * b; }
  static Field folded(Wide t0, Wide t1, Wide t2, Wide t3, Wide t4) {
    t1 += static_cast<std::uint64_t>(t0 >> 51);
    t2 += static_cast<std::uint64_t>(t1 >> 51);
    t3 += static_cast<std::uint64_t>(t2 >> 51);
    t4 += static_cast<std::uint64_t>(t3 >> 51);
    const std::uint64_t low =
        (static_cast<std::uint64_t>(t0) & kLimb) + 19 * static_cast<std::uint64_t>(t4 >> 51);
    return {low & kLimb, (static_cast<std::uint64_t>(t1) & kLimb) + (low >> 51),
            static_cast<std::uint64_t>(t2) & kLimb, static_cast<std::uint64_t>(t3) & kLimb,
            static_cast<std::uint64_t>(t4) & kLimb};
  }
  std::uint64_t l_[5];
};

inline Field negative(const Field& a) { return Field() - a; }

// a^(2^n)
inline Field squared_times(Field a, unsigned n) {
  for (unsigned i = 0; i < n; ++i) {
    a = a.squared();
  }
  return a;
}

// a^((p − 5)/8) = a^(2^252 − 3)
inline Field power_p58(const Field& a) {
  const Field a2 = a.squared();
  const Field a9 = squared_times(a2, 2) * a;
  const Field a11 = a9 * a2;
  const Field e5 = a11.squared() * a9;  // 2^5 − 1
  const Field e10 = squared_times(e5, 5) * e5;
  const Field e20 = squared_times(e10, 10) * e10;
  const Field e40 = squared_times(e20, 20) * e20;
  const Field e50 = squared_times(e40, 10) * e10;
  const Field e100 = squared_times(e50, 50) * e50;
  const Field e200 = squared_times(e100, 100) * e100;
  const Field e250 = squared_times(e200, 50) * e50;
  return squared_times(e250, 2) * a;
}

// inverse is a^(p − 2), p − 2 = 8·(2^252 − 3) + 3; zero for zero.
inline Field inverse(const Field& a) { return squared_times(power_p58(a), 3) * (a.squared() * a); }

}  // namespace psephos::crypto::ct
