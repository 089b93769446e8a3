#include "psephos/protocol/trustee.h"

#include <string>

#include <gtest/gtest.h>

#include "psephos/crypto/hash.h"

#include "protocol/decrypt.h"
#include "tests/protocol/fixtures.h"

namespace psephos::protocol {
namespace {

using crypto::Point;
using crypto::SecretScalar;
using test::must;
using test::Play;
using Round = Ceremony::Round;

TEST(Trustee, HasANumberOfTheManifest) {
  Play play;
  for (const std::uint32_t index : {0U, 4U, 0xffffffffU}) {
    const auto refused = Trustee::create(*play.manifest, index, play.random);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error(), (Error{Errc::misuse, "the manifest lists trustees 1 to 3, not " +
                                                        std::to_string(index)}));
  }
  EXPECT_EQ(play.trustees[2].index(), 3U);
  EXPECT_EQ(play.trustees[2].manifest_digest(), play.manifest->digest);
}

TEST(Trustee, IsTheSameAfterSaveAndLoad) {
  Play play;
  for (Trustee& trustee : play.trustees) {
    const SecretBuffer content = trustee.save();
    EXPECT_EQ(content.size(), 32U + 4 + 32 + 32 + 4 + 2 * 32 + 2 * 32 + 64 + 3);
    Trustee loaded = must(Trustee::load(content));
    EXPECT_TRUE(equal(loaded.save().expose_secret(), content.expose_secret()));
    EXPECT_EQ(loaded.public_keys(), trustee.public_keys());
    trustee = std::move(loaded);
  }
  play.to(Play::Phase::ready);
}

TEST(Trustee, LoadIsStrict) {
  Play play;
  const SecretBuffer content = play.trustees[0].save();
  const ByteView bytes = content.expose_secret();
  const auto code = [](ByteView changed) {
    const auto loaded = Trustee::load(SecretBuffer(changed));
    return loaded.has_value() ? "(loaded)" : std::string(name(loaded.error().code));
  };
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(code(bytes.first(size)), "malformed") << size;
  }
  Bytes changed(bytes.begin(), bytes.end());
  changed.push_back(0);
  EXPECT_EQ(code(changed), "malformed");
  const auto with = [&](std::size_t at, std::initializer_list<std::uint8_t> values) {
    Bytes copy(bytes.begin(), bytes.end());
    std::ranges::copy(values, copy.begin() + static_cast<std::ptrdiff_t>(at));
    return code(copy);
  };
  EXPECT_EQ(with(32, {0, 0, 0, 0}), "malformed");   // trustee 0
  EXPECT_EQ(with(32, {0, 0, 0, 65}), "malformed");  // trustee 65
  EXPECT_EQ(with(100, {0, 0, 0, 0}), "malformed");  // threshold 0
  EXPECT_EQ(with(100, {0xff, 0xff, 0xff, 0xff}), "malformed");
  EXPECT_EQ(with(99, {0xff}), "malformed");   // transport key not below q
  EXPECT_EQ(with(135, {0xff}), "malformed");  // coefficient 0 not below q
  for (const std::size_t flag : {296U, 297U, 298U}) {
    EXPECT_EQ(with(flag, {2}), "malformed");
    EXPECT_EQ(with(flag, {1}), "malformed");  // and no digest
  }
}

TEST(Trustee, CommitsToTheRevealItSendsLater) {
  Play play;
  play.to(Round::commit);
  const Bytes commit = must(play.trustees[0].commit(*play.manifest, *play.log.ceremony())).payload;
  play.to(Round::reveal);
  const Message reveal = must(play.trustees[0].reveal(*play.manifest, *play.log.ceremony()));
  const Digest32 digest = crypto::sha256({reveal.payload});
  EXPECT_TRUE(equal(commit, digest));
  EXPECT_EQ(must(play.trustees[0].reveal(*play.manifest, *play.log.ceremony())), reveal);
}

TEST(Trustee, ServesOneElectionOnly) {
  Play play;
  Play other({.title = "Another election"});
  play.to(Round::commit);
  other.to(Round::commit);
  EXPECT_EQ(play.trustees[0].commit(*other.manifest, *other.log.ceremony()).error(),
            (Error{Errc::misuse, "these keys of trustee 1 are of another manifest"}));
  Play same({.keys = 1});
  same.to(Round::commit);
  EXPECT_EQ(play.trustees[0].commit(*same.manifest, *same.log.ceremony()).error(),
            (Error{Errc::misuse, "the roster lists other keys for trustee 1"}));
}

// Two rosters over one manifest, with the same keys of trustee 1: what an authority could show to
// the others, and what to trustee 1, to have its shares sealed to keys of the authority's own.
class TwoRosters : public testing::Test {
 protected:
  TwoRosters() {
    victim_.to(Round::commit);
    other_.trustees[0] = must(Trustee::load(victim_.trustees[0].save()));
    other_.secrets[0] = test::secret_of(other_.trustees[0]);
    other_.to(Round::commit);
  }
  Trustee& trustee() { return victim_.trustees[0]; }
  Play victim_;
  Play other_{{.keys = 1}};
};

TEST_F(TwoRosters, ATrusteeCommitsUnderOne) {
  const Ceremony& ceremony = *victim_.log.ceremony();
  const Message commit = must(trustee().commit(*victim_.manifest, ceremony));
  EXPECT_EQ(must(trustee().commit(*victim_.manifest, ceremony)), commit) << "asked again";
  Trustee loaded = must(Trustee::load(trustee().save()));
  for (Trustee* bound : {&trustee(), &loaded}) {
    const auto refused = bound->commit(*other_.manifest, *other_.log.ceremony());
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Errc::misuse);
    EXPECT_TRUE(refused.error().message.contains("under another roster before"));
  }
}

TEST_F(TwoRosters, ATrusteeSaysNothingMoreUnderAnother) {
  const Message commit = must(trustee().commit(*victim_.manifest, *victim_.log.ceremony()));
  for (const Round round : {Round::reveal, Round::shares, Round::confirm}) {
    other_.to(round);
    const Ceremony& ceremony = *other_.log.ceremony();
    const auto said = round == Round::reveal ? trustee().reveal(*other_.manifest, ceremony)
                      : round == Round::shares
                          ? trustee().shares(*other_.manifest, ceremony, other_.random)
                          : trustee().confirm(*other_.manifest, ceremony, other_.random);
    ASSERT_FALSE(said.has_value());
    EXPECT_EQ(said.error().code, Errc::misuse);
    EXPECT_TRUE(said.error().message.contains("has not committed under this roster"));
  }
  // Nor can what it has said be brought into the other ceremony.
  Play replayed({.keys = 1});
  replayed.trustees[0] = must(Trustee::load(trustee().save()));
  replayed.to(Round::commit);
  EXPECT_EQ(replayed.fault_of(commit).check, Check::trustees);
}

TEST(Trustee, SaysNothingBeforeItHasCommitted) {
  Play play;
  play.to(Round::commit);
  Trustee fresh = must(Trustee::load(play.trustees[0].save()));
  for (const Round round : {Round::reveal, Round::shares, Round::confirm}) {
    play.to(round);
    const Ceremony& ceremony = *play.log.ceremony();
    const auto said = round == Round::reveal ? fresh.reveal(*play.manifest, ceremony)
                      : round == Round::shares
                          ? fresh.shares(*play.manifest, ceremony, play.random)
                          : fresh.confirm(*play.manifest, ceremony, play.random);
    EXPECT_EQ(said.error().code, Errc::misuse);
  }
}

TEST(Trustee, JudgesOneCeremonyOnly) {
  // Two main logs under one roster: trustee 3 sends other shares in the second.
  Play play;
  play.to(Round::shares);
  play.say(play.of_round(1));
  play.say(play.of_round(2));
  MainLog second = play.log;
  play.say(play.of_round(3));
  const Message other =
      must(play.trustees[2].shares(*play.manifest, *second.ceremony(), play.random));
  ASSERT_TRUE(second.append(other).has_value());
  ASSERT_NE(play.log.ceremony()->digest(), second.ceremony()->digest());
  Trustee& trustee = play.trustees[0];
  const Message confirmation =
      must(trustee.confirm(*play.manifest, *play.log.ceremony(), play.random));
  EXPECT_EQ(must(trustee.confirm(*play.manifest, *play.log.ceremony(), play.random)), confirmation);
  Trustee loaded = must(Trustee::load(trustee.save()));
  for (Trustee* bound : {&trustee, &loaded}) {
    const auto refused = bound->confirm(*play.manifest, *second.ceremony(), play.random);
    ASSERT_FALSE(refused.has_value());
    EXPECT_TRUE(refused.error().message.contains("other messages of this ceremony"));
  }
}

TEST(Trustee, SpeaksOnlyInItsRoundAndOnce) {
  for (const Round round :
       {Round::commit, Round::reveal, Round::shares, Round::confirm, Round::complete}) {
    Play play;
    play.to(round);
    Trustee& trustee = play.trustees[0];
    const auto expect = [&](Round own, const Result<Message>& message) {
      EXPECT_EQ(message.has_value(), own == round);
      if (!message.has_value()) {
        EXPECT_EQ(message.error().code, Errc::misuse);
      }
    };
    const auto expect_all = [&] {
      const Ceremony& ceremony = *play.log.ceremony();
      expect(Round::commit, trustee.commit(*play.manifest, ceremony));
      expect(Round::reveal, trustee.reveal(*play.manifest, ceremony));
      expect(Round::shares, trustee.shares(*play.manifest, ceremony, play.random));
      expect(Round::confirm, trustee.confirm(*play.manifest, ceremony, play.random));
    };
    expect_all();
    if (round != Round::complete) {
      play.say(play.of_round(1));
      const Ceremony& ceremony = *play.log.ceremony();
      const auto again = round == Round::commit   ? trustee.commit(*play.manifest, ceremony)
                         : round == Round::reveal ? trustee.reveal(*play.manifest, ceremony)
                         : round == Round::shares
                             ? trustee.shares(*play.manifest, ceremony, play.random)
                             : trustee.confirm(*play.manifest, ceremony, play.random);
      EXPECT_EQ(again.error().code, Errc::misuse);
    }
  }
}

TEST(Trustee, DecryptsATallyOnce) {
  Play play;
  play.to(Play::Phase::tallied);
  play.say(must(play.decryption(3, 1)));
  EXPECT_EQ(play.log.decryptions()[1].size(), 1U);
  EXPECT_EQ(play.decryption(3, 1).error(),
            (Error{Errc::misuse, "tally 1: trustee 3 has decrypted it already"}));
  EXPECT_TRUE(play.decryption(3, 0).has_value());
}

TEST(Trustee, DecryptsWhatIsThereOnly) {
  Play play;
  play.to(Play::Phase::closed);
  EXPECT_EQ(play.decryption(1, 0).error(), (Error{Errc::misuse, "the main log has no tally 0"}));
  play.to(Play::Phase::tallied);
  EXPECT_EQ(play.decryption(1, 2).error(), (Error{Errc::misuse, "the main log has no tally 2"}));
}

TEST(Trustee, DecryptsNothingBelowTheMinimum) {
  Play play({.tally_minimum = 6});
  play.to(Play::Phase::tallied);  // of 5 ballots each
  EXPECT_EQ(play.decryption(1, 0).error(),
            (Error{Errc::misuse, "tally 0: has 5 ballots; the manifest opens nothing below 6"}));
}

TEST(Trustee, DecryptsWithTheElectionsShareOnly) {
  Play play;
  play.to(Play::Phase::tallied);
  const SecretScalar wrong = play.share_of(1) + SecretScalar::from_u64(1);
  const auto refused = decrypt_tally(
      play.log, 0, {.trustee = 1, .share = wrong, .identity = play.secrets[0].identity},
      play.random);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), (Error{Errc::misuse,
                                    "tally 0: the share of trustee 1 is not that of this "
                                    "election"}));
}

}  // namespace
}  // namespace psephos::protocol
