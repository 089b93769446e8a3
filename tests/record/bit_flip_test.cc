// Every bit of every published file is load-bearing: flip any one and the record is rejected. Here
// a sample; bit_flip_slow_test.cc tries them all.
#include <gtest/gtest.h>

#include "tests/record/bit_flips.h"

namespace psephos::test {
namespace {

TEST(BitFlip, SampledBitsOfEveryFileAreRejected) {
  const auto forge = tiny_election();
  const auto files = forge->publish();
  ASSERT_TRUE(verify_files(files).accepted());
  SeededRandom random;
  std::vector<Flip> flips;
  for (const auto& [path, content] : files) {
    ASSERT_FALSE(content.empty()) << path;
    // The first and the last bit, and some between.
    flips.push_back({path, 0});
    flips.push_back({path, 8 * content.size() - 1});
    for (std::size_t i = 0; i < iterations(25); ++i) {
      flips.push_back({path, random.below(8 * content.size())});
    }
  }
  EXPECT_EQ(accepted_flips(files, flips), std::vector<std::string>{});
}

}  // namespace
}  // namespace psephos::test
