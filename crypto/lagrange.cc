#include "psephos/crypto/lagrange.h"

#include <string>

namespace psephos::crypto {

Point evaluate_commitments(std::span<const Point> commitments, std::uint32_t index) {
  const Scalar at = Scalar::from_u64(index);
  Point sum;
  for (std::size_t k = commitments.size(); k-- > 0;) {
    sum = at * sum + commitments[k];
  }
  return sum;
}

Result<std::vector<Scalar>> lagrange_at_zero(std::span<const std::uint32_t> indices) {
  if (indices.empty()) {
    return fail(Errc::misuse, "interpolation needs at least one index");
  }
  std::vector<Scalar> coefficients;
  coefficients.reserve(indices.size());
  for (const std::uint32_t own : indices) {
    if (own == 0) {
      return fail(Errc::misuse, "index 0 is the secret's own, no share has it");
    }
    Scalar numerator = Scalar::one();
    Scalar denominator = Scalar::one();
    std::size_t seen = 0;
    for (const std::uint32_t other : indices) {
      if (other == own) {
        ++seen;
        continue;
      }
      numerator = numerator * Scalar::from_u64(other);
      denominator = denominator * (Scalar::from_u64(other) - Scalar::from_u64(own));
    }
    if (seen != 1) {
      return fail(Errc::misuse, "index " + std::to_string(own) + " occurs twice");
    }
    coefficients.push_back(numerator * denominator.inverse());
  }
  return coefficients;
}

}  // namespace psephos::crypto
