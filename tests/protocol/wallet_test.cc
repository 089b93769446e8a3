#include "psephos/protocol/wallet.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "psephos/protocol/box_state.h"

#include "tests/crypto/expect.h"
#include "tests/protocol/election_fixture.h"
#include "tests/support/seeded_random.h"

namespace psephos::protocol {
namespace {

using crypto::SecretVotes;
using test::fails_with;
using test::is_ok;
using test::kBoth;
using test::kMayor;
using test::must;
using test::SeededRandom;
using test::TestElection;

const crypto::IndividualEvaluator kEvaluator;

const TestElection& two() {
  static const TestElection election = test::make_election({.revote = "last", .registrars = 2});
  return election;
}
const Election& election() { return *two().election; }

SecretVotes votes(std::vector<std::uint32_t> values) { return SecretVotes(values); }
SecretVotes good_vote() { return votes({0, 1, 0}); }

Wallet reloaded(const Wallet& wallet) {
  const SecretBuffer saved = wallet.save();
  Wallet loaded = must(Wallet::load(saved, election()));
  EXPECT_TRUE(equal(loaded.save().expose_secret(), saved.expose_secret()));
  EXPECT_EQ(loaded.style(), wallet.style());
  EXPECT_EQ(loaded.credential(), wallet.credential());
  EXPECT_EQ(loaded.seen(), wallet.seen());
  return loaded;
}

BoxEntry good_entry(const Bytes& bytes) {
  BoxEntry entry = must(decode_box_entry(bytes, election()));
  EXPECT_EQ(check_box_entry(election(), entry, kEvaluator), std::vector<Fault>{});
  return entry;
}

// From enrolment to a second vote, with the wallet written to its file and read back at every step.
TEST(Wallet, WholeWayOfAVoter) {
  SeededRandom random;
  Wallet wallet = reloaded(must(Wallet::create(election(), kBoth, random)));
  EXPECT_EQ(wallet.missing(election()), (std::vector<std::uint32_t>{0, 1}));

  const auto first = must(wallet.request(election(), 0, "ann", "4711", random));
  EXPECT_EQ(first.voter, "ann");
  EXPECT_EQ(first.code, "4711");
  EXPECT_EQ(first.style, kBoth);
  EXPECT_EQ(first.election_id, election().id());
  wallet = reloaded(wallet);
  const auto again = must(wallet.request(election(), 0, "ann", "4712", random));
  EXPECT_EQ(again.blinded_message, first.blinded_message);
  const auto second = must(wallet.request(election(), 1, "ann", "4711", random));
  EXPECT_NE(second.blinded_message, first.blinded_message);
  wallet = reloaded(wallet);

  EXPECT_TRUE(is_ok(wallet.receive(election(), two().answer(second))));
  EXPECT_EQ(wallet.missing(election()), std::vector<std::uint32_t>{0});
  wallet = reloaded(wallet);
  EXPECT_TRUE(is_ok(wallet.receive(election(), two().answer(first))));
  EXPECT_TRUE(wallet.missing(election()).empty());
  wallet = reloaded(wallet);

  const Manifest& manifest = election().manifest();
  BoxState box(manifest, 0);
  const std::vector<std::uint32_t> values = {1, 0, 0, 3, 1};
  const TrackingCode to_challenge = must(wallet.prepare(election(), votes(values), random));
  wallet = reloaded(wallet);
  EXPECT_TRUE(wallet.has_prepared());
  const Bytes challenge = must(wallet.challenge(election(), random));
  EXPECT_FALSE(wallet.has_prepared());
  wallet = reloaded(wallet);
  const BoxEntry opened = good_entry(challenge);
  EXPECT_EQ(std::get<Challenge>(opened).values, values);
  EXPECT_EQ(tracking_code(election().id(), kBoth, encrypted_of(opened)), to_challenge);
  EXPECT_TRUE(box.append(0, credential_use(manifest, opened)).has_value());

  const TrackingCode to_cast = must(wallet.prepare(election(), votes(values), random));
  EXPECT_NE(to_cast, to_challenge);
  wallet = reloaded(wallet);
  const Bytes cast = must(wallet.cast(election(), random));
  EXPECT_FALSE(wallet.has_prepared());
  wallet = reloaded(wallet);
  const BoxEntry ballot = good_entry(cast);
  EXPECT_EQ(tracking_code(election().id(), kBoth, encrypted_of(ballot)), to_cast);
  EXPECT_TRUE(box.append(1, credential_use(manifest, ballot)).has_value());
  for (std::size_t j = 0; j < values.size(); ++j) {
    const auto& [alpha, beta] = encrypted_of(ballot).ciphertexts[j];
    EXPECT_EQ(beta - crypto::multiply(two().joint_secret, alpha),
              crypto::Scalar::from_u64(values[j]) * crypto::Point::base());
  }

  must(wallet.prepare(election(), votes({0, 0, 1, 0, 0}), random));
  const BoxEntry revote = good_entry(must(wallet.cast(election(), random)));
  EXPECT_TRUE(box.append(2, credential_use(manifest, revote)).has_value());
  EXPECT_EQ(box.last_sequence(wallet.credential()), 2U);

  wallet = reloaded(wallet);
  ASSERT_EQ(wallet.sent().size(), 3U);
  EXPECT_TRUE(wallet.sent()[0].challenged);
  EXPECT_EQ(wallet.sent()[0].code, to_challenge);
  EXPECT_EQ(wallet.sent()[0].entry, challenge);
  EXPECT_FALSE(wallet.sent()[1].challenged);
  EXPECT_EQ(wallet.sent()[1].code, to_cast);
  EXPECT_EQ(wallet.sent()[1].entry, cast);
  EXPECT_FALSE(wallet.sent()[2].challenged);
}

TEST(Wallet, EachHasItsOwnCredential) {
  SeededRandom random;
  const Wallet one = must(Wallet::create(election(), kMayor, random));
  const Wallet other = must(Wallet::create(election(), kMayor, random));
  EXPECT_NE(one.credential(), other.credential());
  EXPECT_FALSE(one.credential().is_identity());
  EXPECT_TRUE(fails_with(Errc::misuse, Wallet::create(election(), 3, random)));
}

TEST(Wallet, RequestsThatMakeNoSense) {
  SeededRandom random;
  Wallet wallet = two().enrolled(kMayor, random);
  // Answered already.
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.request(election(), 0, "ann", "4711", random)));
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.request(election(), 2, "ann", "4711", random)));
  const TestElection other = test::make_election({.origin = "vote.example/other"});
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.request(*other.election, 0, "ann", "4711", random)));
}

TEST(Wallet, BadAnswersAreRefusedAndTheGoodOneStillTaken) {
  SeededRandom random;
  Wallet wallet = must(Wallet::create(election(), kMayor, random));
  const auto request = must(wallet.request(election(), 0, "ann", "4711", random));
  const auto second = must(wallet.request(election(), 1, "ann", "4711", random));
  const EnrolmentResponse good = two().answer(request);

  std::vector<EnrolmentResponse> not_signatures;
  not_signatures.push_back(two().answer(second));
  not_signatures.back().registrar = 0;
  not_signatures.push_back(good);
  not_signatures.back().registrar = 1;
  for (const std::size_t at : {std::size_t{0}, std::size_t{100}, std::size_t{255}}) {
    not_signatures.push_back(good);
    not_signatures.back().blind_signature[at] ^= 1;
  }
  not_signatures.push_back(good);
  not_signatures.back().blind_signature = request.blinded_message;
  not_signatures.push_back(good);
  not_signatures.back().blind_signature.assign(256, 0);
  not_signatures.push_back(good);
  not_signatures.back().blind_signature.assign(256, 0xff);
  not_signatures.push_back(good);
  not_signatures.back().blind_signature.pop_back();
  not_signatures.push_back(good);
  not_signatures.back().blind_signature.clear();
  for (const auto& bad : not_signatures) {
    EXPECT_TRUE(fails_with(Errc::rejected, wallet.receive(election(), bad)));
  }

  EnrolmentResponse elsewhere = good;
  elsewhere.election_id[0] ^= 1;
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.receive(election(), elsewhere)));
  elsewhere = good;
  elsewhere.style = kBoth;
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.receive(election(), elsewhere)));
  elsewhere = good;
  elsewhere.registrar = 7;
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.receive(election(), elsewhere)));

  EXPECT_EQ(wallet.missing(election()).size(), 2U);
  EXPECT_TRUE(is_ok(wallet.receive(election(), good)));
  EXPECT_EQ(wallet.missing(election()), std::vector<std::uint32_t>{1});
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.receive(election(), good)));
}

TEST(Wallet, AnswerToANewWalletIsNoCredentialOfTheOld) {
  SeededRandom random;
  Wallet wallet = must(Wallet::create(election(), kMayor, random));
  Wallet other = must(Wallet::create(election(), kMayor, random));
  must(wallet.request(election(), 0, "ann", "4711", random));
  const auto request = must(other.request(election(), 0, "ann", "4711", random));
  EXPECT_TRUE(fails_with(Errc::rejected, wallet.receive(election(), two().answer(request))));
}

TEST(Wallet, NothingIsPreparedWithoutACompleteCredential) {
  SeededRandom random;
  Wallet wallet = must(Wallet::create(election(), kMayor, random));
  const auto refused = wallet.prepare(election(), good_vote(), random);
  ASSERT_TRUE(fails_with(Errc::misuse, refused));
  EXPECT_EQ(refused.error().message,
            "the credential is not complete: the signature of registrar 0 is missing");
  must(wallet.receive(election(),
                      two().answer(must(wallet.request(election(), 0, "ann", "4711", random)))));
  const auto still = wallet.prepare(election(), good_vote(), random);
  ASSERT_TRUE(fails_with(Errc::misuse, still));
  EXPECT_EQ(still.error().message,
            "the credential is not complete: the signature of registrar 1 is missing");
  EXPECT_FALSE(wallet.has_prepared());
}

TEST(Wallet, VotesThatBreakTheRules) {
  SeededRandom random;
  Wallet mayor = two().enrolled(kMayor, random);
  for (const std::vector<std::uint32_t>& bad : {std::vector<std::uint32_t>{0, 0, 0},
                                                {1, 1, 0},
                                                {1, 1, 1},
                                                {2, 0, 0},
                                                {0xffffffff, 1, 1},
                                                {1, 0},
                                                {1, 0, 0, 0},
                                                {}}) {
    EXPECT_TRUE(fails_with(Errc::misuse, mayor.prepare(election(), votes(bad), random)));
    EXPECT_FALSE(mayor.has_prepared());
  }
  Wallet both = two().enrolled(kBoth, random);
  for (const std::vector<std::uint32_t>& bad : {std::vector<std::uint32_t>{1, 0, 0, 4, 0},
                                                {1, 0, 0, 3, 2},
                                                {0, 0, 0, 3, 1},
                                                {1, 0, 1, 3, 1},
                                                {1, 0, 0, 0xffffffff, 5}}) {
    EXPECT_TRUE(fails_with(Errc::misuse, both.prepare(election(), votes(bad), random)));
  }
  EXPECT_TRUE(is_ok(both.prepare(election(), votes({1, 0, 0, 0, 0}), random)));
  // A refused vote also takes away the one prepared before it: what is cast is what was shown last.
  EXPECT_TRUE(fails_with(Errc::misuse, both.prepare(election(), votes({1, 1, 0, 0, 0}), random)));
  EXPECT_TRUE(fails_with(Errc::misuse, both.cast(election(), random)));
}

TEST(Wallet, SendsAPreparedBallotOnce) {
  SeededRandom random;
  Wallet wallet = two().enrolled(kMayor, random);
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.cast(election(), random)));
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.challenge(election(), random)));
  must(wallet.prepare(election(), good_vote(), random));
  must(wallet.cast(election(), random));
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.cast(election(), random)));
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.challenge(election(), random)));
  must(wallet.prepare(election(), good_vote(), random));
  must(wallet.challenge(election(), random));
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.cast(election(), random)));
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.challenge(election(), random)));
  EXPECT_EQ(wallet.sent().size(), 2U);
}

TEST(Wallet, PreparingAgainDiscardsAndReencrypts) {
  SeededRandom random;
  Wallet wallet = two().enrolled(kMayor, random);
  const TrackingCode first = must(wallet.prepare(election(), good_vote(), random));
  const TrackingCode second = must(wallet.prepare(election(), good_vote(), random));
  EXPECT_NE(first, second);
  const BoxEntry entry = good_entry(must(wallet.cast(election(), random)));
  EXPECT_EQ(tracking_code(election().id(), kMayor, encrypted_of(entry)), second);
  EXPECT_EQ(encrypted_of(entry).sequence, 0U);
}

TEST(Wallet, OfAnotherElection) {
  SeededRandom random;
  const TestElection other = test::make_election({.origin = "vote.example/other", .registrars = 2});
  Wallet wallet = two().enrolled(kMayor, random);
  EXPECT_TRUE(fails_with(Errc::misuse, Wallet::load(wallet.save(), *other.election)));
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.prepare(*other.election, good_vote(), random)));
  must(wallet.prepare(election(), good_vote(), random));
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.cast(*other.election, random)));
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.challenge(*other.election, random)));
  EXPECT_TRUE(is_ok(wallet.cast(election(), random)));
}

// --- files
// ----------------------------------------------------------------------------------------

// A wallet in the middle of everything: one signature, one request, nothing sent.
Wallet half_enrolled(Random& random) {
  Wallet wallet = must(Wallet::create(election(), kMayor, random));
  must(wallet.receive(election(),
                      two().answer(must(wallet.request(election(), 0, "ann", "4711", random)))));
  must(wallet.request(election(), 1, "ann", "4711", random));
  return wallet;
}
Wallet with_everything(Random& random) {
  Wallet wallet = two().enrolled(kMayor, random);
  must(wallet.prepare(election(), good_vote(), random));
  must(wallet.cast(election(), random));
  must(wallet.prepare(election(), good_vote(), random));
  return wallet;
}

TEST(WalletFile, EveryOtherLengthIsRefused) {
  SeededRandom random;
  for (const Wallet& wallet : {half_enrolled(random), with_everything(random)}) {
    const SecretBuffer saved = wallet.save();
    const ByteView bytes = saved.expose_secret();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(Wallet::load(SecretBuffer(bytes.first(size)), election()).has_value()) << size;
    }
    Bytes longer(bytes.begin(), bytes.end());
    longer.push_back(0);
    EXPECT_TRUE(fails_with(Errc::malformed, Wallet::load(SecretBuffer(longer), election())));
  }
}

// --- what the box answered
// ------------------------------------------------------------------------

crypto::LogProof receipt_under(const std::string& checkpoint) {
  return {.extra = Bytes(32), .index = 0, .hashes = {}, .checkpoint = checkpoint};
}

std::string checkpoint() {
  const crypto::Checkpoint text{
      .origin = "vote.example/box/0", .tree = {.size = 1, .root = {}}, .extensions = {}};
  return crypto::Note{.text = text.print(),
                      .signatures = {{.name = "box", .id = 1, .signature = Bytes(64)}}}
      .print();
}

// Three ballots sent; the second has a receipt and the third was refused.
Wallet with_answers(Random& random) {
  Wallet wallet = two().enrolled(kMayor, random);
  for (int i = 0; i < 3; ++i) {
    must(wallet.prepare(election(), good_vote(), random));
    must(wallet.cast(election(), random));
  }
  must(wallet.answered(1, Wallet::Answer::receipt, receipt_under(checkpoint()).print()));
  must(wallet.answered(2, Wallet::Answer::refusal, checkpoint()));
  return wallet;
}

TEST(Wallet, KeepsWhatTheBoxAnswered) {
  SeededRandom random;
  Wallet wallet = reloaded(with_answers(random));
  ASSERT_EQ(wallet.sent().size(), 3U);
  EXPECT_EQ(wallet.sent()[0].answer, Wallet::Answer::none);
  EXPECT_EQ(wallet.sent()[0].text, "");
  EXPECT_EQ(wallet.sent()[1].answer, Wallet::Answer::receipt);
  EXPECT_EQ(wallet.sent()[1].text, receipt_under(checkpoint()).print());
  EXPECT_EQ(wallet.sent()[2].answer, Wallet::Answer::refusal);
  EXPECT_EQ(wallet.sent()[2].text, checkpoint());
  EXPECT_EQ(wallet.seen(), "");
  must(wallet.saw(checkpoint()));
  wallet = reloaded(wallet);
  EXPECT_EQ(wallet.seen(), checkpoint());
  must(wallet.prepare(election(), good_vote(), random));
  wallet = reloaded(wallet);
  must(wallet.cast(election(), random));
  wallet = reloaded(wallet);
  EXPECT_EQ(wallet.sent()[3].answer, Wallet::Answer::none);
}

TEST(Wallet, ACheckpointIsKeptBeforeAnythingIsSent) {
  SeededRandom random;
  Wallet wallet = two().enrolled(kMayor, random);
  must(wallet.saw(checkpoint()));
  EXPECT_EQ(reloaded(wallet).seen(), checkpoint());
}

TEST(Wallet, AnswersThatMakeNoSense) {
  SeededRandom random;
  Wallet wallet = with_answers(random);
  const std::string text = receipt_under(checkpoint()).print();
  using enum Wallet::Answer;
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.answered(3, receipt, text)));
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.answered(1, receipt, text)));
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.answered(2, refusal, checkpoint())));
  EXPECT_TRUE(fails_with(Errc::misuse, wallet.answered(0, none, "")));
  for (const std::string& bad :
       {std::string(), std::string("yes"), checkpoint(), text.substr(0, text.size() / 2)}) {
    EXPECT_TRUE(fails_with(Errc::malformed, wallet.answered(0, receipt, bad)));
  }
  for (const std::string& bad : {std::string(), std::string("no"), std::string(1 << 20, 'x')}) {
    EXPECT_TRUE(fails_with(Errc::malformed, wallet.answered(0, refusal, bad)));
    EXPECT_TRUE(fails_with(Errc::malformed, wallet.saw(bad)));
  }
  EXPECT_TRUE(fails_with(Errc::malformed, wallet.saw(text)));
  EXPECT_EQ(wallet.sent()[0].answer, none);
  EXPECT_EQ(wallet.seen(), "");
  EXPECT_TRUE(is_ok(wallet.answered(0, receipt, text)));
}

TEST(WalletFile, AnswersAreWholeOrNotThere) {
  SeededRandom random;
  const SecretBuffer saved = with_answers(random).save();
  const ByteView bytes = saved.expose_secret();
  const std::size_t part =
      3 + 4 + receipt_under(checkpoint()).print().size() + 4 + checkpoint().size() + 4;
  for (std::size_t size = bytes.size() - part; size < bytes.size(); ++size) {
    const auto loaded = Wallet::load(SecretBuffer(bytes.first(size)), election());
    // Without the whole part it is a wallet that never heard from a box.
    EXPECT_EQ(loaded.has_value(), size == bytes.size() - part) << size;
  }
  Bytes longer(bytes.begin(), bytes.end());
  longer.push_back(0);
  EXPECT_TRUE(fails_with(Errc::malformed, Wallet::load(SecretBuffer(longer), election())));
  // An answer of a kind that there is not, and a part that says nothing.
  Bytes other(bytes.begin(), bytes.end());
  other[bytes.size() - part] = 3;
  EXPECT_TRUE(fails_with(Errc::malformed, Wallet::load(SecretBuffer(other), election())));
  Bytes empty(bytes.begin(), bytes.end() - static_cast<std::ptrdiff_t>(part));
  empty.insert(empty.end(), 3 + 4, 0);
  EXPECT_TRUE(fails_with(Errc::malformed, Wallet::load(SecretBuffer(empty), election())));
}

TEST(WalletFile, KeysMustBelongTogether) {
  SeededRandom random;
  const SecretBuffer saved = half_enrolled(random).save();
  const auto load = [&](std::size_t at, ByteView value) {
    Bytes bytes(saved.expose_secret().begin(), saved.expose_secret().end());
    std::ranges::copy(value, bytes.begin() + static_cast<std::ptrdiff_t>(at));
    return Wallet::load(SecretBuffer(bytes), election());
  };
  // election id, style, sk, pk, next sequence, requests …
  const Bytes zero(32);
  EXPECT_TRUE(fails_with(Errc::misuse, load(0, zero)));
  EXPECT_TRUE(fails_with(Errc::malformed, load(32, Writer().u32(3).bytes())));
  EXPECT_TRUE(fails_with(Errc::malformed, load(36, zero)));
  EXPECT_TRUE(fails_with(Errc::malformed, load(36, Bytes(32, 0xff))));
  EXPECT_TRUE(fails_with(Errc::malformed, load(36, Bytes(31, 5))));
  EXPECT_TRUE(fails_with(Errc::malformed, load(68, zero)));
  EXPECT_TRUE(fails_with(Errc::malformed, load(68, crypto::Point::base().bytes())));
  // sk = 0 with pk = 0.
  EXPECT_TRUE(fails_with(Errc::malformed, load(36, Bytes(64))));
  // A number of requests that the file cannot hold.
  EXPECT_TRUE(fails_with(Errc::malformed, load(104, Writer().u32(0xffffffff).bytes())));
  // A request to a registrar that is not there.
  EXPECT_TRUE(fails_with(Errc::malformed, load(108, Writer().u32(2).bytes())));
  EXPECT_TRUE(is_ok(load(0, election().id())));
}

TEST(WalletFile, RepeatedRegistrarsAreRefused) {
  SeededRandom random;
  const SecretBuffer saved = two().enrolled(kMayor, random).save();
  Bytes bytes(saved.expose_secret().begin(), saved.expose_secret().end());
  // No requests, two signatures of 4 + 32 + 256 bytes: the second says it is registrar 0's too.
  const std::size_t second = 104 + 4 + 4 + 4 + 32 + 256;
  ASSERT_EQ(bytes[second + 3], 1);
  bytes[second + 3] = 0;
  EXPECT_TRUE(fails_with(Errc::malformed, Wallet::load(SecretBuffer(bytes), election())));
}

TEST(WalletFile, PreparedIsYesOrNo) {
  SeededRandom random;
  const SecretBuffer saved = two().enrolled(kMayor, random).save();
  Bytes bytes(saved.expose_secret().begin(), saved.expose_secret().end());
  const std::size_t at = bytes.size() - 5;  // then the number of entries sent
  ASSERT_EQ(bytes[at], 0);
  for (const unsigned value : {1U, 2U, 255U}) {
    bytes[at] = static_cast<std::uint8_t>(value);
    EXPECT_TRUE(fails_with(Errc::malformed, Wallet::load(SecretBuffer(bytes), election())));
  }
}

TEST(WalletFile, SequenceNumbersRunOut) {
  SeededRandom random;
  const SecretBuffer saved = two().enrolled(kMayor, random).save();
  Bytes bytes(saved.expose_secret().begin(), saved.expose_secret().end());
  const auto with_sequence = [&](std::uint32_t sequence) {
    const Bytes field = Writer().u32(sequence).bytes();
    std::ranges::copy(field, bytes.begin() + 100);
    return must(Wallet::load(SecretBuffer(bytes), election()));
  };
  Wallet last = with_sequence(0xfffffffe);
  must(last.prepare(election(), good_vote(), random));
  const BoxEntry entry = good_entry(must(last.cast(election(), random)));
  EXPECT_EQ(encrypted_of(entry).sequence, 0xfffffffe);
  EXPECT_TRUE(fails_with(Errc::misuse, last.prepare(election(), good_vote(), random)));
}

}  // namespace
}  // namespace psephos::protocol
