#include "psephos/protocol/tally.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/protocol/fixtures.h"

namespace psephos::protocol {
namespace {

using crypto::Ciphertext;
using crypto::Point;
using crypto::Scalar;
using test::must;

Point times_g(std::uint64_t value) { return Scalar::from_u64(value) * Point::base(); }

// A ciphertext that is told apart by two numbers.
Ciphertext sum_of(std::uint64_t alpha, std::uint64_t beta) {
  return {.alpha = times_g(alpha), .beta = times_g(beta)};
}

// Four styles a, b, c, d. Contest "x" (2 options) is in all, "y" (1 option) in b and d, where it
// stands before x, "z" in c only.
Manifest manifest_with(const std::string& by, std::uint32_t minimum) {
  const std::string text = R"({
  "psephos": "manifest/v1",
  "title": "A \"test\" \\ é",
  "origin": "vote.example",
  "opens": "2026-05-01T08:00:00Z",
  "closes": "2026-05-31T18:00:00Z",
  "contests": [
    {"id": "x", "title": "X", "type": "choose", "options": ["Ann, \"A\"", "Bob\\"], "min": 0, "max": 1},
    {"id": "y", "title": "Y", "type": "score", "options": ["Only"], "range": 9},
    {"id": "z", "title": "Z", "type": "choose", "options": ["Yes", "No"], "min": 1, "max": 1}
  ],
  "styles": [
    {"id": "a", "contests": ["x"]},
    {"id": "b", "contests": ["y", "x"]},
    {"id": "c", "contests": ["x", "z"]},
    {"id": "d", "contests": ["y", "x"]}
  ],
  "trustees": {"names": ["Tia"], "threshold": 1},
  "registrars": {"names": ["Town"], "rsa_bits": 2048},
  "box": {"shards": 1, "revote": "last", "challenges": 0},
  "tally": {"minimum": )" + std::to_string(minimum) +
                           R"(, "by": ")" + by + R"("},
  "voters": 1000
})";
  return must(Manifest::parse(as_bytes(text)));
}

using Counts = std::vector<std::uint64_t>;
using Units = std::vector<Unit>;

TEST(Units, OfAnElectionAreOne) {
  const Manifest manifest = manifest_with("election", 10);
  EXPECT_EQ(units(manifest, 0, Counts{1, 2, 3, 4}), (Units{{{0, 1, 2, 3}, 10}}));
  EXPECT_EQ(units(manifest, 0, Counts{1, 2, 3, 3}), Units{});
  EXPECT_EQ(units(manifest, 1, Counts{100, 7, 100, 3}), (Units{{{1, 3}, 10}}));
  EXPECT_EQ(units(manifest, 1, Counts{100, 7, 100, 2}), Units{});
}

TEST(Units, OfStylesStandAloneIfTheyAreLargeEnough) {
  const Manifest manifest = manifest_with("style", 10);
  EXPECT_EQ(units(manifest, 0, Counts{12, 10, 30, 11}),
            (Units{{{0}, 12}, {{1}, 10}, {{2}, 30}, {{3}, 11}}));
  EXPECT_EQ(units(manifest, 1, Counts{0, 10, 0, 11}), (Units{{{1}, 10}, {{3}, 11}}));
  EXPECT_EQ(units(manifest, 2, Counts{0, 0, 10, 0}), (Units{{{2}, 10}}));
}

TEST(Units, JoinTheFewestToTheNextFewest) {
  const Manifest manifest = manifest_with("style", 10);
  // a 3, b 20, c 4, d 15: a joins c (7, in a's place); that joins d, the fewer of b and d.
  EXPECT_EQ(units(manifest, 0, Counts{3, 20, 4, 15}), (Units{{{0, 2, 3}, 22}, {{1}, 20}}));
  // b 3 joins d 8, and the unit stands in b's place.
  EXPECT_EQ(units(manifest, 0, Counts{20, 3, 30, 8}), (Units{{{0}, 20}, {{1, 3}, 11}, {{2}, 30}}));
  // So it does if d is the one with the fewest.
  EXPECT_EQ(units(manifest, 0, Counts{20, 8, 30, 3}), (Units{{{0}, 20}, {{1, 3}, 11}, {{2}, 30}}));
  // The partner may be large enough itself: a 20, b 9, c 30, d 25: b joins a.
  EXPECT_EQ(units(manifest, 0, Counts{20, 9, 30, 25}), (Units{{{0, 1}, 29}, {{2}, 30}, {{3}, 25}}));
}

TEST(Units, TakeTheFirstOfEquals) {
  const Manifest manifest = manifest_with("style", 10);
  // All 5: a joins b (10); then c, the first of the fewest, joins d.
  EXPECT_EQ(units(manifest, 0, Counts{5, 5, 5, 5}), (Units{{{0, 1}, 10}, {{2, 3}, 10}}));
  // a 0 joins b 0, they join c 0, they join d.
  EXPECT_EQ(units(manifest, 0, Counts{0, 0, 0, 10}), (Units{{{0, 1, 2, 3}, 10}}));
  // a 12, b 4, c 12, d 12: b joins a.
  EXPECT_EQ(units(manifest, 0, Counts{12, 4, 12, 12}), (Units{{{0, 1}, 16}, {{2}, 12}, {{3}, 12}}));
}

TEST(Units, AreNoneBelowTheMinimum) {
  const Manifest manifest = manifest_with("style", 10);
  EXPECT_EQ(units(manifest, 0, Counts{0, 0, 0, 9}), Units{});
  EXPECT_EQ(units(manifest, 0, Counts{2, 2, 2, 3}), Units{});
  EXPECT_EQ(units(manifest, 1, Counts{50, 4, 50, 5}), Units{});
  EXPECT_EQ(units(manifest, 1, Counts{50, 4, 50, 6}), (Units{{{1, 3}, 10}}));
  EXPECT_EQ(units(manifest, 2, Counts{50, 50, 9, 50}), Units{});
  EXPECT_EQ(units(manifest, 2, Counts{0, 0, 0, 0}), Units{});
}

TEST(Aggregate, SumsCountsAndTakesBack) {
  const Manifest manifest = manifest_with("style", 1);
  Aggregate aggregate(manifest);
  EXPECT_EQ(aggregate.sums(1), std::vector<Ciphertext>(3));
  aggregate.add(1, std::vector{sum_of(1, 2), sum_of(3, 4), sum_of(5, 6)});
  aggregate.add(1, std::vector{sum_of(10, 20), sum_of(30, 40), sum_of(50, 60)}, 7);
  EXPECT_EQ(aggregate.counted(1), 8U);
  EXPECT_EQ(aggregate.sums(1), (std::vector{sum_of(11, 22), sum_of(33, 44), sum_of(55, 66)}));
  aggregate.subtract(1, std::vector{sum_of(1, 2), sum_of(3, 4), sum_of(5, 6)});
  EXPECT_EQ(aggregate.counted(), (Counts{0, 7, 0, 0}));
  EXPECT_EQ(aggregate.sums(1), (std::vector{sum_of(10, 20), sum_of(30, 40), sum_of(50, 60)}));

  Aggregate other(manifest);
  other.add(0, std::vector{sum_of(7, 7), sum_of(8, 8)});
  other.add(1, std::vector{sum_of(1, 1), sum_of(1, 1), sum_of(1, 1)});
  aggregate.merge(other);
  EXPECT_EQ(aggregate.counted(), (Counts{1, 8, 0, 0}));
  EXPECT_EQ(aggregate.sums(0), (std::vector{sum_of(7, 7), sum_of(8, 8)}));
  EXPECT_EQ(aggregate.sums(1), (std::vector{sum_of(11, 21), sum_of(31, 41), sum_of(51, 61)}));
}

TEST(ExpectedTallies, FindAContestsOptionsInEveryStyle) {
  const Manifest manifest = manifest_with("election", 2);
  Aggregate aggregate(manifest);
  aggregate.add(0, std::vector{sum_of(1, 2), sum_of(3, 4)});                              // x
  aggregate.add(1, std::vector{sum_of(10, 20), sum_of(30, 40), sum_of(50, 60)});          // y, x
  aggregate.add(3, std::vector{sum_of(100, 1), sum_of(200, 1), sum_of(300, 1)});          // y, x
  aggregate.add(2, std::vector{sum_of(7, 7), sum_of(7, 7), sum_of(9, 9), sum_of(9, 9)});  // x, z
  // z has one ballot only and is withheld.
  EXPECT_EQ(expected_tallies(manifest, aggregate),
            (std::vector<Tally>{
                {.contest = 0, .unit = 0, .counted = 4, .sums = {sum_of(238, 50), sum_of(360, 72)}},
                {.contest = 1, .unit = 0, .counted = 2, .sums = {sum_of(110, 21)}}}));

  const Manifest by_style = manifest_with("style", 1);
  const auto tallies = expected_tallies(by_style, aggregate);
  ASSERT_EQ(tallies.size(), 4U + 2 + 1);
  EXPECT_EQ(
      tallies[3],
      (Tally{.contest = 0, .unit = 3, .counted = 1, .sums = {sum_of(200, 1), sum_of(300, 1)}}));
  EXPECT_EQ(tallies[5], (Tally{.contest = 1, .unit = 1, .counted = 1, .sums = {sum_of(100, 1)}}));
  EXPECT_EQ(tallies[6].contest, 2U);
}

TEST(Tally, DecodesStrictly) {
  const Manifest manifest = manifest_with("style", 1);
  const Tally tally{.contest = 0, .unit = 3, .counted = 1000, .sums = {sum_of(1, 2), sum_of(0, 0)}};
  const Bytes bytes = tally.encode();
  ASSERT_EQ(bytes.size(), 4U + 4 + 8 + 2 * 64);
  EXPECT_EQ(hex(ByteView(bytes).first(16)), "000000000000000300000000000003e8");
  EXPECT_EQ(must(Tally::decode(bytes, manifest)), tally);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Tally::decode(ByteView(bytes).first(size), manifest).has_value());
  }
  const auto message = [&](Bytes changed) {
    return Tally::decode(changed, manifest).error().message;
  };
  Bytes changed = bytes;
  changed.push_back(0);
  EXPECT_EQ(message(changed), "tally: 1 bytes too many");
  changed = bytes;
  changed[3] = 3;
  EXPECT_EQ(message(changed), "there is no contest 3");
  changed = bytes;
  changed[15] = 0xe9;
  EXPECT_EQ(message(changed), "counted ballots: 1001 are more than the manifest's voters");
  changed = bytes;
  changed[16 + 31] |= 0x80;
  EXPECT_TRUE(message(changed).starts_with("sum of option 1"));
}

TEST(Decryption, DecodesStrictly) {
  const std::vector<Tally> tallies = {
      {.contest = 1, .unit = 0, .counted = 1, .sums = {sum_of(1, 2)}},
      {.contest = 0, .unit = 0, .counted = 1, .sums = {sum_of(1, 2), sum_of(3, 4)}}};
  const Decryption decryption{
      .tally = 1,
      .shares = {times_g(5), Point()},
      .proof = {.commitments = {times_g(1), times_g(2), Point()}, .response = Scalar::one()}};
  const Bytes bytes = decryption.encode();
  ASSERT_EQ(bytes.size(), 4U + 2 * 32 + 3 * 32 + 32);
  EXPECT_EQ(must(Decryption::decode(bytes, tallies)).encode(), bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Decryption::decode(ByteView(bytes).first(size), tallies).has_value());
  }
  Bytes changed = bytes;
  changed.push_back(0);
  EXPECT_FALSE(Decryption::decode(changed, tallies).has_value());
  changed = bytes;
  changed[3] = 2;
  EXPECT_EQ(Decryption::decode(changed, tallies).error().message, "there is no tally 2");
  changed[3] = 0;  // of one option
  EXPECT_FALSE(Decryption::decode(changed, tallies).has_value());
  EXPECT_FALSE(Decryption::decode(bytes, {}).has_value());
}

TEST(TallyResult, DecodesStrictly) {
  const std::vector<Tally> tallies = {
      {.contest = 0, .unit = 0, .counted = 1, .sums = {sum_of(1, 2), sum_of(3, 4)}}};
  const TallyResult result{.tally = 0, .totals = {1, 0x0102030405060708}};
  const Bytes bytes = result.encode();
  EXPECT_EQ(hex(bytes), "0000000000000000000000010102030405060708");
  EXPECT_EQ(must(TallyResult::decode(bytes, tallies)).totals, result.totals);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(TallyResult::decode(ByteView(bytes).first(size), tallies).has_value());
  }
  Bytes changed = bytes;
  changed.push_back(0);
  EXPECT_FALSE(TallyResult::decode(changed, tallies).has_value());
  EXPECT_FALSE(TallyResult::decode(bytes, {}).has_value());
}

// x in two units, y in one, z withheld.
ElectionResult some_result() {
  ElectionResult result;
  for (std::size_t i = 0; i < 32; ++i) {
    result.election_id[i] = static_cast<std::uint8_t>(0xf0 + i);
  }
  result.contests = {
      {{.styles = {0, 1}, .counted = 12, .totals = {7, 5}},
       {.styles = {2}, .counted = 10, .totals = {0, 10}}},
      {{.styles = {1, 3}, .counted = 20, .totals = {180}}},
      {},
  };
  return result;
}

TEST(ResultFiles, JsonIsByteForByteThis) {
  const std::string json = result_json(manifest_with("style", 10), some_result());
  EXPECT_EQ(json, R"({
  "psephos": "result/v1",
  "election": "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f",
  "title": "A \"test\" \\ é",
  "contests": [
    {
      "id": "x",
      "title": "X",
      "units": [
        {
          "styles": [
            "a",
            "b"
          ],
          "ballots": 12,
          "totals": [
            {
              "option": 1,
              "name": "Ann, \"A\"",
              "votes": 7
            },
            {
              "option": 2,
              "name": "Bob\\",
              "votes": 5
            }
          ]
        },
        {
          "styles": [
            "c"
          ],
          "ballots": 10,
          "totals": [
            {
              "option": 1,
              "name": "Ann, \"A\"",
              "votes": 0
            },
            {
              "option": 2,
              "name": "Bob\\",
              "votes": 10
            }
          ]
        }
      ]
    },
    {
      "id": "y",
      "title": "Y",
      "units": [
        {
          "styles": [
            "b",
            "d"
          ],
          "ballots": 20,
          "totals": [
            {
              "option": 1,
              "name": "Only",
              "votes": 180
            }
          ]
        }
      ]
    },
    {
      "id": "z",
      "title": "Z",
      "units": []
    }
  ]
}
)");
  // Another writer of JSON lays it out the same.
  EXPECT_EQ(nlohmann::ordered_json::parse(json).dump(2) + "\n", json);
}

TEST(ResultFiles, CsvIsByteForByteThis) {
  EXPECT_EQ(result_csv(manifest_with("style", 10), some_result()),
            "contest,unit,styles,ballots,option,name,votes\n"
            "x,0,a+b,12,1,\"Ann, \"\"A\"\"\",7\n"
            "x,0,a+b,12,2,Bob\\,5\n"
            "x,1,c,10,1,\"Ann, \"\"A\"\"\",0\n"
            "x,1,c,10,2,Bob\\,10\n"
            "y,0,b+d,20,1,Only,180\n");
}

}  // namespace
}  // namespace psephos::protocol
