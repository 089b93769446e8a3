#include "psephos/crypto/relation.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"

namespace psephos::crypto {
namespace {

const IndividualEvaluator evaluator;

Scalar any_scalar(Random& random) {
  switch (random.below(5)) {
    case 0:
      return Scalar();
    case 1:
      return Scalar::one();
    case 2:
      return -Scalar::one();
    default:
      return random_scalar(random);
  }
}

Point direct_sum(std::span<const Point> bases, const LinearRelation& relation) {
  Point sum;
  for (const auto& [base, scalar] : relation.shared) {
    sum = sum + scalar * bases[base];
  }
  for (const auto& [scalar, point] : relation.own) {
    sum = sum + scalar * point;
  }
  return sum;
}

// A relation of random terms; its last term makes the sum the identity.
LinearRelation true_relation(std::span<const Point> bases, Random& random) {
  LinearRelation relation;
  for (std::uint64_t i = random.below(5); i > 0; --i) {
    relation.shared.push_back({random_between(random, 0, bases.size() - 1), any_scalar(random)});
  }
  for (std::uint64_t i = random.below(5); i > 0; --i) {
    relation.own.push_back({any_scalar(random), random_point(random)});
  }
  relation.own.push_back({-Scalar::one(), direct_sum(bases, relation)});
  return relation;
}

TEST(Evaluator, AgreesWithDirectSums) {
  test::SeededRandom random;
  const Bases bases(random_point(random), 4);
  for (std::size_t i = 0; i < test::iterations(60); ++i) {
    LinearRelation relation = true_relation(bases.points(), random);
    EXPECT_TRUE(evaluator.failing(bases.points(), {&relation, 1}).empty());
    relation.own.front().scalar = any_scalar(random);
    const bool holds = direct_sum(bases.points(), relation).is_identity();
    EXPECT_EQ(evaluator.failing(bases.points(), {&relation, 1}).empty(), holds);
  }
}

TEST(Evaluator, NamesEachFailingRelationInOrder) {
  test::SeededRandom random;
  const Bases bases(random_point(random), 2);
  for (std::size_t i = 0; i < test::iterations(5); ++i) {
    std::vector<LinearRelation> relations;
    std::vector<std::size_t> expected;
    for (std::size_t r = 0; r < 8; ++r) {
      relations.push_back(true_relation(bases.points(), random));
      if (random.below(3) == 0) {
        relations.back().own.push_back({random_scalar(random), Point::base()});
        expected.push_back(r);
      }
    }
    EXPECT_EQ(evaluator.failing(bases.points(), relations), expected);
  }
  EXPECT_TRUE(evaluator.failing(bases.points(), {}).empty());
}

TEST(Evaluator, EmptyRelationDoesNotHold) { EXPECT_FALSE(evaluator.holds(LinearRelation{})); }

TEST(Evaluator, MissingBaseDoesNotHold) {
  // The missing base has a zero scalar, so that only its absence can be at fault.
  LinearRelation relation;
  relation.own = {{Scalar(), Point::base()}};
  EXPECT_TRUE(evaluator.holds(relation));
  relation.shared = {{Bases::kG, Scalar()}};
  EXPECT_FALSE(evaluator.holds(relation));
  const Bases bases(Point::base(), 1);
  relation.shared = {{Bases::g(0), Scalar()}};
  EXPECT_TRUE(evaluator.failing(bases.points(), {&relation, 1}).empty());
  relation.shared = {{Bases::g(1), Scalar()}};
  EXPECT_EQ(evaluator.failing(bases.points(), {&relation, 1}), std::vector<std::size_t>{0});
}

TEST(Evaluator, CheapScalarsCountLikeOthers) {
  const Scalar one = Scalar::one();
  LinearRelation relation;
  relation.own = {{one, Point::base()}, {-one, Point::base()}, {Scalar(), generator(1)}};
  EXPECT_TRUE(evaluator.holds(relation));
  relation.own.push_back({one, generator(1)});
  EXPECT_FALSE(evaluator.holds(relation));
  relation.own.push_back({-one, generator(1)});
  EXPECT_TRUE(evaluator.holds(relation));
  relation.own.push_back({-one, generator(1)});
  EXPECT_FALSE(evaluator.holds(relation));
}

TEST(Bases, StandInTheirPlaces) {
  const Point key = generator(77);
  const Bases bases(key, 3);
  ASSERT_EQ(bases.points().size(), 6U);
  EXPECT_EQ(bases.points()[Bases::kG], Point::base());
  EXPECT_EQ(bases.points()[Bases::kK], key);
  EXPECT_EQ(bases.points()[Bases::kH], generator(0));
  for (std::uint32_t k = 0; k < 3; ++k) {
    EXPECT_EQ(bases.points()[Bases::g(k)], generator(k + 1));
  }
}

}  // namespace
}  // namespace psephos::crypto
