#include "psephos/protocol/box_state.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "tests/protocol/election_fixture.h"
#include "tests/support/seeded_random.h"

namespace psephos::protocol {
namespace {

using crypto::Point;
using crypto::Scalar;
using test::kBoth;
using test::kIsland;
using test::kMayor;
using test::SeededRandom;
using test::TestElection;

const TestElection& election(const std::string& revote, std::uint32_t challenges = 2,
                             std::uint32_t shards = 1) {
  static std::map<std::tuple<std::string, std::uint32_t, std::uint32_t>, TestElection> elections;
  const auto key = std::tuple(revote, challenges, shards);
  auto found = elections.find(key);
  if (found == elections.end()) {
    found = elections
                .emplace(key, test::make_election(
                                  {.revote = revote, .challenges = challenges, .shards = shards}))
                .first;
  }
  return found->second;
}

Point credential(std::uint64_t number) { return Scalar::from_u64(number) * Point::base(); }

// Entries as the fold sees them: proofs and signatures are not its business. `content` stands for
// the ciphertexts.
crypto::EncryptedBallot encrypted(std::uint64_t voter, std::uint32_t sequence,
                                  std::uint64_t content) {
  return {.credential = credential(voter),
          .sequence = sequence,
          .ciphertexts = {{credential(content), credential(content + 1)}}};
}
std::uint64_t fresh_content() {
  static std::uint64_t next = 1000;
  return next += 2;
}
Ballot ballot(std::uint64_t voter, std::uint32_t sequence, std::uint64_t content = fresh_content(),
              std::uint32_t style = kMayor) {
  return {.style = style,
          .credential = {},
          .encrypted = encrypted(voter, sequence, content),
          .proof = {}};
}
Challenge challenge(std::uint64_t voter, std::uint32_t sequence,
                    std::uint64_t content = fresh_content(), std::uint32_t style = kMayor) {
  return {.style = style,
          .credential = {},
          .encrypted = encrypted(voter, sequence, content),
          .values = {},
          .randomness = {},
          .signature = {}};
}

// A log in the making; append answers "taken", "taken for 3" (superseding entry 3) or the fault.
class Log {
 public:
  explicit Log(const TestElection& of, std::uint32_t shard = 0)
      : manifest(&of.election->manifest()), state(*manifest, shard) {}

  std::string append(const BoxEntry& entry) {
    const auto taken = state.append(next, credential_use(*manifest, entry));
    if (!taken.has_value()) {
      EXPECT_TRUE(taken.error().place.empty());
      EXPECT_TRUE(taken.error().equation.empty());
      return id(taken.error().check) + ": " + taken.error().message;
    }
    ++next;
    return taken->superseded.has_value() ? "taken for " + std::to_string(*taken->superseded)
                                         : "taken";
  }

  [[nodiscard]] std::optional<std::uint64_t> find_like(const BoxEntry& entry) const {
    return state.find_like(credential_use(*manifest, entry));
  }

  const Manifest* manifest;
  BoxState state;
  std::uint64_t next = 0;
};

const std::string kSecondBallot =
    "V9: this credential has voted already and the manifest allows no second ballot";
const std::string kChallengeAfterBallot =
    "V9: this credential has voted already; a challenge may only come before its ballot";
const std::string kTooMany = "V11: the manifest allows a credential no more than 2 challenges";
const std::string kChallengedCast = "V11: these ciphertexts were challenged and cannot be cast";
const std::string kChallengedTwice = "V11: these ciphertexts were challenged before";

std::string not_larger(std::uint32_t sequence, std::uint32_t last) {
  return "V9: sequence " + std::to_string(sequence) + " is not larger than " +
         std::to_string(last) + ", the last of this credential";
}

TEST(BoxState, FirstBallotCounts) {
  Log log(election("first"));
  EXPECT_EQ(log.append(ballot(1, 0)), "taken");
  EXPECT_EQ(log.append(ballot(1, 1)), kSecondBallot);
  EXPECT_EQ(log.append(ballot(1, 0)), kSecondBallot);
  EXPECT_EQ(log.append(challenge(1, 1)), kChallengeAfterBallot);
  EXPECT_EQ(log.append(ballot(2, 0)), "taken");
  EXPECT_EQ(log.state.credentials_used(kMayor), 2U);
}

TEST(BoxState, LastBallotCounts) {
  Log log(election("last"));
  EXPECT_EQ(log.append(ballot(1, 0)), "taken");
  EXPECT_EQ(log.append(ballot(2, 0)), "taken");
  EXPECT_EQ(log.append(ballot(1, 1)), "taken for 0");
  EXPECT_EQ(log.append(ballot(1, 1)), not_larger(1, 1));
  EXPECT_EQ(log.append(ballot(1, 0)), not_larger(0, 1));
  EXPECT_EQ(log.append(ballot(1, 7)), "taken for 2");
  EXPECT_EQ(log.append(ballot(1, 8)), "taken for 3");
  EXPECT_EQ(log.state.credentials_used(kMayor), 2U);
  EXPECT_EQ(log.state.num_challenges(), 0U);
}

TEST(BoxState, BallotsOfACredentialAreBounded) {
  Log log(election("last"));
  const std::uint32_t most = election("last").election->manifest().max_ballots;
  ASSERT_EQ(most, 10U);
  for (std::uint32_t i = 0; i < most; ++i) {
    EXPECT_TRUE(log.append(ballot(1, i)).starts_with("taken")) << i;
  }
  EXPECT_EQ(log.append(ballot(1, most)),
            "V9: the manifest allows a credential no more than 10 ballots");
  EXPECT_EQ(log.append(ballot(2, 0)), "taken");
}

TEST(BoxState, SequencesStartAnywhereAndEndAtTheTop) {
  Log log(election("last"));
  EXPECT_EQ(log.append(ballot(1, 41)), "taken");
  EXPECT_EQ(log.append(ballot(1, 42)), "taken for 0");
  EXPECT_EQ(log.append(ballot(1, 0xffffffff)), "taken for 1");
  EXPECT_EQ(log.append(ballot(1, 0xffffffff)), not_larger(0xffffffff, 0xffffffff));
  EXPECT_EQ(log.append(ballot(1, 0)), not_larger(0, 0xffffffff));
  EXPECT_EQ(log.append(ballot(2, 0)), "taken");
  EXPECT_EQ(log.append(ballot(2, 0)), not_larger(0, 0));
}

TEST(BoxState, ChallengesBeforeTheBallot) {
  for (const char* revote : {"first", "last"}) {
    Log log(election(revote));
    EXPECT_EQ(log.append(challenge(1, 0)), "taken");
    EXPECT_EQ(log.append(challenge(1, 0)), not_larger(0, 0));
    EXPECT_EQ(log.append(ballot(1, 0)), not_larger(0, 0));
    EXPECT_EQ(log.append(challenge(1, 1)), "taken");
    EXPECT_EQ(log.append(challenge(1, 2)), kTooMany);
    EXPECT_EQ(log.append(ballot(1, 2)), "taken");
    EXPECT_EQ(log.append(challenge(2, 0)), "taken");
    EXPECT_EQ(log.state.num_challenges(), 3U);
    EXPECT_EQ(log.state.credentials_used(kMayor), 2U);
  }
}

// Else a voter could open the ballot that counts, and show it.
TEST(BoxState, NoChallengeAfterABallot) {
  for (const char* revote : {"first", "last"}) {
    Log log(election(revote));
    EXPECT_EQ(log.append(challenge(1, 0)), "taken");
    EXPECT_EQ(log.append(ballot(1, 1, 50)), "taken");
    EXPECT_EQ(log.append(challenge(1, 2, 50)), kChallengeAfterBallot);
    EXPECT_EQ(log.append(challenge(1, 2, 60)), kChallengeAfterBallot);
    EXPECT_EQ(log.append(challenge(1, 0)), kChallengeAfterBallot);
    EXPECT_EQ(log.append(challenge(2, 2, 50)), "taken");
    EXPECT_EQ(log.state.num_challenges(), 2U);
  }
}

TEST(BoxState, NoChallengesAllowed) {
  Log log(election("last", 0));
  EXPECT_EQ(log.append(challenge(1, 0)),
            "V11: the manifest allows a credential no more than 0 challenges");
  EXPECT_EQ(log.state.credentials_used(kMayor), 0U);
  EXPECT_EQ(log.append(ballot(1, 0)), "taken");
}

TEST(BoxState, ChallengedCiphertextsAreNeitherCastNorChallengedAgain) {
  Log log(election("last"));
  EXPECT_EQ(log.append(challenge(1, 0, 50)), "taken");
  EXPECT_EQ(log.append(ballot(1, 1, 50)), kChallengedCast);
  EXPECT_EQ(log.append(challenge(1, 1, 50)), kChallengedTwice);
  EXPECT_EQ(log.append(challenge(1, 1, 70)), "taken");
  EXPECT_EQ(log.append(ballot(1, 2, 70)), kChallengedCast);
  EXPECT_EQ(log.append(ballot(1, 2, 60)), "taken");
  EXPECT_EQ(log.append(ballot(1, 3, 70)), kChallengedCast);
  EXPECT_EQ(log.append(ballot(1, 3, 50)), kChallengedCast);
  // The rule is about one credential; under another the same ciphertexts need a proof of their own.
  EXPECT_EQ(log.append(ballot(2, 0, 50)), "taken");
  // The same ciphertexts cast twice are no challenge.
  EXPECT_EQ(log.append(ballot(1, 3, 60)), "taken for 2");
}

TEST(BoxState, OneStylePerCredential) {
  Log log(election("last"));
  EXPECT_EQ(log.append(ballot(1, 0, 50, kMayor)), "taken");
  const std::string refused =
      "V9: this credential stands in the log with style \"mayor\" already and cannot use another";
  EXPECT_EQ(log.append(ballot(1, 1, 60, kIsland)), refused);
  EXPECT_EQ(log.append(challenge(1, 1, 60, kIsland)), refused);
  EXPECT_EQ(log.append(ballot(2, 0, 60, kIsland)), "taken");
  EXPECT_EQ(log.append(challenge(3, 0, 60, kBoth)), "taken");
  EXPECT_EQ(log.state.credentials_used(kMayor), 1U);
  EXPECT_EQ(log.state.credentials_used(kIsland), 1U);
  EXPECT_EQ(log.state.credentials_used(kBoth), 1U);
}

TEST(BoxState, WrongShard) {
  const TestElection& sharded = election("first", 2, 7);
  // Shards of 1·G and 2·G among seven: 4 and 1.
  EXPECT_EQ(Log(sharded, 4).append(ballot(1, 0)), "taken");
  EXPECT_EQ(Log(sharded, 1).append(challenge(2, 0)), "taken");
  EXPECT_EQ(Log(sharded, 1).append(ballot(1, 0)),
            "V9: this credential belongs in box/4, not in box/1");
  EXPECT_EQ(Log(sharded, 0).append(challenge(2, 0)),
            "V9: this credential belongs in box/1, not in box/0");
}

TEST(BoxState, RefusalsChangeNothing) {
  Log log(election("last"));
  EXPECT_EQ(log.append(challenge(1, 3, 50)), "taken");
  EXPECT_EQ(log.append(ballot(1, 4, 60)), "taken");
  for (const BoxEntry& bad :
       {BoxEntry(ballot(1, 4, 70)), BoxEntry(ballot(1, 9, 50)), BoxEntry(challenge(1, 9, 50)),
        BoxEntry(ballot(1, 9, 70, kIsland)), BoxEntry(challenge(1, 2, 70))}) {
    EXPECT_NE(log.append(bad).substr(0, 5), "taken");
    EXPECT_EQ(log.state.last_sequence(credential(1)), 4U);
    EXPECT_EQ(log.state.num_challenges(), 1U);
    EXPECT_EQ(log.state.credentials_used(kMayor), 1U);
    EXPECT_EQ(log.state.credentials_used(kIsland), 0U);
  }
  EXPECT_EQ(log.state.last_sequence(credential(2)), std::nullopt);
  EXPECT_EQ(log.append(ballot(1, 5, 70)), "taken for 1");
}

TEST(BoxState, FindsWhatAnEntryMayRepeat) {
  Log log(election("last"));
  EXPECT_EQ(log.find_like(ballot(1, 0, 50)), std::nullopt);
  EXPECT_EQ(log.find_like(challenge(1, 0, 50)), std::nullopt);
  log.append(ballot(2, 0, 50));
  log.append(challenge(1, 0, 50));
  EXPECT_EQ(log.find_like(ballot(1, 0, 50)), std::nullopt);
  EXPECT_EQ(log.find_like(challenge(1, 0, 50)), 1U);
  EXPECT_EQ(log.find_like(challenge(2, 0, 50)), std::nullopt);
  log.append(ballot(1, 1, 60));
  EXPECT_EQ(log.find_like(ballot(1, 1, 60)), 2U);
  EXPECT_EQ(log.find_like(ballot(1, 2, 60)), std::nullopt);  // a new vote repeats nothing
  EXPECT_EQ(log.find_like(ballot(2, 0, 50)), 0U);
  EXPECT_EQ(log.find_like(challenge(1, 0, 50)), 1U);  // also after the ballot
  log.append(ballot(1, 2, 70));
  EXPECT_EQ(log.find_like(ballot(1, 1, 60)), 3U);  // the one that counts
}

// The rules of docs/spec.md §8.5 written down as they stand there, over the whole history of a
// credential.
struct Past {
  bool is_ballot;
  std::uint32_t sequence;
  std::uint64_t content;
  std::uint64_t index;
};
bool allowed(const std::vector<Past>& history, const Past& next, bool last, std::size_t most) {
  std::size_t challenges = 0;
  for (const Past& past : history) {
    if (next.sequence <= past.sequence) {
      return false;
    }
    if (!past.is_ballot && past.content == next.content) {
      return false;
    }
    if (past.is_ballot && (!next.is_ballot || !last)) {
      return false;
    }
    if (!past.is_ballot) {
      ++challenges;
    }
  }
  return next.is_ballot || challenges < most;
}

TEST(BoxState, AgreesWithTheRulesAsWritten) {
  SeededRandom random;
  for (std::size_t round = 0; round < test::iterations(60); ++round) {
    const bool last = random.below(2) == 1;
    const auto most = static_cast<std::uint32_t>(random.below(3));
    Log log(election(last ? "last" : "first", most));
    std::map<std::uint64_t, std::vector<Past>> histories;
    for (int step = 0; step < 60; ++step) {
      const std::uint64_t voter = 1 + random.below(4);
      std::vector<Past>& history = histories[voter];
      const Past next{.is_ballot = random.below(2) == 1,
                      .sequence = static_cast<std::uint32_t>(random.below(8)),
                      .content = 100 + 2 * random.below(6),
                      .index = log.next};
      std::string expected;
      if (allowed(history, next, last, most)) {
        expected = "taken";
        for (const Past& past : history) {
          if (next.is_ballot && past.is_ballot) {
            expected = "taken for " + std::to_string(past.index);
          }
        }
        history.push_back(next);
      }
      const std::string found = next.is_ballot
                                    ? log.append(ballot(voter, next.sequence, next.content))
                                    : log.append(challenge(voter, next.sequence, next.content));
      if (expected.empty()) {
        EXPECT_NE(found.substr(0, 5), "taken");
      } else {
        EXPECT_EQ(found, expected);
      }
    }
    std::uint64_t used = 0;
    for (const auto& [voter, history] : histories) {
      used += history.empty() ? 0U : 1U;
    }
    EXPECT_EQ(log.state.credentials_used(kMayor), used);
  }
}

}  // namespace
}  // namespace psephos::protocol
