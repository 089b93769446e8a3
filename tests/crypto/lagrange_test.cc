#include "psephos/crypto/lagrange.h"

#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"
#include "tests/support/vectors.h"

namespace psephos::crypto {
namespace {

using test::Field;

TEST(Lagrange, Vectors) {
  PSEPHOS_LOAD_VECTORS(vectors, "threshold_ristretto255.json", "lagrange");
  for (const Field& item : vectors.array()) {
    std::vector<std::uint32_t> set;
    for (const Field& index : item["set"].array()) {
      set.push_back(static_cast<std::uint32_t>(index.u64()));
    }
    const std::vector<Scalar> lambda = lagrange_at_zero(set).value();
    ASSERT_EQ(lambda.size(), set.size());
    for (std::size_t i = 0; i < set.size(); ++i) {
      EXPECT_EQ(lambda[i], scalar(item["lambda_"][std::to_string(set[i])].hex()));
    }
  }
}

TEST(Lagrange, BadSetsAreRefused) {
  const std::vector<std::vector<std::uint32_t>> bad = {{},     {0},       {0, 1},      {1, 0},
                                                       {1, 1}, {1, 2, 1}, {7, 5, 3, 5}};
  for (const auto& set : bad) {
    const auto lambda = lagrange_at_zero(set);
    ASSERT_FALSE(lambda.has_value());
    EXPECT_EQ(lambda.error().code, Errc::misuse);
  }
}

TEST(Lagrange, CoefficientsAddUpToOneInAnyOrder) {
  // They interpolate the constant polynomial 1.
  test::SeededRandom random;
  for (std::size_t i = 0; i < test::iterations(20); ++i) {
    std::vector<std::uint32_t> set;
    for (std::uint32_t x = random_between(random, 1, 5); set.size() < 5;
         x += random_between(random, 1, 1U << 29)) {
      set.insert(set.begin() + static_cast<std::ptrdiff_t>(random.below(set.size() + 1)), x);
    }
    const std::vector<Scalar> coefficients = lagrange_at_zero(set).value();
    Scalar sum;
    for (const Scalar& lambda : coefficients) {
      sum = sum + lambda;
    }
    EXPECT_EQ(sum, Scalar::one());
  }
  EXPECT_EQ(lagrange_at_zero(std::vector<std::uint32_t>{0xffffffff}).value(),
            std::vector<Scalar>{Scalar::one()});
}

TEST(Lagrange, CommitmentsAreEvaluatedAsPolynomials) {
  test::SeededRandom random;
  EXPECT_TRUE(evaluate_commitments({}, 5).is_identity());
  const std::vector<Point> f = {random_point(random), random_point(random), random_point(random)};
  EXPECT_EQ(evaluate_commitments(f, 0), f[0]);
  EXPECT_EQ(evaluate_commitments(f, 1), f[0] + f[1] + f[2]);
  const Scalar x = Scalar::from_u64(0xffffffff);
  EXPECT_EQ(evaluate_commitments(f, 0xffffffff), f[0] + x * f[1] + x * x * f[2]);
}

}  // namespace
}  // namespace psephos::crypto
