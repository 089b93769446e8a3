// Points of edwards25519 for secrets, and ristretto255 (RFC 9496) at both ends: constant time in
// every coordinate. docs/side-channels.md argues it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "psephos/secret.h"

#include "crypto/ct/field.h"

namespace psephos::crypto::ct {

inline constexpr Field kD = {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb,
                             0x52036cee2b6ff};
inline constexpr Field k2D = {0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977,
                              0x2406d9dc56dff};
inline constexpr Field kSqrtMinusOne = {0x61b274a0ea0b0, 0x0d5a5fc8f189d, 0x7ef5e9cbd0c60,
                                        0x78595a6804c9e, 0x2b8324804fc1d};
inline constexpr Field kInverseSqrtAMinusD = {0x0fdaa805d40ea, 0x2eb482e57d339, 0x007610274bc58,
                                              0x6510b613dc8ff, 0x786c8905cfaff};

// x = X/Z, y = Y/Z, x·y = T/Z on −x² + y² = 1 + d·x²·y². The coordinates are products.
struct Extended {
  Field X, Y, Z, T;
  static Extended identity() { return {Field(), Field::one(), Field::one(), Field()}; }
};

// An affine point as additions want it: y + x, y − x, 2d·x·y, each canonical.
struct Niels {
  Field y_plus_x, y_minus_x, xy2d;
};

// The addition of Hisil, Wong, Carter, Dawson 2008 for a = −1, complete on this curve: no pair of
// points is an exception.
inline Extended completed(const Field& e, const Field& f, const Field& g, const Field& h) {
  return {e * f, g * h, f * g, e * h};
}
inline Extended operator+(const Extended& p, const Niels& q) {
  const Field a = (p.Y - p.X) * q.y_minus_x;
  const Field b = (p.Y + p.X) * q.y_plus_x;
  const Field c = p.T * q.xy2d;
  const Field d = p.Z + p.Z;
  return completed(b - a, d - c, d + c, b + a);
}
inline Extended operator+(const Extended& p, const Extended& q) {
  const Field a = (p.Y - p.X) * (q.Y - q.X);
  const Field b = (p.Y + p.X) * (q.Y + q.X);
  const Field c = p.T * q.T * k2D;
  const Field zz = p.Z * q.Z;
  const Field d = zz + zz;
  return completed(b - a, d - c, d + c, b + a);
}

// inverses inverts every element at the price of one inversion (Montgomery 1987); zero stays zero
// and spoils nothing.
inline void inverses(std::span<Field> elements) {
  std::vector<Field> before;  // the product of those before, zeros left out
  before.reserve(elements.size());
  Field product = Field::one();
  for (const Field& a : elements) {
    before.push_back(product);
    product = Field::select(a.is_zero(), product, product * a);
  }
  Field rest = inverse(product);
  for (std::size_t i = elements.size(); i-- > 0;) {
    const Mask zero = elements[i].is_zero();
    const Field next = Field::select(zero, rest, rest * elements[i]);
    elements[i] = Field::select(zero, Field(), rest * before[i]);
    rest = next;
  }
  wipe({reinterpret_cast<std::uint8_t*>(before.data()), before.size() * sizeof(Field)});
}

// decode takes the encoding of an element (RFC 9496 §4.3.1); that it is one has been checked.
inline Extended decode(std::span<const std::uint8_t, 32> encoding) {
  const Field s = Field::from_bytes(encoding);
  const Field ss = s.squared();
  const Field u1 = Field::one() - ss;
  const Field u2 = Field::one() + ss;
  const Field u2_squared = u2.squared();
  const Field v = negative(kD * u1.squared()) - u2_squared;
  // root = ±1/√w for a square w (RFC 9496 §4.2): w³·(w⁷)^((p−5)/8), perhaps times √−1. Its sign
  // does not matter: x is made nonnegative, and y has it squared.
  const Field w = v * u2_squared;
  const Field w3 = w.squared() * w;
  Field root = w3 * power_p58(w3.squared() * w);
  root = Field::select((w * root.squared() + Field::one()).is_zero(), root * kSqrtMinusOne, root);
  const Field den_x = root * u2;
  const Field x_signed = (s + s) * den_x;
  const Field x = Field::select(x_signed.is_negative(), negative(x_signed), x_signed).carried();
  const Field y = u1 * (root * den_x * v);
  return {x, y, Field::one(), x * y};
}

// encode_doubled returns the encodings (RFC 9496 §4.3.2) of 2·P for each point P. Doubling makes
// the inverse square root of the encoding an inversion, of which many share one (Hamburg 2015,
// “Decaf”; the formulas are those of curve25519-dalek's double_and_compress_batch).
inline std::vector<std::array<std::uint8_t, 32>> encode_doubled(std::span<const Extended> points) {
  struct Doubling {
    Field e, f, g, h, eg, fh;
  };
  std::vector<Doubling> doublings;
  std::vector<Field> inverted;  // 1/(e·f·g·h)
  doublings.reserve(points.size());
  inverted.reserve(points.size());
  for (const Extended& p : points) {
    const Field zz = p.Z.squared();
    const Field dtt = kD * p.T.squared();
    const Field e = p.X * (p.Y + p.Y);
    const Field f = zz + dtt;
    const Field g = p.Y.squared() + p.X.squared();
    const Field h = zz - dtt;
    doublings.push_back({e, f, g, h, e * g, f * h});
    inverted.push_back(doublings.back().eg * doublings.back().fh);
  }
  inverses(inverted);

  std::vector<std::array<std::uint8_t, 32>> encodings(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Doubling& p = doublings[i];
    const Field z_inverse = p.eg * inverted[i];
    const Field t_inverse = p.fh * inverted[i];
    const Mask rotate = (p.eg * z_inverse).is_negative();
    const Field e = Field::select(rotate, p.g, p.e);
    const Field g = Field::select(rotate, negative(p.e), p.g);
    const Field h = Field::select(rotate, p.f * kSqrtMinusOne, p.h);
    const Field magic = Field::select(rotate, kSqrtMinusOne, kInverseSqrtAMinusD);
    const Field turned = Field::select((h * e * z_inverse).is_negative(), negative(g), g);
    const Field s = (h - turned).carried() * (magic * (turned * t_inverse));
    Field::select(s.is_negative(), negative(s), s).to_bytes(encodings[i]);
  }
  wipe({reinterpret_cast<std::uint8_t*>(doublings.data()), doublings.size() * sizeof(Doubling)});
  wipe({reinterpret_cast<std::uint8_t*>(inverted.data()), inverted.size() * sizeof(Field)});
  return encodings;
}

}  // namespace psephos::crypto::ct
