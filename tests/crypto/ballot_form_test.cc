#include "psephos/crypto/ballot_form.h"

#include <bit>
#include <limits>
#include <set>

#include "tests/support/vectors.h"

namespace psephos::crypto {
namespace {

using test::Field;

constexpr std::uint64_t kMax32 = std::numeric_limits<std::uint32_t>::max();

// A contest of the vectors, where its values are representable at all.
std::optional<ContestRule> contest_rule(const Field& item) {
  const auto value = [&item](const char* key, std::int64_t otherwise) {
    return item.has(key) ? item[key].i64() : otherwise;
  };
  const std::int64_t options = value("options", 0);
  const std::int64_t range = value("range", 1);
  const std::int64_t min = value("min", 0);
  const std::int64_t max = value("max", options * range);
  for (const std::int64_t v : {options, range, min, max}) {
    if (v < 0 || static_cast<std::uint64_t>(v) > kMax32) {
      return std::nullopt;
    }
  }
  return ContestRule{.options = static_cast<std::uint32_t>(options),
                     .range = static_cast<std::uint32_t>(range),
                     .min = static_cast<std::uint32_t>(min),
                     .max = static_cast<std::uint32_t>(max)};
}

void expect_row(const Field& dense, const std::vector<BallotForm::Entry>& sparse) {
  std::vector<std::uint64_t> row(dense.array().size());
  for (const auto& [bit, weight] : sparse) {
    ASSERT_LT(bit, row.size());
    EXPECT_EQ(row[bit], 0U);
    row[bit] = weight;
  }
  for (std::size_t k = 0; k < row.size(); ++k) {
    EXPECT_EQ(dense[k].u64(), row[k]) << "bit " << k;
  }
}

TEST(BallotForm, PsephosForms) {
  PSEPHOS_LOAD_VECTORS(vectors, "psephos_ballot.json", "forms");
  for (const auto& [name, item] : vectors.root().members()) {
    SCOPED_TRACE(name);
    std::vector<ContestRule> contests;
    for (const Field& contest : item["contests"].array()) {
      contest.ignore("kind", "a word of the manifest; the numbers say it all");
      contests.push_back(contest_rule(contest).value());
    }
    const BallotForm form = BallotForm::compile(contests).value();
    EXPECT_EQ(form.num_options(), item["N"].u64());
    EXPECT_EQ(form.num_bits(), item["m"].u64());
    EXPECT_EQ(form.ciphertexts_size(), 64 * form.num_options());
    EXPECT_EQ(form.proof_size(), 32 * (form.num_bits() + 11));
    ASSERT_EQ(item["M"].array().size(), form.rows().size());
    for (std::size_t j = 0; j < form.rows().size(); ++j) {
      expect_row(item["M"][j], form.rows()[j]);
    }
    ASSERT_EQ(item["L"].array().size(), form.constraints().size());
    ASSERT_EQ(item["t"].array().size(), form.constraints().size());
    for (std::size_t i = 0; i < form.constraints().size(); ++i) {
      const BallotForm::Constraint& row = form.constraints()[i];
      expect_row(item["L"][i], row.entries);
      EXPECT_EQ(item["t"][i].u64(), row.target);
      EXPECT_EQ(row.entries.front().weight, 1U);
    }
  }
}

TEST(BallotForm, PsephosCover) {
  PSEPHOS_LOAD_VECTORS(vectors, "psephos_ballot.json", "cover");
  for (const Field& item : vectors.array()) {
    const auto top = static_cast<std::uint32_t>(item["range"].u64());
    std::vector<std::uint32_t> weights;
    for (const Field& weight : item["weights"].array()) {
      weights.push_back(static_cast<std::uint32_t>(weight.u64()));
    }
    EXPECT_EQ(cover(top), weights) << top;
  }
}

TEST(BallotForm, CoverReachesEveryValueAndNoOther) {
  for (std::uint32_t top = 0; top <= 130; ++top) {
    std::set<std::uint64_t> sums = {0};
    for (const std::uint32_t weight : cover(top)) {
      std::set<std::uint64_t> more;
      for (const std::uint64_t sum : sums) {
        more.insert(sum + weight);
      }
      sums.merge(more);
    }
    EXPECT_EQ(sums.size(), std::uint64_t{top} + 1);
    EXPECT_EQ(*sums.rbegin(), top);
  }
}

TEST(BallotForm, PsephosContestsRefused) {
  PSEPHOS_LOAD_VECTORS(vectors, "psephos_ballot.json", "contests_refused");
  std::size_t unrepresentable = 0;
  for (const Field& item : vectors.array()) {
    const auto rule = contest_rule(item);
    if (!rule.has_value()) {
      ++unrepresentable;
      continue;
    }
    const auto form = BallotForm::compile({&*rule, 1});
    ASSERT_FALSE(form.has_value());
    EXPECT_EQ(form.error().code, Errc::malformed);
  }
  EXPECT_EQ(unrepresentable, 2U);  // a minimum of −1, a range of 2^32
}

TEST(BallotForm, BadRulesAreRefusedAndTheContestNamed) {
  const ContestRule good{.options = 2, .range = 1, .min = 1, .max = 1};
  ASSERT_TRUE(BallotForm::compile({&good, 1}).has_value());
  const std::vector<ContestRule> bad = {
      {.options = 0, .range = 1, .min = 0, .max = 0},
      {.options = 2, .range = 0, .min = 0, .max = 0},
      {.options = 2, .range = 1, .min = 2, .max = 1},
      {.options = 2, .range = 1, .min = 0, .max = 3},
      {.options = 2, .range = 1, .min = 3, .max = 3},
      {.options = 2, .range = 1U << 31, .min = 0, .max = 1},
      {.options = 1U << 31, .range = 1U << 31, .min = 0, .max = 1},
      {.options = 0xffffffff, .range = 1, .min = 0, .max = 1},
      {.options = 700, .range = 1, .min = 1, .max = 1},
  };
  for (const ContestRule& rule : bad) {
    const auto alone = BallotForm::compile({&rule, 1});
    ASSERT_FALSE(alone.has_value()) << rule.options << ' ' << rule.range;
    EXPECT_EQ(alone.error().code, Errc::malformed);
    EXPECT_EQ(alone.error().message.find("contest 1 "), 0U) << alone.error().message;
    const auto second = BallotForm::compile(std::vector{good, rule});
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().message.find("contest 2 "), 0U) << second.error().message;
  }
  EXPECT_FALSE(BallotForm::compile({}).has_value());
}

TEST(BallotForm, LargestBallotFitsALogEntry) {
  const auto size = [](std::uint32_t options) -> std::size_t {
    const ContestRule rule{.options = options, .range = 1, .min = 1, .max = 1};
    const auto form = BallotForm::compile({&rule, 1});
    return form.has_value() ? form->ciphertexts_size() + form->proof_size() : 0;
  };
  EXPECT_EQ(size(545), 545 * 96 + 352U);
  EXPECT_EQ(size(678), 678 * 96 + 352U);
  EXPECT_LE(size(678), BallotForm::kMaxBytes);
  EXPECT_EQ(size(679), 0U);
  // Many contests count together.
  const std::vector<ContestRule> many(340, {.options = 2, .range = 1, .min = 1, .max = 1});
  EXPECT_FALSE(BallotForm::compile(many).has_value());
}

TEST(BallotForm, NoConstraintWhereEverythingIsAllowed) {
  const ContestRule all{.options = 3, .range = 2, .min = 0, .max = 6};
  EXPECT_FALSE(all.is_constrained());
  EXPECT_TRUE(BallotForm::compile({&all, 1})->constraints().empty());
  for (const ContestRule& rule : {ContestRule{.options = 3, .range = 2, .min = 1, .max = 6},
                                  ContestRule{.options = 3, .range = 2, .min = 0, .max = 5}}) {
    EXPECT_TRUE(rule.is_constrained());
    EXPECT_EQ(BallotForm::compile({&rule, 1})->constraints().size(), 1U);
  }
  // Nothing may be chosen: the options are forced to zero, without slack.
  const ContestRule none{.options = 2, .range = 1, .min = 0, .max = 0};
  EXPECT_EQ(BallotForm::compile({&none, 1})->num_bits(), 2U);
}

}  // namespace
}  // namespace psephos::crypto
