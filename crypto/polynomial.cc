#include "psephos/crypto/polynomial.h"

namespace psephos::crypto {

SecretPolynomial SecretPolynomial::random(std::uint32_t threshold, Random& random) {
  std::vector<SecretScalar> coefficients;
  coefficients.reserve(threshold);
  for (std::uint32_t k = 0; k < threshold; ++k) {
    coefficients.push_back(SecretScalar::random(random));
  }
  return SecretPolynomial(std::move(coefficients));
}

SecretPolynomial::SecretPolynomial(std::vector<SecretScalar> coefficients)
    : coefficients_(std::move(coefficients)) {
  PSEPHOS_CHECK(!coefficients_.empty());
}

SecretScalar SecretPolynomial::share(std::uint32_t index) const {
  PSEPHOS_CHECK(index >= 1);  // f(0) is the secret itself
  const Scalar at = Scalar::from_u64(index);
  SecretScalar value;
  for (std::size_t k = coefficients_.size(); k-- > 0;) {
    value = at * value + coefficients_[k];
  }
  return value;
}

std::vector<Point> SecretPolynomial::commitments() const {
  std::vector<Point> points;
  points.reserve(coefficients_.size());
  for (const SecretScalar& coefficient : coefficients_) {
    points.push_back(multiply_base(coefficient));
  }
  return points;
}

}  // namespace psephos::crypto
