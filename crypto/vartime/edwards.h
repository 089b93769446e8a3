// ristretto255 (RFC 9496) over edwards25519, as formulas over a field of lanes. Variable time:
// public data only. Included by one translation unit per back end, inside an anonymous namespace,
// so that no code compiled for one CPU is ever linked into another's.
#pragma once

#include <cstdint>

#include "crypto/vartime/coordinates.h"
#include "crypto/vartime/field_portable.h"

namespace psephos::crypto::vartime {
namespace {

inline constexpr Limbs kD = {
    {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff}};
inline constexpr Limbs k2D = {
    {0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff}};
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

// In stored form the four coordinates are consecutive.
template <class F>
struct Extended {
  F c[4];  // X, Y, Z, T
  static Extended identity() {
    return {{F::constant(kZero), F::constant(kOne), F::constant(kOne), F::constant(kZero)}};
  }
};

// The addition of Hisil, Wong, Carter, Dawson 2008 for a = −1, complete on this curve.
template <class F>
Extended<F> completed(const F& e, const F& f, const F& g, const F& h) {
  return {{e * f, g * h, f * g, e * h}};
}
// p + q where `minus` is not set, p − q where it is.
template <class F>
Extended<F> add(const Extended<F>& p, const Niels<F>& q, Mask minus) {
  const F a = (p.c[1] - p.c[0]) * F::select(minus, q.y_plus_x, q.y_minus_x);
  const F b = (p.c[1] + p.c[0]) * F::select(minus, q.y_minus_x, q.y_plus_x);
  const F c = p.c[3] * q.xy2d;
  const F d = p.c[2] + p.c[2];
  const F less = d - c;
  const F more = d + c;
  return completed(b - a, F::select(minus, more, less), F::select(minus, less, more), b + a);
}
template <class F>
Extended<F> add(const Extended<F>& p, const Extended<F>& q) {
  const F a = (p.c[1] - p.c[0]) * (q.c[1] - q.c[0]);
  const F b = (p.c[1] + p.c[0]) * (q.c[1] + q.c[0]);
  const F c = p.c[3] * q.c[3] * F::constant(k2D);
  const F zz = p.c[2] * q.c[2];
  const F d = zz + zz;
  return completed(b - a, d - c, d + c, b + a);
}
template <class F>
Extended<F> doubled(const Extended<F>& p) {
  const F a = p.c[0].squared();
  const F b = p.c[1].squared();
  const F zz = p.c[2].squared();
  const F h = a + b;
  const F e = h - (p.c[0] + p.c[1]).squared();
  const F g = a - b;
  const F f = zz + zz + g;
  return completed(e, f, g, h);
}

inline Extended<PortableField> load_extended(const ExtendedPoint& p) {
  return {{PortableField::constant(p.X), PortableField::constant(p.Y), PortableField::constant(p.Z),
           PortableField::constant(p.T)}};
}
inline void store_extended(const Extended<PortableField>& p, ExtendedPoint& out) {
  std::uint64_t* const place = out.X.l;
  PortableField::store<4>(&place, p.c);
}

// ristretto_encode: RFC 9496 §4.3.2.
inline void ristretto_encode(const Extended<PortableField>& p, std::uint8_t* out) {
  using F = PortableField;
  const auto& [x, y, z, t] = p.c;
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
  return p.c[0].is_zero() != 0 || p.c[1].is_zero() != 0;
}

}  // namespace
}  // namespace psephos::crypto::vartime
