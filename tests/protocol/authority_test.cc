#include "psephos/protocol/authority.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/protocol/fixtures.h"

namespace psephos::protocol {
namespace {

using test::must;
using test::Play;

TEST(Authority, IsTheSameAfterSaveAndLoad) {
  test::SeededRandom random;
  const Authority authority = Authority::create(random);
  const SecretBuffer content = authority.save();
  EXPECT_EQ(content.size(), 64U);
  const Authority loaded = must(Authority::load(content));
  EXPECT_EQ(loaded.public_key(), authority.public_key());
  EXPECT_TRUE(equal(loaded.save().expose_secret(), content.expose_secret()));
  const auto manifest = test::make_manifest({});
  EXPECT_EQ(must(loaded.main_log_signer(*manifest))->verifier(),
            must(authority.main_log_signer(*manifest))->verifier());
  EXPECT_EQ(must(authority.main_log_signer(*manifest))->verifier().name(),
            "vote.example/2026/main");

  for (std::size_t size = 0; size < content.size(); ++size) {
    EXPECT_FALSE(Authority::load(SecretBuffer(content.expose_secret().first(size))).has_value());
  }
  EXPECT_FALSE(Authority::load(SecretBuffer(65)).has_value());
}

TEST(Authority, SaysWhatAnOpeningLacks) {
  Play play;
  const auto message = [&](std::size_t num_registrars = 2, std::size_t num_boxes = 2) {
    std::vector<crypto::Ed25519PublicKey> logs;
    for (std::size_t r = 0; r < num_registrars; ++r) {
      logs.push_back(play.registrar_logs[r].public_key());
    }
    const auto opening = play.authority.opening(
        play.log, logs,
        {play.box_logs.begin(), play.box_logs.begin() + static_cast<std::ptrdiff_t>(num_boxes)});
    if (opening.has_value()) {
      return std::string("(made)");
    }
    EXPECT_EQ(opening.error().code, Errc::misuse);
    return opening.error().message;
  };
  EXPECT_EQ(message(), "opening: the main log is not between the roster and the opening");
  play.to(Ceremony::Round::shares);
  play.say(play.of_round(2));
  EXPECT_EQ(message(), "opening: the key ceremony is not complete; it waits for trustees 1, 3");
  play.to(Play::Phase::ready);
  const auto keys = play.credential_keys();
  for (std::size_t k = 0; k < 3; ++k) {
    play.say(keys[k]);
  }
  EXPECT_EQ(message(), "opening: the credential key of registrar 1 for style 1 is missing");
  play.say(keys[3]);
  EXPECT_EQ(message(1, 2), "opening: log keys of 1 registrars, needs 2");
  EXPECT_EQ(message(2, 1), "opening: log keys of 1 shards, needs 2");
  EXPECT_EQ(message(), "(made)");
  const Authority other = Authority::create(play.random);
  EXPECT_EQ(other.opening(play.log, {}, {}).error().message,
            "opening: the roster is another authority's");
  play.say(play.opening());
  EXPECT_EQ(message(), "opening: the main log is not between the roster and the opening");
}

TEST(Authority, AnnouncesWhatWasVoted) {
  Play play;
  play.to(Play::Phase::complete);
  ASSERT_EQ(play.log.results().size(), 2U);
  EXPECT_EQ(play.log.results()[0].totals, (std::vector<std::uint64_t>{3, 0, 2}));
  EXPECT_EQ(play.log.results()[1].totals, (std::vector<std::uint64_t>{15, 7}));
}

TEST(Authority, AnyThresholdOfTrusteesWillDo) {
  Play play({.trustees = 5, .threshold = 3});
  play.to(Play::Phase::tallied);
  for (const std::uint32_t trustee : {5U, 2U, 4U, 1U}) {  // one more than needed
    play.say(must(play.decryption(trustee, 0)));
  }
  for (const std::uint32_t trustee : {1U, 3U, 5U}) {
    play.say(must(play.decryption(trustee, 1)));
  }
  for (const Message& result : must(play.authority.results(play.log))) {
    play.say(result);
  }
  EXPECT_EQ(play.log.phase(), Play::Phase::complete);
  EXPECT_EQ(play.log.results()[1].totals, (std::vector<std::uint64_t>{15, 7}));
}

TEST(Authority, NeedsAThresholdOfDecryptionsForEveryTally) {
  Play play;
  play.to(Play::Phase::tallied);
  EXPECT_EQ(play.authority.results(play.log).error(),
            (Error{Errc::misuse, "tally 0: has 0 decryptions, needs 2"}));
  play.say(must(play.decryption(1, 0)));
  play.say(must(play.decryption(3, 0)));
  play.say(must(play.decryption(3, 1)));
  EXPECT_EQ(play.authority.results(play.log).error(),
            (Error{Errc::misuse, "tally 1: has 1 decryptions, needs 2"}));
}

TEST(Authority, FindsNoTotalOutOfRange) {
  Play play;
  play.votes = {{3, 6, 2}, {15, 7}};  // 6 votes of 5 ballots
  play.to(Play::Phase::decrypting);
  const auto results = play.authority.results(play.log);
  ASSERT_FALSE(results.has_value());
  EXPECT_EQ(results.error().code, Errc::rejected);
  EXPECT_TRUE(results.error().message.starts_with("tally 0: option 2: "))
      << results.error().message;
}

TEST(Authority, AnnouncesNothingWhereEverythingIsWithheld) {
  Play play;
  play.to(Play::Phase::closed);
  EXPECT_TRUE(must(play.authority.results(play.log)).empty());
}

}  // namespace
}  // namespace psephos::protocol
