// Every single bit of every file of a small record, flipped alone.
#include <gtest/gtest.h>

#include "tests/record/bit_flips.h"

namespace psephos::test {
namespace {

TEST(BitFlip, EveryBitOfEveryFileIsRejected) {
  const auto forge = tiny_election();
  const auto files = forge->publish();
  ASSERT_TRUE(verify_files(files).accepted());
  std::vector<Flip> flips;
  for (const auto& [path, content] : files) {
    for (std::size_t bit = 0; bit < 8 * content.size(); ++bit) {
      flips.push_back({path, bit});
    }
  }
  ASSERT_GT(flips.size(), 10000U);
  EXPECT_EQ(accepted_flips(files, flips), std::vector<std::string>{});
}

}  // namespace
}  // namespace psephos::test
