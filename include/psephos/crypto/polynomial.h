// A secret polynomial over the scalars: Shamir's sharing, secret half. See lagrange.h.
#pragma once

#include <cstdint>
#include <vector>

#include "psephos/crypto/lagrange.h"
#include "psephos/crypto/secret_scalar.h"

namespace psephos::crypto {

// SecretPolynomial has `threshold` coefficients a_0 … a_{t−1}; a_0 is the secret.
class SecretPolynomial {
 public:
  static SecretPolynomial random(std::uint32_t threshold, Random& random);
  explicit SecretPolynomial(std::vector<SecretScalar> coefficients);

  [[nodiscard]] const std::vector<SecretScalar>& coefficients() const { return coefficients_; }
  // share is f(index); index ≥ 1.
  [[nodiscard]] SecretScalar share(std::uint32_t index) const;
  // commitments are a_k·G.
  [[nodiscard]] std::vector<Point> commitments() const;

 private:
  std::vector<SecretScalar> coefficients_;
};

}  // namespace psephos::crypto
