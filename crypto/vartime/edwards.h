// ristretto255 (RFC 9496) over edwards25519, as formulas over a field of lanes. Variable time:
// public data only. Included by one translation unit per back end, inside an anonymous namespace,
// so that no code compiled for one CPU is ever linked into another's.
#pragma once

#include <cstdint>

#include "crypto/vartime/coordinates.h"
#include "crypto/vartime/field_portable.h"
#include "crypto/vartime/lanes.h"

namespace psephos::crypto::vartime {
namespace {

inline constexpr Limbs kD = {
    {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff}};
inline constexpr Limbs k2D = {
    {0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff}};
inline constexpr Limbs kInverse2D = {
    {0x0793b66e4fc18, 0x184279542e25e, 0x3739ecc16bbad, 0x390cac5884533, 0x60483f690a6ae}};
inline constexpr Limbs kSqrtMinusOne = {
    {0x61b274a0ea0b0, 0x0d5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e, 0x2b8324804fc1d}};

inline constexpr Limbs kInverseSqrtAMinusD = {
    {0x0fdaa805d40ea, 0x2eb482e57d339, 0x007610274bc58, 0x6510b613dc8ff, 0x786c8905cfaff}};

template <class F>
F negative(const F& a) {
  return F::constant(kZero) - a;
}
template <class F>
F absolute(const F& a) {
  return F::select(a.is_negative(), negative(a), a);
}
template <class F>
F squared_times(F a, unsigned times) {
  for (unsigned i = 0; i < times; ++i) {
    a = a.squared();
  }
  return a;
}

// a^((p − 5)/8) = a^(2^252 − 3)
template <class F>
F power_p58(const F& a) {
  const F a2 = a.squared();
  const F a9 = squared_times(a2, 2) * a;
  const F a11 = a9 * a2;
  const F e5 = a11.squared() * a9;  // 2^5 − 1
  const F e10 = squared_times(e5, 5) * e5;
  const F e20 = squared_times(e10, 10) * e10;
  const F e40 = squared_times(e20, 20) * e20;
  const F e50 = squared_times(e40, 10) * e10;
  const F e100 = squared_times(e50, 50) * e50;
  const F e200 = squared_times(e100, 100) * e100;
  const F e250 = squared_times(e200, 50) * e50;
  return squared_times(e250, 2) * a;
}

// inverse_sqrt: r = |1/√a| and whether a is a square; RFC 9496 §4.2, SQRT_RATIO_M1(1, a).
template <class F>
struct InverseSqrt {
  F root;
  Mask is_square;
};
template <class F>
InverseSqrt<F> inverse_sqrt(const F& a) {
  const F a3 = a.squared() * a;
  const F root = a3 * power_p58(a3.squared() * a);
  const F check = a * root.squared();
  const F one = F::constant(kOne);
  const F i = F::constant(kSqrtMinusOne);
  const Mask correct = (check - one).is_zero();
  const Mask flipped = (check + one).is_zero();
  const Mask flipped_i = (check + i).is_zero();
  const Mask is_flipped = flipped | flipped_i;
  return {absolute(F::select(is_flipped, i * root, root)), correct | flipped};
}

// ristretto_decode: RFC 9496 §4.3.1 after the canonical s has been read. Lanes where `valid` is not
// set hold no point.
template <class F>
struct Decoded {
  F x, y;
  Mask valid;
};
template <class F>
Decoded<F> ristretto_decode(const F& s) {
  const F one = F::constant(kOne);
  const F ss = s.squared();
  const F u1 = one - ss;
  const F u2 = one + ss;
  const F u2_squared = u2.squared();
  const F v = negative(F::constant(kD) * u1.squared()) - u2_squared;
  const InverseSqrt<F> inverse = inverse_sqrt(v * u2_squared);
  const F den_x = inverse.root * u2;
  const F den_y = inverse.root * den_x * v;
  const F x = absolute((s + s) * den_x);
  const F y = u1 * den_y;
  const Mask bad = (x * y).is_negative() | y.is_zero();
  return {x, y, inverse.is_square & ~bad};
}

template <class F>
struct Niels {
  F y_plus_x, y_minus_x, xy2d;
};
template <class F>
Niels<F> to_niels(const F& x, const F& y) {
  return {y + x, y - x, x * y * F::constant(k2D)};
}

// Extended coordinates; y − x and y + x stand for x and y, because the formulas want these, and can
// take them before carries. z is not carried, because it mostly is doubled and added first.
template <class F>
struct Extended {
  F y_minus_x, y_plus_x;
  typename F::Wide z;
  F t;
  static Extended identity() {
    const F one = F::constant(kOne);
    return {one, one, typename F::Wide(one), F::constant(kZero)};
  }
};
// In stored form the four coordinates are consecutive.
template <class F>
PSEPHOS_LANES Extended<F> load_points(const std::uint64_t* const* lanes) {
  F c[4];
  F::template load<4>(lanes, c);
  return {c[0], c[1], typename F::Wide(c[2]), c[3]};
}
template <class F>
PSEPHOS_LANES void store_points(const Extended<F>& p, std::uint64_t* const* lanes) {
  const F c[4] = {p.y_minus_x, p.y_plus_x, p.z.reduced(), p.t};
  F::template store<4>(lanes, c);
}

// −q where `minus` is set.
template <class F>
PSEPHOS_LANES Niels<F> negative_where(Mask minus, const Niels<F>& q) {
  return {F::select(minus, q.y_minus_x, q.y_plus_x), F::select(minus, q.y_plus_x, q.y_minus_x),
          F::negative_where(minus, q.xy2d)};
}
template <class F>
PSEPHOS_LANES Extended<F> negative_where(Mask minus, const Extended<F>& q) {
  return {F::select(minus, q.y_plus_x, q.y_minus_x), F::select(minus, q.y_minus_x, q.y_plus_x), q.z,
          F::negative_where(minus, q.t)};
}
template <class F>
PSEPHOS_LANES Extended<F> to_extended(const Niels<F>& q) {
  return {q.y_minus_x, q.y_plus_x, typename F::Wide(F::constant(kOne)),
          q.xy2d * F::constant(kInverse2D)};
}

// The addition of Hisil, Wong, Carter, Dawson 2008 for a = −1, complete on this curve: X = e·f,
// Y = g·h, Z = f·g, T = e·h. f may have the largest limbs and goes first.
template <class F>
PSEPHOS_LANES Extended<F> completed(const F& e, const F& f, const F& g, const F& h) {
  const typename F::Wide x = F::product(f, e);
  const typename F::Wide y = F::product(g, h);
  return {(y - x).reduced(), (y + x).reduced(), F::product(f, g), e * h};
}
// a = (Y₁ − X₁)·(Y₂ − X₂), b = (Y₁ + X₁)·(Y₂ + X₂), c = 2d·T₁·T₂, zz = Z₁·Z₂
template <class F, class Wide>
PSEPHOS_LANES Extended<F> added(const Wide& a, const Wide& b, const Wide& c, const Wide& zz) {
  const Wide d = zz + zz;
  return completed<F>((b - a).reduced(), (d - c).reduced(), (d + c).reduced(), (b + a).reduced());
}
template <class F>
PSEPHOS_LANES Extended<F> add(const Extended<F>& p, const Niels<F>& q) {
  return added<F>(F::product(p.y_minus_x, q.y_minus_x), F::product(p.y_plus_x, q.y_plus_x),
                  F::product(p.t, q.xy2d), p.z);
}
template <class F>
PSEPHOS_LANES Extended<F> add(const Extended<F>& p, const Extended<F>& q) {
  return added<F>(F::product(p.y_minus_x, q.y_minus_x), F::product(p.y_plus_x, q.y_plus_x),
                  F::product(p.t * q.t, F::constant(k2D)),
                  F::product(p.z.reduced(), q.z.reduced()));
}
// The doubling of the same paper, all of e, f, g, h times 2 and e, g negated: with squares of Y ± X
// e = 4·X·Y, h = 2·(X² + Y²), g = 2·(Y² − X²), f = 4·Z² − g.
template <class F>
Extended<F> doubled(const Extended<F>& p) {
  const typename F::Wide minus = F::square(p.y_minus_x);
  const typename F::Wide plus = F::square(p.y_plus_x);
  const typename F::Wide half_g = F::product(p.y_plus_x, p.y_minus_x);
  const typename F::Wide zz = F::square(p.z.reduced());
  const F half_f = (zz + zz - half_g).reduced();
  return completed<F>((plus - minus).reduced(), half_f + half_f, (half_g + half_g).reduced(),
                      (plus + minus).reduced());
}

inline Extended<PortableField> load_extended(const ExtendedPoint& p) {
  const std::uint64_t* const place = p.y_minus_x.l;
  return load_points<PortableField>(&place);
}
inline void store_extended(const Extended<PortableField>& p, ExtendedPoint& out) {
  std::uint64_t* const place = out.y_minus_x.l;
  store_points(p, &place);
}

// ristretto_encode: RFC 9496 §4.3.2.
inline void ristretto_encode(const Extended<PortableField>& p, std::uint8_t* out) {
  using F = PortableField;
  // The coordinates times 2.
  const F x = p.y_plus_x - p.y_minus_x;
  const F y = p.y_plus_x + p.y_minus_x;
  const F z = p.z.reduced() + p.z.reduced();
  const F t = p.t + p.t;
  const F u1 = (z + y) * (z - y);
  const F u2 = x * y;
  const F inverse = inverse_sqrt(u1 * u2.squared()).root;
  const F den1 = inverse * u1;
  const F den2 = inverse * u2;
  const F z_inverse = den1 * den2 * t;
  const F i = F::constant(kSqrtMinusOne);
  const Mask rotate = (t * z_inverse).is_negative();
  const F x1 = F::select(rotate, y * i, x);
  const F y1 = F::select(rotate, x * i, y);
  const F den = F::select(rotate, den1 * F::constant(kInverseSqrtAMinusD), den2);
  const F y2 = F::select((x1 * z_inverse).is_negative(), negative(y1), y1);
  const F s = absolute(den * (z - y2)).canonical();
  Limbs limbs;
  std::uint64_t* const place = limbs.l;
  F::store<1>(&place, &s);
  const std::uint64_t words[4] = {
      limbs.l[0] | limbs.l[1] << 51, limbs.l[1] >> 13 | limbs.l[2] << 38,
      limbs.l[2] >> 26 | limbs.l[3] << 25, limbs.l[3] >> 39 | limbs.l[4] << 12};
  for (unsigned k = 0; k < 32; ++k) {
    out[k] = static_cast<std::uint8_t>(words[k / 8] >> (8 * (k % 8)));
  }
}

// is_identity of the group ristretto255, whose identity is the coset of the four points with x·y =
// 0.
inline bool is_identity(const Extended<PortableField>& p) {
  return (p.y_plus_x - p.y_minus_x).is_zero() != 0 || (p.y_plus_x + p.y_minus_x).is_zero() != 0;
}

}  // namespace
}  // namespace psephos::crypto::vartime
