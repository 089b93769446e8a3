#include "psephos/crypto/relation.h"

#include <algorithm>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "psephos/crypto/batch_evaluator.h"

#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"

namespace psephos::crypto {
namespace {

struct Kind {
  std::string name;
  std::shared_ptr<const Evaluator> evaluator;
};

// Every evaluator that this CPU can run.
std::vector<Kind> kinds() {
  static SystemRandom random;
  std::vector<Kind> result = {{"individually", std::make_shared<const IndividualEvaluator>()}};
  for (const CurveBackend backend : kCurveBackends) {
    if (is_supported(backend)) {
      result.push_back(
          {std::string(name(backend)), std::make_shared<const BatchEvaluator>(random, backend)});
    }
  }
  return result;
}

class AnyEvaluator : public testing::TestWithParam<Kind> {
 protected:
  const Evaluator& evaluator = *GetParam().evaluator;
};

INSTANTIATE_TEST_SUITE_P(All, AnyEvaluator, testing::ValuesIn(kinds()),
                         [](const auto& kind) { return kind.param.name; });

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

TEST_P(AnyEvaluator, AgreesWithDirectSums) {
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

TEST_P(AnyEvaluator, NamesEachFailingRelationInOrder) {
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

TEST_P(AnyEvaluator, EmptyRelationDoesNotHold) { EXPECT_FALSE(evaluator.holds(LinearRelation{})); }

TEST_P(AnyEvaluator, MissingBaseDoesNotHold) {
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

TEST_P(AnyEvaluator, CheapScalarsCountLikeOthers) {
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

TEST_P(AnyEvaluator, FindsEveryFailureAmongMany) {
  test::SeededRandom random;
  const Bases bases(random_point(random), 3);
  std::vector<LinearRelation> pool;
  for (std::size_t i = 0; i < 12; ++i) {
    pool.push_back(true_relation(bases.points(), random));
  }
  for (const std::uint64_t one_in : {1U, 2U, 10U, 60U}) {
    std::vector<LinearRelation> relations;
    std::vector<std::size_t> expected;
    for (std::size_t r = 0; r < 60; ++r) {
      relations.push_back(pool[random.below(pool.size())]);
      if (random.below(one_in) == 0) {
        relations.back().shared.push_back({Bases::kK, random_scalar(random)});
        expected.push_back(r);
      }
    }
    EXPECT_EQ(evaluator.failing(bases.points(), relations), expected);
  }
}

// Errors that cancel if all relations weigh the same.
TEST_P(AnyEvaluator, ErrorsDoNotCancel) {
  test::SeededRandom random;
  const Point error = random_point(random);
  LinearRelation plus;
  plus.own = {{Scalar::one(), error}};
  LinearRelation minus;
  minus.own = {{-Scalar::one(), error}};
  LinearRelation good;
  good.own = {{Scalar::one(), error}, {-Scalar::one(), error}};
  EXPECT_EQ(evaluator.failing({}, std::vector{plus, good, minus}),
            (std::vector<std::size_t>{0, 2}));
}

TEST_P(AnyEvaluator, JudgesEncodings) {
  test::SeededRandom random;
  for (std::size_t round = 0; round < test::iterations(20); ++round) {
    std::vector<Point> points;
    std::vector<std::size_t> expected;
    for (std::size_t i = 0; i < 30; ++i) {
      std::array<std::uint8_t, 32> bytes = random_point(random).bytes();
      switch (random.below(4)) {
        case 0:
          bytes[random.below(32)] ^= static_cast<std::uint8_t>(1U << random.below(8));
          break;
        case 1:
          bytes[31] |= 0x80;
          break;
        case 2:
          bytes = {};
          break;
        default:
          break;
      }
      Reader in(bytes, Reader::Points::later);
      points.push_back(Point::decode(in, Identity::accepted, "point").value());
      EXPECT_EQ(points.back().bytes(), bytes);
      if (!Point::decode(bytes, Identity::accepted).has_value()) {
        expected.push_back(i);
      }
    }
    std::vector<Point*> pointers;
    for (Point& point : points) {
      pointers.push_back(&point);
    }
    EXPECT_EQ(evaluator.not_elements(pointers), expected);
    // Those that are elements can be used, beside points that were decoded at once.
    Point sum;
    std::vector<const Point*> good;
    LinearRelation relation;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (!std::ranges::binary_search(expected, i)) {
        good.push_back(&points[i]);
        sum = sum + points[i];
        relation.own.push_back({Scalar::one(), points[i]});
      }
    }
    relation.own.push_back({-Scalar::one(), sum});
    EXPECT_TRUE(evaluator.holds(relation));
    EXPECT_EQ(evaluator.sum(good), sum);
  }
  EXPECT_TRUE(evaluator.not_elements({}).empty());
  EXPECT_EQ(evaluator.sum({}), Point());
}

// Encodings are judged some at a time: the last and the first of such groups.
TEST_P(AnyEvaluator, JudgesManyEncodings) {
  test::SeededRandom random;
  const std::array<std::uint8_t, 32> good = random_point(random).bytes();
  std::array<std::uint8_t, 32> bad = good;
  bad[31] |= 0x80;
  const std::vector<std::size_t> expected = {0, 255, 256, 511, 512, 599};
  std::vector<Point> points;
  for (std::size_t i = 0; i < 600; ++i) {
    Reader in(std::ranges::binary_search(expected, i) ? bad : good, Reader::Points::later);
    points.push_back(Point::decode(in, Identity::accepted, "point").value());
  }
  std::vector<Point*> pointers;
  for (Point& point : points) {
    pointers.push_back(&point);
  }
  EXPECT_EQ(evaluator.not_elements(pointers), expected);
}

// The identity is refused before an evaluator sees it, as when points are decoded at once.
TEST(PointsLater, TheIdentityIsRefusedWhereItMayNotStand) {
  const Bytes zeros(32);
  Reader in(zeros, Reader::Points::later);
  const auto refused = Point::decode(in, Identity::refused, "alpha");
  ASSERT_FALSE(refused.has_value());
  Reader now(zeros);
  EXPECT_EQ(refused.error().message,
            Point::decode(now, Identity::refused, "alpha").error().message);
}

// What the weights are for: whoever could foretell them could make errors cancel.
TEST(BatchEvaluator, NeedsItsRandomness) {
  class Foretold final : public Random {
   public:
    void fill(std::span<std::uint8_t> out) override { std::ranges::fill(out, std::uint8_t{7}); }
  } foretold;
  LinearRelation plus;
  plus.own = {{Scalar::one(), Point::base()}};
  LinearRelation minus;
  minus.own = {{-Scalar::one(), Point::base()}};
  const BatchEvaluator careless(foretold);
  EXPECT_TRUE(careless.failing({}, std::vector{plus, minus}).empty());
  EXPECT_EQ(careless.failing({}, std::vector{plus}), std::vector<std::size_t>{0});
}

TEST(BatchEvaluator, PortableCodeRunsAnywhere) {
  EXPECT_TRUE(is_supported(CurveBackend::portable));
  EXPECT_TRUE(is_supported(fastest_curve_backend()));
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
