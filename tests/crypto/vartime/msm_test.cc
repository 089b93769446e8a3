#include "crypto/vartime/msm.h"

#include "tests/crypto/support.h"
#include "tests/crypto/vartime/support.h"
#include "tests/support/seeded_random.h"

namespace psephos::crypto::vartime {
namespace {

struct Term {
  Scalar scalar;
  Point point;
};

Scalar any_scalar(Random& random) {
  switch (random.below(9)) {
    case 0:
      return Scalar();
    case 1:
      return Scalar::one();
    case 2:
      return -Scalar::one();
    case 3:
      return Scalar::from_u64(2).inverse();  // the largest magnitude
    case 4:
      return Scalar::from_u64(2).inverse() - Scalar::one();
    case 5:
      return Scalar::from_u64(random.below(UINT64_MAX));
    case 6: {
      // As long as a weight, or its largest value.
      std::array<std::uint8_t, 64> bytes{};
      random.fill(std::span(bytes).first(16));
      if (random.below(4) == 0) {
        std::fill_n(bytes.begin(), 16, std::uint8_t{0xff});
      }
      return Scalar::reduce(bytes);
    }
    default:
      return random_scalar(random);
  }
}

std::vector<Term> terms(std::size_t size, Random& random) {
  std::vector<Term> result;
  for (std::size_t i = 0; i < size; ++i) {
    Point point = random_point(random);
    if (i > 0 && random.below(4) == 0) {
      // Bucket meets itself, its negative, or the identity.
      const Point& before = result[random.below(i)].point;
      point = random.below(2) == 0 ? before : Point() - before;
    } else if (random.below(10) == 0) {
      point = Point();
    }
    result.push_back({any_scalar(random), point});
  }
  return result;
}

std::array<std::uint8_t, 32> msm_sum(Msm& msm, const Backend& backend,
                                     const std::vector<Term>& terms, const MsmPlan* plan) {
  msm.clear();
  std::vector<AffinePoint> points;
  points.reserve(terms.size());
  for (const Term& term : terms) {
    points.push_back(affine(backend, term.point));
    msm.add(to_signed_vartime(ScalarAccess::words(term.scalar)), points.back().x.l);
  }
  EXPECT_EQ(msm.size(), terms.size());
  const ExtendedPoint sum = plan == nullptr ? msm.sum_vartime() : msm.sum_vartime(*plan);
  const auto bytes = encode_vartime(sum);
  EXPECT_EQ(is_identity_vartime(sum), bytes == Point().bytes());
  return bytes;
}

Point expected_sum(const std::vector<Term>& terms) {
  Point sum;
  for (const Term& term : terms) {
    sum = sum + term.scalar * term.point;
  }
  return sum;
}

TEST(Msm, AgreesWithLibsodiumByEveryPlan) {
  test::SeededRandom random;
  for (const std::size_t size : {0U, 1U, 2U, 3U, 7U, 8U, 9U, 16U, 33U, 70U}) {
    const std::vector<Term> all = terms(size, random);
    const Point expected = expected_sum(all);
    for (const Backend* backend : supported_backends()) {
      Msm msm(*backend);
      const MsmPlan straus = {.straus = true, .window_bits = 4};
      EXPECT_EQ(msm_sum(msm, *backend, all, nullptr), expected.bytes()) << backend->name;
      EXPECT_EQ(msm_sum(msm, *backend, all, &straus), expected.bytes()) << backend->name;
      for (unsigned bits = 4; bits <= 14; ++bits) {
        const MsmPlan buckets = {.straus = false, .window_bits = bits};
        EXPECT_EQ(msm_sum(msm, *backend, all, &buckets), expected.bytes())
            << backend->name << ", " << size << " terms, windows of " << bits;
      }
    }
  }
}

TEST(Msm, LargeSums) {
  test::SeededRandom random;
  // Few points, many scalars: Σ (Σ s)·P.
  std::vector<Term> few = terms(16, random);
  std::vector<Term> all;
  for (std::size_t i = 0; i < 3000; ++i) {
    all.push_back({any_scalar(random), few[i % few.size()].point});
  }
  for (Term& term : few) {
    term.scalar = Scalar();
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    few[i % few.size()].scalar = few[i % few.size()].scalar + all[i].scalar;
  }
  const Point expected = expected_sum(few);
  for (const Backend* backend : supported_backends()) {
    Msm msm(*backend);
    EXPECT_EQ(msm_sum(msm, *backend, all, nullptr), expected.bytes()) << backend->name;
  }
}

// Sums whose plan counts on short scalars, among them none but short ones, and all alike: then
// every term of a window meets in one bucket.
TEST(Msm, ShortScalars) {
  test::SeededRandom random;
  for (const std::size_t size : {65U, 200U, 700U}) {
    for (const bool alike : {false, true}) {
      const Scalar same = Scalar::from_u64(random.below(UINT64_MAX));
      std::vector<Term> all = terms(20, random);
      Scalar total;
      const Point point = random_point(random);
      for (std::size_t i = 0; i < size; ++i) {
        const Scalar scalar = alike ? same : Scalar::from_u64(random.below(UINT64_MAX));
        all.push_back({scalar, point});
        total = total + scalar;
      }
      const Point expected = expected_sum({all.begin(), all.begin() + 20}) + total * point;
      for (const Backend* backend : supported_backends()) {
        Msm msm(*backend);
        EXPECT_EQ(msm_sum(msm, *backend, all, nullptr), expected.bytes())
            << backend->name << ", " << size;
      }
    }
  }
}

TEST(Msm, PlansSeeShortScalars) {
  for (const Backend* backend : supported_backends()) {
    EXPECT_LE(plan_msm(*backend, 20000, 128 * 20000).window_bits,
              plan_msm(*backend, 20000, 252 * 20000).window_bits);
  }
  EXPECT_EQ(num_windows(4), 64U);
  EXPECT_EQ(num_windows(11), 23U);
  EXPECT_EQ(num_windows(12), 22U);
  EXPECT_EQ(num_windows(14), 19U);
  EXPECT_EQ(num_windows(12, 128), 11U);
}

TEST(Msm, SumsThatVanishAndSumsThatAlmostDo) {
  test::SeededRandom random;
  for (std::size_t i = 0; i < test::iterations(5); ++i) {
    std::vector<Term> all = terms(20, random);
    all.push_back({-Scalar::one(), expected_sum(all)});
    for (const Backend* backend : supported_backends()) {
      Msm msm(*backend);
      EXPECT_EQ(msm_sum(msm, *backend, all, nullptr), Point().bytes());
      std::vector<Term> wrong = all;
      wrong[random.below(wrong.size())].point =
          wrong.front().point + Scalar::from_u64(1 + random.below(5)) * Point::base();
      const Point expected = expected_sum(wrong);
      EXPECT_EQ(msm_sum(msm, *backend, wrong, nullptr), expected.bytes());
    }
  }
}

TEST(Msm, Difference) {
  test::SeededRandom random;
  const Point a = random_point(random);
  const Point b = random_point(random);
  const Backend& backend = kPortable;
  const auto extended = [&](const Point& p) {
    ExtendedPoint result;
    const AffinePoint point = affine(backend, p);
    const Coordinates coordinates = point.x.l;
    backend.sum(&coordinates, 1, &result);
    return result;
  };
  EXPECT_EQ(encode_vartime(difference_vartime(extended(a), extended(b))), (a - b).bytes());
  EXPECT_TRUE(is_identity_vartime(difference_vartime(extended(a), extended(a))));
}

TEST(Msm, PlansGrowWithTheSum) {
  for (const Backend* backend : supported_backends()) {
    EXPECT_TRUE(plan_msm(*backend, 1, 252).straus);
    unsigned before = 0;
    for (const std::size_t size : {1000U, 10000U, 100000U, 1000000U}) {
      const MsmPlan plan = plan_msm(*backend, size, 252 * size);
      EXPECT_FALSE(plan.straus);
      EXPECT_GE(plan.window_bits, before);
      before = plan.window_bits;
    }
  }
}

}  // namespace
}  // namespace psephos::crypto::vartime
