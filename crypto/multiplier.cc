#include "psephos/crypto/multiplier.h"

#include "crypto/secret_point.h"

namespace psephos::crypto {

std::vector<Point> SodiumMultiplier::sums(const Bases& bases,
                                          std::span<const SecretSum> sums) const {
  const std::span<const Point> points = bases.points();
  std::vector<Point> results;
  results.reserve(sums.size());
  for (const SecretSum& sum : sums) {
    SecretPoint total;
    bool first = true;
    for (const auto& [base, scalar] : sum.products) {
      PSEPHOS_CHECK(base < points.size());
      SecretPoint product = base == Bases::kG ? SecretPoint::product_base(*scalar)
                                              : SecretPoint::product(*scalar, points[base]);
      if (first) {
        total = std::move(product);
        first = false;
      } else {
        total.add(product);
      }
    }
    for (const auto& [base, weight, bit] : sum.choices) {
      PSEPHOS_CHECK(base < points.size());
      total.add_selected(*bit,
                         weight == 1 ? points[base] : Scalar::from_u64(weight) * points[base]);
    }
    results.push_back(total.declassify());
  }
  return results;
}

}  // namespace psephos::crypto
