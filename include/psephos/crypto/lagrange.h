// Threshold arithmetic on public values: Feldman's commitments to a polynomial and Lagrange
// interpolation at zero (Shamir 1979; Feldman 1987; RFC 9591 §4.2). Spec: docs/spec.md §5.2.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "psephos/crypto/point.h"
#include "psephos/crypto/scalar.h"
#include "psephos/error.h"

namespace psephos::crypto {

// evaluate_commitments returns Σ_k index^k·F_k: the public point of the share at index.
[[nodiscard]] Point evaluate_commitments(std::span<const Point> commitments, std::uint32_t index);

// lagrange_at_zero returns λ_j = Π_{i≠j} x_i / (x_i − x_j) for each index, in the order given.
// Errc::misuse if the set is empty, has a zero or has a duplicate.
[[nodiscard]] Result<std::vector<Scalar>> lagrange_at_zero(std::span<const std::uint32_t> indices);

}  // namespace psephos::crypto
