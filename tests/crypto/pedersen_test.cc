#include "psephos/crypto/pedersen.h"

#include <gtest/gtest.h>

#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"

namespace psephos::crypto {
namespace {

TEST(Pedersen, CommitIsTheSumOfItsDefinition) {
  test::SeededRandom random;
  const Bases bases(generator(99), 4);
  for (std::size_t size = 0; size <= 4; ++size) {
    const Scalar r = random_scalar(random);
    Point expected = r * generator(0);
    std::vector<SecretScalar> u;
    for (std::uint32_t k = 0; k < size; ++k) {
      const Scalar value = k == 2 ? Scalar() : random_scalar(random);
      expected = expected + value * generator(k + 1);
      u.push_back(SecretScalar::from_public(value));
    }
    EXPECT_EQ(commit(bases, u, SecretScalar::from_public(r)), expected) << size;
  }
}

TEST(Pedersen, CommitBitsAgreesWithCommit) {
  test::SeededRandom random;
  const Bases bases(generator(99), 4);
  const SecretScalar r = SecretScalar::random(random);
  for (unsigned pattern = 0; pattern < 16; ++pattern) {
    Bytes bits;
    std::vector<SecretScalar> u;
    for (unsigned k = 0; k < 4; ++k) {
      bits.push_back(static_cast<std::uint8_t>(pattern >> k & 1));
      u.push_back(SecretScalar::from_u64(bits.back()));
    }
    EXPECT_EQ(commit_bits(bases, bits, r), commit(bases, u, r)) << pattern;
  }
  EXPECT_EQ(commit_bits(bases, {}, r), multiply(r, generator(0)));
  EXPECT_EQ(commit_bits(bases, Bytes{1}, SecretScalar()), generator(1));
  EXPECT_TRUE(commit_bits(bases, Bytes{0, 0}, SecretScalar()).is_identity());
}

TEST(Pedersen, OpeningIsALinearRelation) {
  test::SeededRandom random;
  const Bases bases(generator(99), 1);
  const IndividualEvaluator evaluator;
  const Scalar u = random_scalar(random);
  const Scalar r = random_scalar(random);
  std::vector<SecretScalar> secret_u;
  secret_u.push_back(SecretScalar::from_public(u));
  LinearRelation opening;
  opening.own = {{-Scalar::one(), commit(bases, secret_u, SecretScalar::from_public(r))}};
  opening.shared = {{Bases::g(0), u}, {Bases::kH, r}};
  EXPECT_TRUE(evaluator.failing(bases.points(), {&opening, 1}).empty());
  opening.shared[0].scalar = u + Scalar::one();
  EXPECT_FALSE(evaluator.failing(bases.points(), {&opening, 1}).empty());
}

TEST(PedersenDeathTest, MoreCoordinatesThanGeneratorsAbort) {
  const Bases bases(generator(99), 1);
  EXPECT_DEATH((void)commit_bits(bases, Bytes{0, 1}, SecretScalar()), "broken invariant");
  const std::vector<SecretScalar> u(2);
  EXPECT_DEATH((void)commit(bases, u, SecretScalar()), "broken invariant");
}

}  // namespace
}  // namespace psephos::crypto
