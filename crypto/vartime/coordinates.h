// Coordinates of public points, as all back ends exchange them.
#pragma once

#include <cstdint>

namespace psephos::crypto::vartime {

// An element of GF(2^255 − 19): Σ l[i]·2^(51·i). Loose: each limb below 2^52; canonical: the
// representative below p, limbs below 2^51.
struct Limbs {
  std::uint64_t l[5];
};

struct AffinePoint {
  Limbs x, y;
};
// The ten limbs of an affine point, wherever they are.
using Coordinates = const std::uint64_t*;

// x = X/Z, y = Y/Z, x·y = T/Z on −x² + y² = 1 + d·x²·y². The first two are Y − X and Y + X, with
// limbs below 2^53.
struct ExtendedPoint {
  Limbs y_minus_x, y_plus_x, z, t;
};

// One bit for each lane.
using Mask = std::uint32_t;

constexpr Limbs kZero = {{0, 0, 0, 0, 0}};
constexpr Limbs kOne = {{1, 0, 0, 0, 0}};

}  // namespace psephos::crypto::vartime
