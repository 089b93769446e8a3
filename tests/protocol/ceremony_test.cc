#include "psephos/protocol/ceremony.h"

#include <algorithm>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "psephos/crypto/discrete_log_prover.h"
#include "psephos/crypto/hash.h"
#include "psephos/crypto/lagrange.h"
#include "psephos/crypto/sealed_box_secret.h"
#include "psephos/protocol/message_signer.h"

#include "tests/protocol/fixtures.h"

namespace psephos::protocol {
namespace {

using crypto::Point;
using crypto::Scalar;
using crypto::SecretScalar;
using test::must;
using test::Play;
using Round = Ceremony::Round;

Bytes bytes_of(const Digest32& digest) { return {digest.begin(), digest.end()}; }

// All messages of rounds 1–4, by sender and round.
constexpr MessageType kTypes[] = {MessageType::commit, MessageType::reveal, MessageType::shares,
                                  MessageType::confirm};

class CeremonyOf : public testing::TestWithParam<std::pair<std::uint32_t, std::uint32_t>> {};

TEST_P(CeremonyOf, MakesOneKeyThatAnyThresholdHolds) {
  const auto [n, t] = GetParam();
  Play play({.trustees = n, .threshold = t});
  play.to(Play::Phase::ready);
  const Ceremony& ceremony = *play.log.ceremony();
  EXPECT_EQ(ceremony.round(), Round::complete);
  EXPECT_TRUE(ceremony.missing().empty());
  EXPECT_FALSE(ceremony.verdict().has_value());

  SecretScalar joint;
  for (const test::TrusteeSecret& secret : play.secrets) {
    joint = joint + secret.polynomial.coefficients().front();
  }
  EXPECT_EQ(ceremony.joint_key(), multiply_base(joint));

  // The first t and the last t trustees interpolate to the same key.
  for (const std::uint32_t first : {std::uint32_t{1}, n - t + 1}) {
    std::vector<std::uint32_t> indices;
    for (std::uint32_t j = first; j < first + t; ++j) {
      indices.push_back(j);
    }
    const auto lambda = must(crypto::lagrange_at_zero(indices));
    SecretScalar sum;
    for (std::size_t k = 0; k < indices.size(); ++k) {
      sum = sum + lambda[k] * play.share_of(indices[k]);
    }
    EXPECT_EQ(multiply_base(sum), ceremony.joint_key());
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, CeremonyOf,
                         testing::Values(std::pair(1U, 1U), std::pair(2U, 2U), std::pair(3U, 2U),
                                         std::pair(5U, 3U), std::pair(7U, 7U)),
                         [](const auto& size) {
                           return std::to_string(size.param.second) + "Of" +
                                  std::to_string(size.param.first);
                         });

TEST(Ceremony, OneTrusteeHasNoSharesToSend) {
  Play play({.trustees = 1, .threshold = 1});
  play.to(Round::shares);
  EXPECT_TRUE(play.of_round(1).payload.empty());
}

TEST(Ceremony, TheOrderWithinARoundIsFree) {
  Play play;
  play.to(Round::commit);
  for (const MessageType type : kTypes) {
    for (const std::uint32_t sender : {3U, 1U, 2U}) {
      const Message message = play.of_round(sender);
      EXPECT_EQ(message.type, type);
      play.say(message);
    }
  }
  EXPECT_EQ(play.log.phase(), Play::Phase::ready);
}

TEST(Ceremony, WaitsForEveryoneAndNamesWhoIsMissing) {
  Play play;
  play.to(Round::commit);
  EXPECT_EQ(play.log.ceremony()->missing(), (std::vector<std::uint32_t>{1, 2, 3}));
  play.say(play.of_round(2));
  EXPECT_EQ(play.log.ceremony()->missing(), (std::vector<std::uint32_t>{1, 3}));
  EXPECT_EQ(play.log.ceremony()->round(), Round::commit);
  const Fault early = play.fault_of(play.signed_by_sender(MessageType::reveal, 2, {}));
  EXPECT_EQ(early.check, Check::order);
  EXPECT_EQ(early.message, "reveal of trustee 2: the ceremony is in its first round, commit");
}

TEST(Ceremony, RefusesMessagesOfAnotherRound) {
  for (const Round round :
       {Round::commit, Round::reveal, Round::shares, Round::confirm, Round::complete}) {
    Play play;
    play.to(round);
    for (std::size_t k = 0; k < std::size(kTypes); ++k) {
      if (k != static_cast<std::size_t>(round)) {
        const Fault fault = play.fault_of(play.signed_by_sender(kTypes[k], 1, Bytes(32)));
        EXPECT_EQ(fault.check, Check::order) << fault.message;
      }
    }
    if (round != Round::confirm) {
      EXPECT_EQ(play.fault_of(play.signed_by_sender(MessageType::complaint, 1, Bytes(32))).check,
                Check::order);
    }
  }
}

TEST(Ceremony, RefusesASecondMessageOfATrustee) {
  Play play;
  play.to(Round::commit);
  for (const MessageType type : kTypes) {
    const Message message = play.of_round(2);
    play.say(message);
    const Fault fault = play.fault_of(message);
    EXPECT_EQ(fault.check, Check::order);
    EXPECT_EQ(fault.message,
              std::string(name(type)) + " of trustee 2: it has sent its message of this round");
    play.say(play.of_round(1));
    play.say(play.of_round(3));
  }
}

TEST(Ceremony, RefusesStrangersAndForgedSenders) {
  Play play;
  play.to(Round::commit);
  for (const MessageType type : kTypes) {
    const Message good = play.of_round(1);
    ASSERT_EQ(good.type, type);
    for (const std::uint32_t sender : {0U, 4U, 0xffffffffU}) {
      const Fault fault = play.fault_of(
          sign_message(type, good.context, sender, good.payload, play.secrets[0].identity));
      EXPECT_EQ(fault.check, Check::trustees);
      EXPECT_EQ(fault.message, "there is no trustee " + std::to_string(sender));
    }
    Message forged = good;
    forged.sender = 2;
    EXPECT_EQ(play.fault_of(forged).equation, "signature");
    forged = sign_message(type, good.context, 2, good.payload, play.secrets[0].identity);
    EXPECT_EQ(play.fault_of(forged).equation, "signature");
    for (std::uint32_t sender = 1; sender <= 3; ++sender) {
      play.say(play.of_round(sender));
    }
  }
}

TEST(Ceremony, RefusesMessagesOfAnotherRoster) {
  Play play;
  Play other({.keys = 1});
  play.to(Round::commit);
  other.to(Round::commit);
  ASSERT_EQ(play.manifest->digest, other.manifest->digest);
  const Digest32& roster = other.log.ceremony()->roster_digest();
  for (const MessageType type : kTypes) {
    const Message good = play.of_round(1);
    EXPECT_EQ(good.context, play.log.ceremony()->roster_digest());
    for (const Digest32& context : {roster, play.manifest->digest}) {
      const Message replay = sign_message(type, context, 1, good.payload, play.secrets[0].identity);
      const Fault fault = play.fault_of(replay);
      EXPECT_EQ(fault.check, Check::trustees);
      EXPECT_EQ(fault.message, std::string(name(type)) + " of trustee 1: is of another roster");
    }
    for (std::uint32_t sender = 1; sender <= 3; ++sender) {
      play.say(play.of_round(sender));
    }
  }
}

TEST(Ceremony, RefusesPayloadsOfAnotherLength) {
  Play play;
  play.to(Round::commit);
  for (const MessageType type : kTypes) {
    const Bytes good = play.of_round(1).payload;
    Bytes shorter = good;
    shorter.pop_back();
    Bytes longer = good;
    longer.push_back(0);
    for (const Bytes& payload : {Bytes(), shorter, longer}) {
      const Fault fault = play.fault_of(play.signed_by_sender(type, 1, payload));
      EXPECT_EQ(fault.check, Check::trustees) << fault.message;
    }
    for (std::uint32_t sender = 1; sender <= 3; ++sender) {
      play.say(play.of_round(sender));
    }
  }
}

// commits to a payload for trustee 3 after honest commitments of the others, and returns the fault
// of its reveal, the last.
Fault fault_of_reveal(Play& play, const Bytes& payload) {
  play.to(Round::commit);
  play.say(play.of_round(1));
  play.say(play.of_round(2));
  play.say(play.signed_by_sender(MessageType::commit, 3, bytes_of(crypto::sha256({payload}))));
  play.say(play.of_round(1));
  play.say(play.of_round(2));
  return play.fault_of(play.signed_by_sender(MessageType::reveal, 3, payload));
}

Reveal reveal_of(const Play& play, std::uint32_t trustee, const crypto::SecretPolynomial& f,
                 Random& random) {
  Reveal reveal{.commitments = f.commitments(), .possession = {}};
  reveal.possession = crypto::prove(
      {.bases = {Point::base()}, .points = {reveal.commitments[0]}}, f.coefficients()[0],
      possession_transcript(*play.manifest, trustee, reveal.commitments), random);
  return reveal;
}

TEST(Reveal, MustBeWhatWasCommittedTo) {
  Play play;
  play.to(Round::reveal);
  const Bytes another =
      reveal_of(play, 1, crypto::SecretPolynomial::random(2, play.random), play.random).encode();
  const Fault fault = play.fault_of(play.signed_by_sender(MessageType::reveal, 1, another));
  EXPECT_EQ(fault.check, Check::trustees);
  EXPECT_EQ(fault.equation, "commitment");
}

TEST(Reveal, OfAnotherTrusteeProvesNothing) {
  // Trustee 3 repeats what trustee 1 reveals, and so would know as little of the key as it wants.
  Play play;
  play.to(Round::reveal);
  const Bytes payload = play.of_round(1).payload;
  Play second;
  EXPECT_EQ(fault_of_reveal(second, payload).equation, "proof of possession");
}

TEST(Reveal, ProvesPossessionOfItsFirstCommitmentOverAll) {
  const std::vector<std::function<void(Reveal&)>> changes = {
      [](Reveal& r) { r.commitments[0] = r.commitments[0] + Point::base(); },
      [](Reveal& r) { r.commitments[1] = r.commitments[1] + Point::base(); },
      [](Reveal& r) { r.possession.response = r.possession.response + Scalar::one(); },
      [](Reveal& r) { r.possession.commitments[0] = Point(); },
      [](Reveal& r) { std::swap(r.commitments[0], r.commitments[1]); },
  };
  for (const auto& change : changes) {
    Play play;
    Reveal reveal =
        reveal_of(play, 3, crypto::SecretPolynomial::random(2, play.random), play.random);
    change(reveal);
    const Fault fault = fault_of_reveal(play, reveal.encode());
    EXPECT_EQ(fault.check, Check::trustees);
    EXPECT_EQ(fault.equation, "proof of possession");
  }
}

TEST(Reveal, RefusesTheIdentity) {
  Play play;
  std::vector<SecretScalar> zero(2);
  const Fault fault = fault_of_reveal(
      play, reveal_of(play, 3, crypto::SecretPolynomial(std::move(zero)), play.random).encode());
  EXPECT_TRUE(fault.message.starts_with("reveal of trustee 3: commitment 0")) << fault.message;
}

TEST(Reveal, MayNotMakeTheJointKeyTheIdentity) {
  // Only all trustees together could: trustee 3 knows the others' secrets.
  Play play;
  std::vector<SecretScalar> coefficients;
  coefficients.push_back(SecretScalar() - play.secrets[0].polynomial.coefficients()[0] -
                         play.secrets[1].polynomial.coefficients()[0]);
  coefficients.push_back(SecretScalar::random(play.random));
  const Bytes payload =
      reveal_of(play, 3, crypto::SecretPolynomial(std::move(coefficients)), play.random).encode();
  const Fault fault = fault_of_reveal(play, payload);
  EXPECT_EQ(fault.message, "reveal of trustee 3: makes the joint key the identity");
  EXPECT_EQ(play.log.ceremony()->missing(), std::vector<std::uint32_t>{3});
}

TEST(Confirm, SignsTheDigestOfRosterAndRoundsOneToThree) {
  Play play;
  play.to(Round::confirm);
  Writer all;
  all.raw(play.said[0].payload);
  // Then the order of senders, not of the log; here they are the same.
  for (std::size_t k = 1; k < play.said.size(); ++k) {
    all.raw(play.said[k].encode());
  }
  const Digest32 digest = crypto::sha256({all.bytes()});
  EXPECT_EQ(play.log.ceremony()->digest(), digest);
  EXPECT_EQ(play.of_round(2).payload, bytes_of(digest));
  Digest32 other = digest;
  other[31] ^= 1;
  const Fault fault =
      play.fault_of(play.signed_by_sender(MessageType::confirm, 2, bytes_of(other)));
  EXPECT_EQ(fault.check, Check::trustees);
  EXPECT_EQ(fault.equation, "ceremony digest");
}

// A play in which trustee 1 deals trustee 2 the given content instead of its share.
struct Cheated {
  explicit Cheated(const std::function<crypto::SealedShare(Play&)>& deal) {
    play.to(Round::shares);
    Shares shares = must(Shares::decode(play.of_round(1).payload, *play.manifest, 1));
    shares.to.at(2) = deal(play);
    play.say(play.signed_by_sender(MessageType::shares, 1, shares.encode()));
    play.to(Round::confirm);
  }
  Play play;
};

crypto::SealedShare seal_bytes(Play& play, ByteView content) {
  SecretBytes<32> secret;
  std::ranges::copy(content, secret.expose_secret().begin());
  return crypto::seal(secret, play.trustees[1].public_keys().transport,
                      seal_context(play.log.ceremony()->roster_digest(), 1, 2), play.random);
}

void expect_convicted(const std::function<crypto::SealedShare(Play&)>& deal,
                      const std::string& reason) {
  Cheated cheated(deal);
  Play& play = cheated.play;
  EXPECT_EQ(play.of_round(3).type, MessageType::confirm);  // nobody else was cheated
  play.say(play.of_round(3));
  const Message complaint = play.of_round(2);
  ASSERT_EQ(complaint.type, MessageType::complaint);
  EXPECT_EQ(complaint.payload.size(), 4U + 32 + 96);
  play.say(complaint);
  EXPECT_EQ(play.log.phase(), Play::Phase::failed);
  const auto& verdict = play.log.ceremony()->verdict();
  ASSERT_TRUE(verdict.has_value());
  EXPECT_EQ(verdict->culprit, 1U);
  EXPECT_EQ(verdict->reason, reason);
}

TEST(Complaint, ConvictsADealerOfAWrongShare) {
  expect_convicted(
      [](Play& play) {
        const SecretScalar wrong = play.secrets[0].polynomial.share(2) + SecretScalar::from_u64(1);
        return seal_bytes(play, wrong.expose_secret());
      },
      "its share for trustee 2 does not fit its commitments");
}

TEST(Complaint, ConvictsADealerOfAnothersShare) {
  expect_convicted(
      [](Play& play) {
        return seal_bytes(play, play.secrets[0].polynomial.share(3).expose_secret());
      },
      "its share for trustee 2 does not fit its commitments");
}

TEST(Complaint, ConvictsADealerWhoseSealDoesNotOpen) {
  expect_convicted(
      [](Play& play) {
        auto sealed = seal_bytes(play, play.secrets[0].polynomial.share(2).expose_secret());
        sealed.ciphertext[0] ^= 1;
        return sealed;
      },
      "its share for trustee 2 does not open");
}

// The fault of trustee 1's shares, with a deal for trustee 2 that must not get into the log.
Fault fault_of_deal(Play& play, const std::function<crypto::SealedShare(const Shares&)>& deal) {
  Shares shares = must(Shares::decode(play.of_round(1).payload, *play.manifest, 1));
  shares.to.at(2) = deal(shares);
  return play.fault_of(play.signed_by_sender(MessageType::shares, 1, shares.encode()));
}

TEST(Shares, MustBeSealedByTheirSenderForTheirReceiver) {
  Play play;
  play.to(Round::shares);
  play.say(play.of_round(3));
  const Digest32 roster = play.log.ceremony()->roster_digest();
  const Point transport = play.trustees[1].public_keys().transport;
  const auto seal_for = [&](const Point& receiver, const Bytes& context) {
    SecretBytes<32> secret;
    std::ranges::copy(play.secrets[0].polynomial.share(2).expose_secret(),
                      secret.expose_secret().begin());
    return crypto::seal(secret, receiver, context, play.random);
  };
  const std::vector<std::function<crypto::SealedShare(const Shares&)>> deals = {
      // What trustee 3 sealed for trustee 2: a complaint about it would open trustee 3's share.
      [&](const Shares&) { return *play.log.ceremony()->sealed_share(3, 2); },
      // Its ephemeral point alone, with other content.
      [&](const Shares& own) {
        crypto::SealedShare share = *play.log.ceremony()->sealed_share(3, 2);
        share.ciphertext = own.to.at(2).ciphertext;
        return share;
      },
      [&](const Shares& own) {
        crypto::SealedShare share = own.to.at(2);
        share.ephemeral = play.log.ceremony()->sealed_share(3, 2)->ephemeral;
        return share;
      },
      [&](const Shares& own) { return own.to.at(3); },
      [&](const Shares&) { return seal_for(transport, seal_context(roster, 3, 2)); },
      [&](const Shares&) { return seal_for(transport, seal_context(roster, 1, 3)); },
      [&](const Shares&) { return seal_for(transport, seal_context(play.manifest->digest, 1, 2)); },
      [&](const Shares&) {
        return seal_for(play.trustees[2].public_keys().transport, seal_context(roster, 1, 2));
      },
  };
  for (std::size_t k = 0; k < deals.size(); ++k) {
    const Fault fault = fault_of_deal(play, deals[k]);
    EXPECT_EQ(fault.check, Check::trustees) << k;
    EXPECT_EQ(fault.equation, "proof of the seal") << k << ": " << fault.message;
    EXPECT_TRUE(fault.message.starts_with("shares of trustee 1: share for trustee 2: ")) << k;
  }
}

TEST(Complaint, ConvictsADealerOfNoScalar) {
  // q itself, the smallest that is none, and all ones.
  const Bytes q = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").value();
  for (const Bytes& content : {q, Bytes(32, 0xff)}) {
    expect_convicted([&](Play& play) { return seal_bytes(play, content); },
                     "its share for trustee 2 is no scalar");
  }
}

// The complaint of trustee 2 against `accused`, about what it was in truth sent by `sender`.
Complaint complaint_about(Play& play, std::uint32_t sender, std::uint32_t accused) {
  const Point& ephemeral = play.log.ceremony()->sealed_share(sender, 2)->ephemeral;
  Complaint complaint{.accused = accused,
                      .shared_point = multiply(play.secrets[1].transport, ephemeral),
                      .proof = {}};
  complaint.proof = crypto::prove(
      {.bases = {Point::base(), ephemeral},
       .points = {play.trustees[1].public_keys().transport, complaint.shared_point}},
      play.secrets[1].transport,
      complaint_transcript(play.log.ceremony()->roster_digest(), 2, accused), play.random);
  return complaint;
}

void expect_self_convicted(Play& play, const Complaint& complaint, const std::string& reason) {
  play.say(play.signed_by_sender(MessageType::complaint, 2, complaint.encode()));
  EXPECT_EQ(play.log.phase(), Play::Phase::failed);
  EXPECT_EQ(play.log.ceremony()->verdict()->culprit, 2U);
  EXPECT_EQ(play.log.ceremony()->verdict()->reason, reason);
}

TEST(Complaint, AboutAGoodShareConvictsTheComplainant) {
  Play play;
  play.to(Round::confirm);
  expect_self_convicted(play, complaint_about(play, 1, 1),
                        "it complained of a good share of trustee 1");
}

TEST(Complaint, WithABadProofConvictsTheComplainant) {
  const std::string reason = "its complaint against trustee 1 does not prove the shared point";
  const std::vector<std::function<void(Complaint&)>> changes = {
      [](Complaint& c) { c.shared_point = c.shared_point + Point::base(); },
      [](Complaint& c) { c.shared_point = Point(); },
      [](Complaint& c) { c.proof.response = c.proof.response + Scalar::one(); },
      [](Complaint& c) { std::swap(c.proof.commitments[0], c.proof.commitments[1]); },
  };
  for (const auto& change : changes) {
    Play play;
    play.to(Round::confirm);
    Complaint complaint = complaint_about(play, 1, 1);
    change(complaint);
    expect_self_convicted(play, complaint, reason);
  }
  // The shared point with another trustee.
  Play play;
  play.to(Round::confirm);
  expect_self_convicted(play, complaint_about(play, 3, 1), reason);
}

TEST(Complaint, EvenAboutACheatMustProveItsPoint) {
  // Else anybody could have a cheat's receiver make up another shared point.
  Cheated cheated([](Play& play) {
    auto sealed = seal_bytes(play, play.secrets[0].polynomial.share(2).expose_secret());
    sealed.ciphertext[0] ^= 1;
    return sealed;
  });
  Complaint complaint = complaint_about(cheated.play, 1, 1);
  complaint.shared_point = complaint.shared_point + Point::base();
  expect_self_convicted(cheated.play, complaint,
                        "its complaint against trustee 1 does not prove the shared point");
}

TEST(Complaint, IsRefusedIfItAccusesNobody) {
  Play play;
  play.to(Round::confirm);
  for (const std::uint32_t accused : {0U, 2U, 4U}) {
    Complaint complaint = complaint_about(play, 1, 1);
    complaint.accused = accused;
    const Fault fault =
        play.fault_of(play.signed_by_sender(MessageType::complaint, 2, complaint.encode()));
    EXPECT_EQ(fault.check, Check::trustees) << accused;
  }
  Bytes payload = complaint_about(play, 1, 1).encode();
  payload.pop_back();
  EXPECT_EQ(play.fault_of(play.signed_by_sender(MessageType::complaint, 2, payload)).check,
            Check::trustees);
}

TEST(Complaint, ComesInsteadOfAConfirmation) {
  Play play;
  play.to(Round::confirm);
  const Complaint complaint = complaint_about(play, 1, 1);
  play.say(play.of_round(2));
  EXPECT_EQ(
      play.fault_of(play.signed_by_sender(MessageType::complaint, 2, complaint.encode())).check,
      Check::order);
}

TEST(Complaint, EndsTheCeremony) {
  Play play;
  play.to(Round::confirm);
  const Message confirmation = play.of_round(1);
  const Complaint complaint = complaint_about(play, 1, 1);
  play.say(play.signed_by_sender(MessageType::complaint, 2, complaint.encode()));
  const Fault fault = play.fault_of(confirmation);
  EXPECT_EQ(fault.check, Check::order);
  EXPECT_EQ(fault.message, "confirm of trustee 1: the ceremony was ended by a complaint");
  for (std::uint8_t type = 1; type <= 8; ++type) {
    const MessageType message_type{type};
    const std::uint32_t sender = message_type == MessageType::roster ||
                                         message_type == MessageType::credential_key ||
                                         message_type == MessageType::opening
                                     ? 0
                                     : 1;
    EXPECT_EQ(play.fault_of(play.signed_by_sender(message_type, sender, Bytes(32))).check,
              Check::order)
        << name(message_type);
  }
  EXPECT_EQ(play.authority.opening(play.log, {}, {}).error().code, Errc::misuse);
}

TEST(Ceremony, RefusesEveryMessageWithAFlippedBit) {
  Play play;
  play.to(Round::commit);
  for (const MessageType type : kTypes) {
    for (std::uint32_t sender = 1; sender <= 3; ++sender) {
      const Message message = play.of_round(sender);
      ASSERT_EQ(message.type, type);
      const Bytes bytes = message.encode();
      for (std::size_t k = 0; k < test::iterations(40); ++k) {
        const std::uint64_t bit = play.random.below(8 * bytes.size());
        Bytes changed = bytes;
        changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        const auto decoded = Message::decode(changed);
        if (decoded.has_value()) {
          static_cast<void>(play.fault_of(*decoded));  // throws if it is taken
        }
      }
      play.say(message);
    }
  }
  EXPECT_EQ(play.log.phase(), Play::Phase::ready);
}

}  // namespace
}  // namespace psephos::protocol
