#include "tests/support/seeded_random.h"

#include <cstdlib>
#include <vector>

#include <gtest/gtest.h>

namespace psephos::test {
namespace {

std::vector<std::uint8_t> draw(SeededRandom& random, std::size_t size) {
  std::vector<std::uint8_t> out(size);
  random.fill(out);
  return out;
}

TEST(SeededRandom, SameSeedSameBytes) {
  SeededRandom a(7);
  SeededRandom b(7);
  EXPECT_EQ(draw(a, 100), draw(b, 100));
  EXPECT_EQ(draw(a, 3), draw(b, 3));
}

TEST(SeededRandom, CallsAndSeedsDiffer) {
  SeededRandom a(7);
  SeededRandom b(8);
  const auto first = draw(a, 32);
  EXPECT_NE(first, draw(a, 32));
  EXPECT_NE(first, draw(b, 32));
}

TEST(SeededRandom, EnvironmentChoosesScale) {
  ASSERT_EQ(setenv("PSEPHOS_TEST_ITERS", "5", 1), 0);
  EXPECT_EQ(iterations(3), 15U);
  ASSERT_EQ(setenv("PSEPHOS_TEST_ITERS", "many", 1), 0);
  EXPECT_ANY_THROW(static_cast<void>(iterations(3)));
  ASSERT_EQ(unsetenv("PSEPHOS_TEST_ITERS"), 0);
  EXPECT_EQ(iterations(3), 3U);
}

TEST(SeededRandom, EnvironmentChoosesSeed) {
  ASSERT_EQ(setenv("PSEPHOS_TEST_SEED", "18446744073709551615", 1), 0);
  EXPECT_EQ(test_seed(), 18446744073709551615U);
}

}  // namespace
}  // namespace psephos::test
