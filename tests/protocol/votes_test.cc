#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "psephos/protocol/wallet.h"

#include "tests/crypto/expect.h"
#include "tests/protocol/election_fixture.h"

namespace psephos::protocol {
namespace {

using test::fails_with;
using test::kBoth;
using test::kMayor;
using test::must;
using Cells = std::vector<std::string>;
using Values = std::vector<std::uint32_t>;

// Mayor: 1 of 3 options. Board: 0 to 3 points each, at most 4 in all.
const Manifest& manifest() {
  static const auto manifest = test::manifest_of({});
  return *manifest;
}

// The same with any number of options allowed for mayor, so that cells of all shapes keep its rule.
const Manifest& lenient() {
  static const Manifest manifest = [] {
    std::string json = test::manifest_json({});
    const std::string rule = R"("min": 1, "max": 1)";
    json.replace(json.find(rule), rule.size(), R"("min": 0, "max": 3)");
    return must(Manifest::parse(as_bytes(json)));
  }();
  return manifest;
}

Values parse(std::uint32_t style, const Cells& cells) {
  const crypto::SecretVotes votes = must(parse_votes(lenient(), style, cells));
  return {votes.expose_secret().begin(), votes.expose_secret().end()};
}

TEST(Votes, Cells) {
  EXPECT_EQ(parse(kMayor, {"1"}), (Values{1, 0, 0}));
  EXPECT_EQ(parse(kMayor, {"3"}), (Values{0, 0, 1}));
  EXPECT_EQ(parse(kMayor, {""}), (Values{0, 0, 0}));
  EXPECT_EQ(parse(kMayor, {"1|3"}), (Values{1, 0, 1}));
  EXPECT_EQ(parse(kMayor, {"3|1|2"}), (Values{1, 1, 1}));
  EXPECT_EQ(parse(kBoth, {"2", "1:3|2:1"}), (Values{0, 1, 0, 3, 1}));
  EXPECT_EQ(parse(kBoth, {"2", "2:2"}), (Values{0, 1, 0, 0, 2}));
  EXPECT_EQ(parse(kBoth, {"", ""}), (Values{0, 0, 0, 0, 0}));
}

TEST(Votes, RulesOfContests) {
  const auto refused = [](const Cells& cells) {
    const auto votes = parse_votes(manifest(), cells.size() == 1 ? kMayor : kBoth, cells);
    EXPECT_TRUE(fails_with(Errc::malformed, votes));
    return votes.has_value() ? "" : votes.error().message;
  };
  EXPECT_EQ(refused({"1|2"}), R"(contest "mayor": 2 chosen, at most 1)");
  EXPECT_EQ(refused({""}), R"(contest "mayor": 0 chosen, at least 1)");
  EXPECT_EQ(refused({"1", "1:3|2:2"}), R"(contest "board": 5 points in all, at most 4)");
  EXPECT_EQ(refused({"1", "2:4"}), R"(contest "board": option 2 has 4 points, at most 3)");
  EXPECT_EQ(refused({"1", "1:4294967295|2:1"}),
            R"(contest "board": option 1 has 4294967295 points, at most 3)");
  EXPECT_EQ(refused({"", "1:1"}), R"(contest "mayor": 0 chosen, at least 1)");
  EXPECT_TRUE(parse_votes(manifest(), kBoth, Cells{"1", "1:3|2:1"}).has_value());
  EXPECT_TRUE(parse_votes(manifest(), kBoth, Cells{"3", ""}).has_value());
}

TEST(Votes, OtherCellsAreRefused) {
  const auto message = [](const std::string& what, const char* contest) {
    return "contest \"" + std::string(contest) + "\": the cell " + what;
  };
  const std::string ranking =
      "is a ranking; this contest is not ranked, choices are separated by '|'";
  const std::string no_option = "has something else than a number, 1 or more, as an option";
  const std::string no_points = "has something else than a number, 1 or more, as points";
  const std::vector<std::pair<std::string, std::string>> choose = {
      {"0", no_option},
      {"01", no_option},
      {"+1", no_option},
      {" 1", no_option},
      {"1 ", no_option},
      {"1.0", no_option},
      {"1,2", no_option},
      {"one", no_option},
      {"\xc2\xb9", no_option},
      {std::string("1\0", 2), no_option},
      {"4294967296", no_option},
      {"99999999999999999999999", no_option},
      {"|", no_option},
      {"|1", no_option},
      {"1||2", no_option},
      {"1|", "ends with '|'"},
      {"4", "names option 4 of 3"},
      {"1|4", "names option 4 of 3"},
      {"4294967295", "names option 4294967295 of 3"},
      {"2|2", "names option 2 twice"},
      {"1|2|1", "names option 1 twice"},
      {"1:1", "gives points; in this contest options are only chosen"},
      {":", "gives points; in this contest options are only chosen"},
      {"1|2:3", "gives points; in this contest options are only chosen"},
      {"3>1>2", ranking},
      {"1=2", ranking},
      {"-", ranking},
      {"-1", ranking},
      {"x", ranking},
  };
  for (const auto& [cell, what] : choose) {
    const auto votes = parse_votes(manifest(), kMayor, Cells{cell});
    ASSERT_TRUE(fails_with(Errc::malformed, votes)) << cell;
    EXPECT_EQ(votes.error().message, message(what, "mayor")) << cell;
  }
  const std::vector<std::pair<std::string, std::string>> score = {
      {"1", "gives no points; write option:points"},
      {"1:2|2", "gives no points; write option:points"},
      {":", no_option},
      {":3", no_option},
      {"0:3", no_option},
      {"1:", no_points},
      {"1:0", no_points},
      {"1:03", no_points},
      {"1:4294967296", no_points},
      {"1:2:3", no_points},
      {"1:2 ", no_points},
      {"1: 2", no_points},
      {"1:2.5", no_points},
      {"3:1", "names option 3 of 2"},
      {"1:1|1:1", "names option 1 twice"},
      {"1:1|", "ends with '|'"},
      {"1:1||2:1", "gives no points; write option:points"},
      {"1>2", ranking},
      {"1:-1", ranking},
  };
  for (const auto& [cell, what] : score) {
    const auto votes = parse_votes(manifest(), kBoth, Cells{"1", cell});
    ASSERT_TRUE(fails_with(Errc::malformed, votes)) << cell;
    EXPECT_EQ(votes.error().message, message(what, "board")) << cell;
  }
}

TEST(Votes, NumberOfCells) {
  for (const Cells& cells : {Cells{}, Cells{"1"}, Cells{"1", "", ""}}) {
    EXPECT_TRUE(fails_with(Errc::malformed, parse_votes(manifest(), kBoth, cells)));
  }
  EXPECT_TRUE(fails_with(Errc::misuse, parse_votes(manifest(), 3, Cells{"1"})));
}

}  // namespace
}  // namespace psephos::protocol
