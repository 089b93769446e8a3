#include "protocol/verification_part.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "psephos/codec.h"
#include "psephos/version.h"

#include "tests/support/seeded_random.h"

namespace psephos::protocol {
namespace {

using test::SeededRandom;

std::uint64_t below(SeededRandom& random, std::uint64_t bound) {
  std::array<std::uint8_t, 8> bytes;
  random.fill(bytes);
  return Reader(bytes).u64("number").value() % bound;
}

// Every bundle of every log is in exactly one share; the shares of a kind differ by one bundle at
// most.
TEST(Ranges, CoverEveryBundleOnce) {
  SeededRandom random;
  for (int round = 0; round < 200; ++round) {
    std::vector<std::uint64_t> rolls(1 + below(random, 3));
    std::vector<std::uint64_t> boxes(1 + below(random, 8));
    for (std::uint64_t& bundles : rolls) {
      bundles = below(random, 10);
    }
    for (std::uint64_t& bundles : boxes) {
      bundles = below(random, 50);
    }
    const auto of = static_cast<std::uint32_t>(1 + below(random, 20));
    std::vector<std::uint64_t> next(rolls.size() + boxes.size());
    const std::uint64_t all = std::accumulate(boxes.begin(), boxes.end(), std::uint64_t{0});
    for (std::uint32_t part = 1; part <= of; ++part) {
      std::uint64_t size = 0;
      for (const BundleRange& range : ranges_of({part, of}, rolls, boxes)) {
        ASSERT_LT(range.log, next.size());
        EXPECT_EQ(range.from, next[range.log]);
        EXPECT_LT(range.from, range.to);
        next[range.log] = range.to;
        size += range.log < rolls.size() ? 0 : range.to - range.from;
      }
      EXPECT_GE(size, all / of);
      EXPECT_LE(size, all / of + 1);
    }
    std::vector<std::uint64_t> expected = rolls;
    expected.insert(expected.end(), boxes.begin(), boxes.end());
    EXPECT_EQ(next, expected);
  }
}

TEST(Ranges, OfTheLargestLogsDoNotOverflow) {
  const std::vector<std::uint64_t> most(256, std::uint64_t{1} << 44);  // 2^52 entries each
  const auto last = ranges_of({Share::kMaxParts, Share::kMaxParts}, {}, most);
  EXPECT_EQ(last,
            (std::vector<BundleRange>{{255, (std::uint64_t{1} << 44) - (std::uint64_t{1} << 32),
                                       std::uint64_t{1} << 44}}));
}

VerificationPart example() {
  return {.share = {2, 3},
          .election_id = {7},
          .trees = {{.size = 300, .root = {1}}, {.size = 2, .root = {2}}},
          .groups = {{.bundles = {0, 0, 2}, .judged = {1, 2, 3}},
                     {.bundles = {1, 0, 1}, .judged = {}}}};
}

TEST(VerificationPart, IsReadAsItWasWritten) {
  const Bytes file = example().encode();
  const auto part = VerificationPart::decode(file);
  ASSERT_TRUE(part.has_value()) << part.error().message;
  EXPECT_EQ(part->share, (Share{2, 3}));
  EXPECT_EQ(part->election_id, Digest32{7});
  EXPECT_EQ(part->trees, example().trees);
  ASSERT_EQ(part->groups.size(), 2U);
  EXPECT_EQ(part->groups[0].bundles, (BundleRange{0, 0, 2}));
  EXPECT_EQ(part->groups[0].judged, (Bytes{1, 2, 3}));
  EXPECT_EQ(part->encode(), file);
}

TEST(VerificationPart, IsRefusedCutOrLengthened) {
  Bytes file = example().encode();
  for (std::size_t size = 0; size < file.size(); ++size) {
    const auto part = VerificationPart::decode(ByteView(file).first(size));
    ASSERT_FALSE(part.has_value()) << size;
    EXPECT_EQ(part.error().code, Errc::malformed) << size;
  }
  Bytes other_version = file;
  const auto digit = std::ranges::search(other_version, as_bytes(kVersion)).begin();
  ASSERT_NE(digit, other_version.end());
  *digit = '9';
  EXPECT_TRUE(VerificationPart::decode(other_version).error().message.starts_with("was made by"));
  file.push_back(0);
  EXPECT_FALSE(VerificationPart::decode(file).has_value());
  file.assign(file.size(), 'x');
  EXPECT_EQ(VerificationPart::decode(file).error().message, "is no part of a verification");
}

TEST(VerificationPart, NeedsAShareThatThereIs) {
  for (const Share share :
       {Share{0, 3}, Share{4, 3}, Share{0, 0}, Share{1, Share::kMaxParts + 1}}) {
    VerificationPart part = example();
    part.share = share;
    EXPECT_FALSE(VerificationPart::decode(part.encode()).has_value()) << share.part;
  }
}

}  // namespace
}  // namespace psephos::protocol
