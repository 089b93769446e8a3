#include "psephos/protocol/synthetic.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "psephos/protocol/box.h"
#include "psephos/protocol/main_log.h"

#include "tests/crypto/expect.h"
#include "tests/protocol/election_fixture.h"
#include "tests/support/seeded_random.h"

namespace psephos::protocol {
namespace {

using test::fails_with;
using test::kBoth;
using test::kMayor;
using test::must;
using test::SeededRandom;

// Votes are drawn from all that a rule allows, blank ones and fullest ones too.
TEST(RandomVotes, KeepTheRulesAndReachAllVotes) {
  SeededRandom random;
  const std::vector<crypto::ContestRule> rules = {{.options = 3, .range = 1, .min = 1, .max = 1},
                                                  {.options = 3, .range = 1, .min = 0, .max = 3},
                                                  {.options = 2, .range = 3, .min = 2, .max = 4},
                                                  {.options = 1, .range = 2, .min = 0, .max = 2},
                                                  {.options = 2, .range = 2, .min = 4, .max = 4},
                                                  {.options = 2, .range = 5, .min = 0, .max = 0}};
  for (const crypto::ContestRule& rule : rules) {
    const auto form = must(crypto::BallotForm::compile({&rule, 1}));
    std::size_t allowed = 0;
    for (std::uint32_t all = 0; all < 1U << (3 * rule.options); ++all) {  // octal digits
      std::uint64_t sum = 0;
      bool fits = true;
      for (std::uint32_t k = 0; k < rule.options; ++k) {
        const std::uint32_t value = all >> (3 * k) & 7;
        sum += value;
        fits = fits && value <= rule.range;
      }
      allowed += fits && rule.min <= sum && sum <= rule.max ? 1U : 0U;
    }
    std::set<std::vector<std::uint32_t>> seen;
    for (int i = 0; i < 2000; ++i) {
      const crypto::SecretVotes votes = random_votes(form, random);
      ASSERT_TRUE(to_bits(form, votes).has_value());
      seen.insert({votes.expose_secret().begin(), votes.expose_secret().end()});
    }
    EXPECT_EQ(seen.size(), allowed);
  }
  // Several contests, and a sum that does not fit 32 bits in between.
  const std::vector<crypto::ContestRule> large = {
      {.options = 1, .range = 0xffffffff, .min = 0, .max = 0xffffffff}, rules[0]};
  const auto form = must(crypto::BallotForm::compile(large));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(to_bits(form, random_votes(form, random)).has_value());
  }
}

// Two registrars, started for an election, and what is made with them.
struct Played {
  SeededRandom random;
  SerialExecutor executor;
  std::shared_ptr<const Manifest> manifest = test::manifest_of({.registrars = 2, .voters = 20});
  std::vector<Registrar> registrars = make_registrars();
  std::shared_ptr<const Election> election = open();

  std::vector<Registrar> make_registrars() {
    std::vector<Registrar> made;
    for (std::uint32_t r = 0; r < 2; ++r) {
      made.push_back(
          must(Registrar::create(*manifest, r, random, executor, crypto::RsaPrimes::three)));
    }
    return made;
  }
  std::shared_ptr<const Election> open() {
    test::Parties parties{.joint_key = crypto::generator(77),
                          .registrar_logs = {},
                          .credentials = {},
                          .box_logs = BoxKeys::create(*manifest, random).public_keys()};
    for (const Registrar& registrar : registrars) {
      parties.registrar_logs.push_back(registrar.log_key());
      std::vector<crypto::RsaPublicKey>& keys = parties.credentials.emplace_back();
      for (const Message& message : registrar.credential_keys(*manifest)) {
        keys.push_back(must(CredentialKey::decode(message.payload, *manifest)).key);
      }
    }
    return test::election_with(manifest, std::move(parties));
  }
};
Played& played() {
  static Played played;
  return played;
}

TEST(SyntheticVoters, MakeBallotsThatPassEveryCheck) {
  Played& play = played();
  for (Registrar& registrar : play.registrars) {
    must(registrar.start(*play.election));
  }
  const SyntheticVoters voters(play.election, play.registrars);
  std::vector<IssuanceState> rolls(2, IssuanceState(*play.manifest));
  BoxState box(*play.manifest, 0);
  for (std::uint64_t i = 0; i < 6; ++i) {
    const std::uint32_t style = i % 2 == 0 ? kBoth : kMayor;
    const auto& form = play.election->ballot_context(style).form;
    const std::string name = "voter " + std::to_string(i);
    const auto vote = must(voters.vote(name, style, random_votes(form, play.random), play.random));
    ASSERT_EQ(vote.issuances.size(), 2U);
    for (std::size_t r = 0; r < 2; ++r) {
      EXPECT_EQ(vote.issuances[r].style, style);
      EXPECT_EQ(vote.issuances[r].pseudonym,
                play.registrars[r].pseudonym(play.election->id(), name));
      EXPECT_TRUE(rolls[r].append(vote.issuances[r]).has_value());
    }
    const BoxEntry entry = must(decode_box_entry(vote.ballot, *play.election));
    EXPECT_TRUE(check_box_entry(*play.election, entry, crypto::IndividualEvaluator()).empty());
    EXPECT_TRUE(box.append(i, credential_use(*play.manifest, entry)).has_value());
  }
}

TEST(SyntheticVoters, RefuseWhatARegistrarOrAWalletRefuses) {
  Played& play = played();
  for (Registrar& registrar : play.registrars) {
    must(registrar.start(*play.election));
  }
  const SyntheticVoters voters(play.election, play.registrars);
  const std::vector<std::uint32_t> two_mayors = {1, 1, 0};
  EXPECT_TRUE(fails_with(Errc::misuse,
                         voters.vote("v", kMayor, crypto::SecretVotes(two_mayors), play.random)));
  const auto other = test::make_election({.registrars = 2, .voters = 20});
  const std::vector<std::uint32_t> one_mayor = {0, 1, 0};
  EXPECT_TRUE(fails_with(Errc::misuse,
                         SyntheticVoters(other.election, play.registrars)
                             .vote("v", kMayor, crypto::SecretVotes(one_mayor), play.random)));
  EXPECT_TRUE(fails_with(
      Errc::misuse,
      play.registrars[0].issue_own(*play.election, "v", 3, crypto::Point::base(), play.random)));
}

}  // namespace
}  // namespace psephos::protocol
