#include "psephos/crypto/small_log.h"

#include <gtest/gtest.h>

#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"

namespace psephos::crypto {
namespace {

Point times_base(std::uint64_t v) { return Scalar::from_u64(v) * Point::base(); }

TEST(SmallLog, EveryValueOfSmallBounds) {
  for (std::uint64_t bound = 0; bound <= 20; ++bound) {
    for (const std::uint64_t num_logs : {0U, 1U, 3U, 1000U}) {
      const SmallLog log = SmallLog::prepare(bound, num_logs).value();
      EXPECT_GE(log.table_size(), 1U);
      EXPECT_LE(log.table_size(), bound + 1);
      for (std::uint64_t v = 0; v <= bound; ++v) {
        EXPECT_EQ(log.find_vartime(times_base(v)).value(), v) << bound;
      }
      for (const std::uint64_t v : {bound + 1, bound + 2, 2 * bound + 3}) {
        const auto found = log.find_vartime(times_base(v));
        ASSERT_FALSE(found.has_value()) << bound << ' ' << v;
        EXPECT_EQ(found.error().code, Errc::rejected);
      }
      EXPECT_FALSE(log.find_vartime(Point() - Point::base()).has_value()) << bound;
    }
  }
}

TEST(SmallLog, RandomValuesBelowAMillion) {
  constexpr std::uint64_t kBound = 1000000;
  test::SeededRandom random;
  const SmallLog log = SmallLog::prepare(kBound, 10).value();
  EXPECT_NEAR(static_cast<double>(log.table_size()), 3162, 2);
  for (std::size_t i = 0; i < test::iterations(20); ++i) {
    const std::uint64_t v = random.below(kBound + 1);
    EXPECT_EQ(log.find_vartime(times_base(v)).value(), v);
  }
  EXPECT_EQ(log.find_vartime(times_base(kBound)).value(), kBound);
  EXPECT_EQ(log.find_vartime(times_base(0)).value(), 0U);
  EXPECT_FALSE(log.find_vartime(times_base(kBound + 1)).has_value());
  EXPECT_FALSE(log.find_vartime(random_point(random)).has_value());
}

TEST(SmallLog, BoundsOutOfReachAreRefused) {
  for (const std::uint64_t bound : {std::uint64_t{1} << 44, UINT64_MAX}) {
    const auto log = SmallLog::prepare(bound, 1);
    ASSERT_FALSE(log.has_value());
    EXPECT_EQ(log.error().code, Errc::misuse);
  }
}

TEST(SmallLog, ManyLogsDoNotMakeTheTableLargerThanTheRange) {
  EXPECT_EQ(SmallLog::prepare(50, UINT64_MAX).value().table_size(), 51U);
}

}  // namespace
}  // namespace psephos::crypto
