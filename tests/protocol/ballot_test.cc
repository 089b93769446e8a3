#include "psephos/protocol/ballot.h"

#include <algorithm>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "psephos/crypto/batch_evaluator.h"
#include "psephos/crypto/discrete_log_prover.h"
#include "psephos/crypto/hash.h"
#include "psephos/crypto/pedersen.h"

#include "tests/crypto/expect.h"
#include "tests/protocol/election_fixture.h"
#include "tests/support/seeded_random.h"

namespace psephos::protocol {
namespace {

using crypto::Point;
using crypto::Scalar;
using crypto::SecretScalar;
using test::fails_with;
using test::is_ok;
using test::kBoth;
using test::kIsland;
using test::kMayor;
using test::must;
using test::SeededRandom;
using test::TestElection;
using test::Voter;

const crypto::IndividualEvaluator kEvaluator;

const TestElection& basic() {
  static const TestElection election = test::make_election();
  return election;
}
const TestElection& two_registrars() {
  static const TestElection election =
      test::make_election({.origin = "vote.example/two", .registrars = 2});
  return election;
}

const std::vector<std::uint32_t> kMayorVote = {0, 1, 0};
const std::vector<std::uint32_t> kBothVote = {1, 0, 0, 3, 1};

// "V7", "V8 equation 4", …
std::vector<std::string> faults_of(const TestElection& election, const BoxEntry& entry) {
  std::vector<std::string> faults;
  for (const Fault& fault : check_box_entry(*election.election, entry, kEvaluator)) {
    EXPECT_TRUE(fault.place.empty());
    EXPECT_FALSE(fault.message.empty());
    faults.push_back(id(fault.check) + (fault.equation.empty() ? "" : " " + fault.equation));
  }
  return faults;
}
using Faults = std::vector<std::string>;

Bytes type_and_body(const BoxEntry& entry) {
  return std::visit([](const auto& e) { return encode(e); }, entry);
}

// Another stream of random bytes at each call, all from the seed of this run.
std::uint64_t next_seed() {
  static std::uint64_t seed = test::test_seed();
  return seed++;
}

// One good ballot and one good challenge of a style, made anew for each test.
struct Entries {
  explicit Entries(const TestElection& election, std::uint32_t style = kMayor)
      : voter(election.voter(style, random)),
        opening(election.encrypt(voter, 0, style == kBoth ? kBothVote : kMayorVote, random)),
        ballot(election.ballot(voter, opening, random)),
        challenge(election.challenge(voter, opening, random)) {}
  SeededRandom random{next_seed()};
  Voter voter;
  crypto::BallotOpening opening;
  Ballot ballot;
  Challenge challenge;
};

// Offsets in type ‖ body, for one registrar.
constexpr std::size_t kStyleAt = 1;
constexpr std::size_t kPkAt = 5;
constexpr std::size_t kCredentialAt = 41;
constexpr std::size_t kCiphertextsAt = kCredentialAt + 32 + 256;
constexpr std::size_t kAfterCiphertexts = kCiphertextsAt + std::size_t{3} * 64;  // style "mayor"

TEST(Ballot, GoodEntriesPass) {
  for (const TestElection* election : {&basic(), &two_registrars()}) {
    for (const std::uint32_t style : {kBoth, kMayor, kIsland}) {
      const Entries made(*election, style);
      for (const BoxEntry& entry : {BoxEntry(made.ballot), BoxEntry(made.challenge)}) {
        const Bytes bytes = type_and_body(entry);
        const BoxEntry decoded = must(decode_box_entry(bytes, *election->election));
        EXPECT_EQ(type_and_body(decoded), bytes);
        EXPECT_EQ(style_of(decoded), style);
        EXPECT_EQ(credential_of(decoded), made.voter.credential);
        EXPECT_EQ(encrypted_of(decoded).credential, made.voter.pk);
        EXPECT_EQ(faults_of(*election, decoded), Faults{});
      }
      EXPECT_EQ(32 + encode(made.ballot).size(), election->manifest().ballot_entry_size(style));
      EXPECT_EQ(32 + encode(made.challenge).size(),
                election->manifest().challenge_entry_size(style));
    }
  }
}

// The layout of docs/spec.md §8.5, written out once more.
TEST(Ballot, Layout) {
  const Entries made(two_registrars());
  const auto common = [&](std::uint8_t type) {
    Writer out;
    out.u8(type).u32(kMayor).raw(made.voter.pk.bytes()).u32(0);
    for (const auto& signature : made.voter.credential.signatures) {
      out.raw(signature.prefix).raw(signature.signature);
    }
    for (const auto& c : made.opening.ballot.ciphertexts) {
      out.raw(c.alpha.bytes()).raw(c.beta.bytes());
    }
    return out;
  };
  Writer ballot = common(32);
  const crypto::BallotProof& p = made.ballot.proof;
  for (const Point& point : {p.B, p.A, p.C, p.D, p.E_alpha, p.E_beta, p.R}) {
    ballot.raw(point.bytes());
  }
  for (const Scalar& f : p.f) {
    ballot.raw(f.bytes());
  }
  for (const Scalar& scalar : {p.z_A, p.z_C, p.z_E, p.s}) {
    ballot.raw(scalar.bytes());
  }
  EXPECT_EQ(encode(made.ballot), ballot.bytes());

  Writer challenge = common(33);
  challenge.u32(0).u32(1).u32(0);
  for (const auto& r : made.opening.r) {
    challenge.raw(r.declassify().bytes());
  }
  challenge.raw(made.challenge.signature.commitments.at(0).bytes());
  challenge.raw(made.challenge.signature.response.bytes());
  EXPECT_EQ(encode(made.challenge), challenge.bytes());
}

TEST(Ballot, DecryptsToTheVote) {
  const Entries made(basic(), kBoth);
  for (std::size_t j = 0; j < kBothVote.size(); ++j) {
    const auto& [alpha, beta] = made.ballot.encrypted.ciphertexts[j];
    EXPECT_EQ(beta - crypto::multiply(basic().joint_secret, alpha),
              Scalar::from_u64(kBothVote[j]) * Point::base());
  }
}

// --- V6: decoding
// ---------------------------------------------------------------------------------

TEST(BallotDecode, EveryOtherLengthIsRefused) {
  const Entries made(basic());
  for (const Bytes& good : {encode(made.ballot), encode(made.challenge)}) {
    for (std::size_t size = 0; size < good.size(); ++size) {
      // A copy of that size, so that reading on would be seen by the sanitizer.
      const Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_TRUE(fails_with(Errc::malformed, decode_box_entry(cut, *basic().election))) << size;
    }
    for (const std::size_t extra : {1U, 32U, 64U, 70000U}) {
      Bytes longer = good;
      longer.resize(good.size() + extra);
      EXPECT_TRUE(fails_with(Errc::malformed, decode_box_entry(longer, *basic().election)));
    }
  }
}

TEST(BallotDecode, OtherTypesAreRefused) {
  const Entries made(basic());
  for (const Bytes& good : {encode(made.ballot), encode(made.challenge)}) {
    for (unsigned type = 0; type < 256; ++type) {
      Bytes other = good;
      other[0] = static_cast<std::uint8_t>(type);
      EXPECT_EQ(decode_box_entry(other, *basic().election).has_value(), other == good) << type;
    }
  }
}

// Writes `value` over a good entry and says what the decoder answers.
std::string error_with(const Bytes& good, std::size_t at, ByteView value) {
  Bytes bad = good;
  std::ranges::copy(value, bad.begin() + static_cast<std::ptrdiff_t>(at));
  const auto decoded = decode_box_entry(bad, *basic().election);
  if (decoded.has_value()) {
    return "";
  }
  EXPECT_EQ(decoded.error().code, Errc::malformed);
  return decoded.error().message;
}

TEST(BallotDecode, StylesOutOfRangeOrOfAnotherShapeAreRefused) {
  const Entries made(basic());
  for (const Bytes& good : {encode(made.ballot), encode(made.challenge)}) {
    for (const std::uint32_t style : {kBoth, 3U, 256U, 0xffffffffU}) {
      EXPECT_NE(error_with(good, kStyleAt, Writer().u32(style).bytes()), "") << style;
    }
  }
  EXPECT_EQ(error_with(encode(made.ballot), kStyleAt, Writer().u32(3).bytes()),
            "ballot: style 3: the election has only 3");
}

TEST(BallotDecode, IdentityRules) {
  const Entries made(basic());
  const Bytes identity(32);
  const Bytes ballot = encode(made.ballot);
  const Bytes challenge = encode(made.challenge);
  for (const Bytes& good : {ballot, challenge}) {
    EXPECT_NE(error_with(good, kPkAt, identity), "");
    for (std::size_t j = 0; j < 3; ++j) {
      EXPECT_NE(error_with(good, kCiphertextsAt + 64 * j, identity), "");       // α
      EXPECT_EQ(error_with(good, kCiphertextsAt + 64 * j + 32, identity), "");  // β
    }
  }
  for (std::size_t point = 0; point < 6; ++point) {  // B, A, C, D, E_α, E_β
    EXPECT_EQ(error_with(ballot, kAfterCiphertexts + 32 * point, identity), "");
  }
  EXPECT_NE(error_with(ballot, kAfterCiphertexts + 32 * std::size_t{6}, identity), "");  // R
  EXPECT_EQ(error_with(challenge, challenge.size() - 64, identity), "");  // the signature's T
}

TEST(BallotDecode, PointsAndScalarsAreCanonical) {
  const Entries made(basic());
  const Bytes ballot = encode(made.ballot);
  const Bytes challenge = encode(made.challenge);
  std::vector<std::pair<const Bytes*, std::size_t>> points;
  std::vector<std::pair<const Bytes*, std::size_t>> scalars;
  for (const Bytes* good : {&ballot, &challenge}) {
    points.emplace_back(good, kPkAt);
    for (std::size_t k = 0; k < 6; ++k) {
      points.emplace_back(good, kCiphertextsAt + 32 * k);
    }
  }
  for (std::size_t k = 0; k < 7; ++k) {
    points.emplace_back(&ballot, kAfterCiphertexts + 32 * k);
  }
  for (std::size_t k = 7; k < 14; ++k) {
    scalars.emplace_back(&ballot, kAfterCiphertexts + 32 * k);
  }
  for (std::size_t k = 0; k < 3; ++k) {
    scalars.emplace_back(&challenge, kAfterCiphertexts + 12 + 32 * k);
  }
  points.emplace_back(&challenge, challenge.size() - 64);
  scalars.emplace_back(&challenge, challenge.size() - 32);

  for (const auto& [good, at] : points) {
    Bytes value(good->begin() + static_cast<std::ptrdiff_t>(at),
                good->begin() + static_cast<std::ptrdiff_t>(at) + 32);
    value[31] |= 0x80;  // the same element, to libsodium
    EXPECT_NE(error_with(*good, at, value), "") << at;
    EXPECT_NE(error_with(*good, at, Bytes(32, 0xff)), "") << at;
    EXPECT_NE(error_with(*good, at, must(unhex("01" + std::string(62, '0')))), "") << at;
  }
  const std::string q = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
  for (const auto& [good, at] : scalars) {
    EXPECT_NE(error_with(*good, at, must(unhex(q))), "") << at;
    EXPECT_NE(error_with(*good, at, Bytes(32, 0xff)), "") << at;
    Bytes raised(good->begin() + static_cast<std::ptrdiff_t>(at),
                 good->begin() + static_cast<std::ptrdiff_t>(at) + 32);
    raised[31] |= 0x40;
    EXPECT_NE(error_with(*good, at, raised), "") << at;
  }
}

// One bit of each byte of an entry: the decoder or the check must notice.
TEST(BallotDecode, AnyChangedByteIsNoticed) {
  const Entries made(basic());
  for (const Bytes& good : {encode(made.ballot), encode(made.challenge)}) {
    for (std::size_t i = 0; i < good.size(); ++i) {
      Bytes bad = good;
      bad[i] ^= static_cast<std::uint8_t>(1U << (i % 8));
      const auto decoded = decode_box_entry(bad, *basic().election);
      EXPECT_TRUE(!decoded.has_value() || !faults_of(basic(), *decoded).empty()) << i;
    }
  }
}

// --- V7: credentials
// ------------------------------------------------------------------------------

TEST(BallotPeek, SeesWhatDecodingSees) {
  const Entries entries(basic(), kBoth);
  for (const BoxEntry& entry : {BoxEntry(entries.ballot), BoxEntry(entries.challenge)}) {
    const auto peeked = peek_credential(type_and_body(entry));
    ASSERT_TRUE(is_ok(peeked));
    EXPECT_EQ(peeked->type,
              std::holds_alternative<Ballot>(entry) ? EntryType::ballot : EntryType::challenge);
    EXPECT_EQ(peeked->style, kBoth);
    EXPECT_EQ(peeked->pk, entries.voter.pk.bytes());
  }
}

TEST(BallotPeek, OtherTypesAndShortEntriesAreRefused) {
  const Entries entries(basic());
  Bytes bytes = type_and_body(entries.ballot);
  const auto whole = peek_credential(bytes);
  for (std::size_t size = 0; size < 37; ++size) {
    EXPECT_TRUE(fails_with(Errc::malformed, peek_credential(ByteView(bytes).first(size))));
  }
  EXPECT_EQ(peek_credential(ByteView(bytes).first(37)), whole);  // nothing behind is looked at
  for (int type = 0; type < 256; ++type) {
    bytes[0] = static_cast<std::uint8_t>(type);
    if (type != 32 && type != 33) {
      EXPECT_TRUE(fails_with(Errc::malformed, peek_credential(bytes))) << type;
    }
  }
}

TEST(BallotCredential, MessageIsThatOfTheSpecification) {
  const Entries made(basic());
  Writer expected;
  expected.raw(as_bytes("psephos/v1/credential")).raw(basic().election->id()).u32(1);
  expected.raw(made.voter.pk.bytes());
  EXPECT_EQ(credential_message(basic().election->id(), kMayor, made.voter.pk), expected.bytes());
}

TEST(BallotCredential, NotSignedByARegistrar) {
  Entries made(basic());
  auto& signature = made.ballot.credential.signatures[0].signature;
  made.random.fill(signature);
  EXPECT_EQ(faults_of(basic(), made.ballot), Faults{"V7"});
  signature.assign(signature.size(), 0);
  EXPECT_EQ(faults_of(basic(), made.ballot), Faults{"V7"});
  made.challenge.credential.signatures[0].prefix[0] ^= 1;
  EXPECT_EQ(faults_of(basic(), made.challenge), Faults{"V7"});
}

TEST(BallotCredential, EveryRegistrarMustHaveSigned) {
  const TestElection& election = two_registrars();
  const Entries made(election);
  const auto& good = made.voter.credential.signatures;
  using Named = std::vector<std::string>;
  const std::vector<std::pair<std::vector<Credential::Signature>, Named>> cases = {
      {{good[0], good[1]}, {}},
      {{good[0], good[0]}, {"registrar 1"}},
      {{good[1], good[1]}, {"registrar 0"}},
      {{good[1], good[0]}, {"registrar 0", "registrar 1"}},
      {{good[0]}, {"registrar 1"}},
      {{}, {"registrar 0", "registrar 1"}},
      {{good[0], {good[0].prefix, good[1].signature}}, {"registrar 1"}},
      {{good[0], {good[1].prefix, {}}}, {"registrar 1"}},
  };
  for (const auto& [signatures, bad] : cases) {
    const Credential credential{signatures};
    Ballot ballot = made.ballot;
    ballot.credential = credential;
    Named named;
    for (const Fault& fault : check_box_entry(*election.election, ballot, kEvaluator)) {
      EXPECT_EQ(fault.check, Check::credentials);
      named.push_back(fault.message.substr(fault.message.find("registrar")));
    }
    EXPECT_EQ(named, bad);

    const auto verified = verify_credential(*election.election, kMayor, made.voter.pk, credential);
    if (bad.empty()) {
      EXPECT_TRUE(is_ok(verified));
    } else {
      ASSERT_TRUE(fails_with(Errc::rejected, verified));
      EXPECT_EQ(verified.error().message, "the credential is not signed by " + bad.front());
    }
  }
}

TEST(BallotCredential, OfAnotherVoterStyleOrElection) {
  const Entries made(basic());
  const Entries other(basic());
  const Entries island(basic(), kIsland);
  for (const Credential* credential : {&other.voter.credential, &island.voter.credential}) {
    Ballot ballot = made.ballot;
    ballot.credential = *credential;
    EXPECT_EQ(faults_of(basic(), ballot), Faults{"V7"});
    Challenge challenge = made.challenge;
    challenge.credential = *credential;
    EXPECT_EQ(faults_of(basic(), challenge), Faults{"V7"});
  }
  // The same keys everywhere, as no election has: only the election id tells them apart.
  const TestElection elsewhere = test::make_election({.origin = "vote.example/2027"});
  ASSERT_EQ(elsewhere.election->registrar_key(0, kMayor),
            basic().election->registrar_key(0, kMayor));
  ASSERT_EQ(elsewhere.election->opening().joint_key, basic().election->opening().joint_key);
  EXPECT_EQ(faults_of(elsewhere, made.ballot),
            (Faults{"V7", "V8 constraint", "V8 equation 1", "V8 equation 2", "V8 equation 3",
                    "V8 equation 4", "V8 equation 5"}));
  EXPECT_EQ(faults_of(elsewhere, made.challenge), (Faults{"V7", "V11 signature"}));
}

TEST(BallotCredential, BallotOfOneStyleInAnotherOfTheSameShape) {
  Entries made(basic());
  made.ballot.style = kIsland;
  made.challenge.style = kIsland;
  EXPECT_TRUE(is_ok(decode_box_entry(encode(made.ballot), *basic().election)));
  EXPECT_EQ(faults_of(basic(), made.ballot).front(), "V7");
  EXPECT_EQ(faults_of(basic(), made.ballot).size(), 7U);
  EXPECT_EQ(faults_of(basic(), made.challenge), (Faults{"V7", "V11 signature"}));
}

// --- V8: the proof
// --------------------------------------------------------------------------------

TEST(BallotProofs, ReplayedUnderAnotherCredentialSequenceOrBallot) {
  Entries made(basic());
  const Faults all = {"V8 constraint", "V8 equation 1", "V8 equation 2",
                      "V8 equation 3", "V8 equation 4", "V8 equation 5"};
  // Another sequence.
  Ballot ballot = made.ballot;
  ballot.encrypted.sequence = 1;
  EXPECT_EQ(faults_of(basic(), ballot), all);
  // The same voter's other ballot.
  const auto second = basic().encrypt(made.voter, 1, kMayorVote, made.random);
  ballot = basic().ballot(made.voter, second, made.random);
  ballot.proof = made.ballot.proof;
  EXPECT_EQ(faults_of(basic(), ballot), all);
  // A copycat with a credential of their own.
  const Voter copycat = basic().voter(kMayor, made.random);
  ballot = made.ballot;
  ballot.credential = copycat.credential;
  ballot.encrypted.credential = copycat.pk;
  EXPECT_EQ(faults_of(basic(), ballot), all);
}

TEST(BallotProofs, CiphertextsChangedAfterTheProof) {
  const Entries made(basic());
  for (std::size_t j = 0; j < 3; ++j) {
    // Value + 1, and value − 1.
    for (const Scalar& change : {Scalar::one(), -Scalar::one()}) {
      Ballot ballot = made.ballot;
      ballot.encrypted.ciphertexts[j].beta =
          ballot.encrypted.ciphertexts[j].beta + change * Point::base();
      EXPECT_EQ(faults_of(basic(), ballot).size(), 6U);
    }
  }
  Ballot ballot = made.ballot;
  std::swap(ballot.encrypted.ciphertexts[0], ballot.encrypted.ciphertexts[1]);
  EXPECT_EQ(faults_of(basic(), ballot).size(), 6U);
}

// A prover who runs all moves of the proof honestly on values it must not use: the bits are any
// scalars. Values of the options are those encrypted.
Ballot cheat(Entries& made, const std::vector<Scalar>& bits, const std::vector<Scalar>& values) {
  const crypto::BallotContext& context = basic().election->ballot_context(kMayor);
  const crypto::BallotForm& form = context.form;
  EXPECT_EQ(bits.size(), form.num_bits());
  EXPECT_EQ(values.size(), form.num_options());
  SeededRandom& random = made.random;
  const auto secret = [](const Scalar& s) { return SecretScalar::from_public(s); };
  const auto draw = [&random] { return SecretScalar::random(random).declassify(); };
  const auto com = [&](const std::vector<Scalar>& u, const Scalar& r) {
    std::vector<SecretScalar> secrets;
    for (const Scalar& s : u) {
      secrets.push_back(secret(s));
    }
    return crypto::commit(*context.bases, secrets, secret(r));
  };

  Ballot ballot = made.ballot;
  std::vector<Scalar> r;
  for (std::size_t j = 0; j < values.size(); ++j) {
    r.push_back(draw());
    ballot.encrypted.ciphertexts[j] = {r[j] * Point::base(),
                                       r[j] * context.joint_key() + values[j] * Point::base()};
  }
  // L = (1 1 1): a sums to zero.
  std::vector<Scalar> a = {draw(), draw()};
  a.push_back(-(a[0] + a[1]));
  std::vector<Scalar> cross;
  std::vector<Scalar> squares;
  const Scalar two = Scalar::from_u64(2);
  for (std::size_t k = 0; k < a.size(); ++k) {
    cross.push_back(a[k] * (Scalar::one() - two * bits[k]));
    squares.push_back(-(a[k] * a[k]));
  }
  const Scalar r_B = draw(), r_A = draw(), r_C = draw(), r_D = draw(), rho = draw(), k = draw();
  crypto::BallotProof& p = ballot.proof;
  p.B = com(bits, r_B);
  p.A = com(a, r_A);
  p.C = com(cross, r_C);
  p.D = com(squares, r_D);
  crypto::BallotTranscript transcript(context, ballot.encrypted);
  const Scalar y = transcript.y(p.B, p.A, p.C, p.D);
  Scalar masked;
  Scalar randomness;
  Scalar power = y;
  for (std::size_t j = 0; j < values.size(); ++j, power = power * y) {
    masked = masked + power * a[j];  // M is the identity
    randomness = randomness + power * r[j];
  }
  p.E_alpha = rho * Point::base();
  p.E_beta = rho * context.joint_key() + masked * Point::base();
  p.R = k * Point::base();
  const Scalar x = transcript.x(p.E_alpha, p.E_beta, p.R);
  for (std::size_t i = 0; i < a.size(); ++i) {
    p.f[i] = x * bits[i] + a[i];
  }
  p.z_A = x * r_B + r_A;
  p.z_C = x * r_C + r_D;
  p.z_E = x * randomness + rho;
  p.s = k + x * made.voter.sk.declassify();
  return ballot;
}

TEST(BallotProofs, CheatingProvers) {
  Entries made(basic());
  const Scalar zero, one = Scalar::one(), two = Scalar::from_u64(2), minus = -Scalar::one();
  const auto faults = [&](const std::vector<Scalar>& bits, const std::vector<Scalar>& values) {
    return faults_of(basic(), cheat(made, bits, values));
  };
  // The prover itself is good: an honest vote passes.
  EXPECT_EQ(faults({zero, one, zero}, {zero, one, zero}), Faults{});
  // Two votes, and one taken from another option.
  EXPECT_EQ(faults({two, minus, zero}, {two, minus, zero}), Faults{"V8 equation 2"});
  EXPECT_EQ(faults({minus, one, one}, {minus, one, one}), Faults{"V8 equation 2"});
  // Over-vote, no vote, two votes.
  EXPECT_EQ(faults({one, one, zero}, {one, one, zero}), Faults{"V8 constraint"});
  EXPECT_EQ(faults({zero, zero, zero}, {zero, zero, zero}), Faults{"V8 constraint"});
  EXPECT_EQ(faults({two, zero, zero}, {two, zero, zero}),
            (Faults{"V8 constraint", "V8 equation 2"}));
  // Good bits for a bad encryption.
  EXPECT_EQ(faults({one, zero, zero}, {two, zero, zero}), Faults{"V8 equation 4"});
  EXPECT_EQ(faults({one, zero, zero}, {one, minus, zero}), Faults{"V8 equation 4"});
  EXPECT_EQ(faults({one, zero, zero}, {zero, one, zero}), Faults{"V8 equation 4"});
  EXPECT_EQ(faults({one, zero, zero}, {Scalar::from_u64(1000000), zero, zero}),
            Faults{"V8 equation 4"});
}

TEST(BallotProofs, SignedByAnotherKey) {
  Entries made(basic());
  made.voter.sk = SecretScalar::random(made.random);
  EXPECT_EQ(faults_of(basic(), cheat(made, {Scalar::one(), Scalar(), Scalar()},
                                     {Scalar::one(), Scalar(), Scalar()})),
            Faults{"V8 equation 5"});
}

TEST(BallotProofs, OfAnotherShape) {
  Entries made(basic());
  made.ballot.encrypted.ciphertexts.pop_back();
  EXPECT_EQ(faults_of(basic(), made.ballot), Faults{"V8 decode"});
}

// --- V11: challenges
// ------------------------------------------------------------------------------

// A challenge that claims something else than it encrypts, signed by the voter all the same.
Challenge lie(Entries& made, const std::function<void(Challenge&)>& change) {
  Challenge challenge = made.challenge;
  change(challenge);
  challenge.signature = crypto::prove(
      {.bases = {Point::base()}, .points = {made.voter.pk}}, made.voter.sk,
      challenge_transcript(basic().election->id(), challenge.style, challenge.encrypted,
                           challenge.values, challenge.randomness),
      made.random);
  return challenge;
}

TEST(Challenges, DoNotOpen) {
  Entries made(basic());
  const auto faults = [&](const std::function<void(Challenge&)>& change) {
    return faults_of(basic(), lie(made, change));
  };
  EXPECT_EQ(faults([](Challenge&) {}), Faults{});
  EXPECT_EQ(faults([](Challenge& c) { c.values[0] = 1; }), Faults{"V11 opening of option 1"});
  EXPECT_EQ(faults([](Challenge& c) { std::swap(c.values[1], c.values[2]); }),
            (Faults{"V11 opening of option 2", "V11 opening of option 3"}));
  EXPECT_EQ(faults([](Challenge& c) { c.values[2] = 0xffffffff; }),
            Faults{"V11 opening of option 3"});
  EXPECT_EQ(faults([](Challenge& c) { c.randomness[1] = c.randomness[1] + Scalar::one(); }),
            Faults{"V11 opening of option 2"});
  EXPECT_EQ(faults([](Challenge& c) { c.randomness[0] = Scalar(); }),
            Faults{"V11 opening of option 1"});
  EXPECT_EQ(faults([](Challenge& c) { std::swap(c.randomness[0], c.randomness[2]); }),
            (Faults{"V11 opening of option 1", "V11 opening of option 3"}));
  EXPECT_EQ(faults([](Challenge& c) {
              c.encrypted.ciphertexts[1].alpha = c.encrypted.ciphertexts[1].alpha + Point::base();
            }),
            Faults{"V11 opening of option 2"});
  EXPECT_EQ(faults([](Challenge& c) {
              c.encrypted.ciphertexts[1].beta = c.encrypted.ciphertexts[1].beta + Point::base();
            }),
            Faults{"V11 opening of option 2"});
}

TEST(Challenges, MayOpenAnyVoteTheyEncrypted) {
  // A challenge need not be a vote the rules allow: nothing counts it.
  Entries made(basic());
  made.challenge = lie(made, [](Challenge& c) {
    c.values[0] = 7;
    c.encrypted.ciphertexts[0].beta =
        c.encrypted.ciphertexts[0].beta + Scalar::from_u64(7) * Point::base();
  });
  EXPECT_EQ(faults_of(basic(), made.challenge), Faults{});
}

TEST(Challenges, NotSignedByTheCredential) {
  Entries made(basic());
  const Voter other = basic().voter(kMayor, made.random);
  // Another's signature, under the voter's name.
  Challenge forged = basic().challenge(other, made.opening, made.random);
  forged.credential = made.voter.credential;
  EXPECT_EQ(faults_of(basic(), forged), Faults{"V11 signature"});
  // A signature for other values, another sequence, another style of the same shape.
  for (const auto& change : std::vector<std::function<void(Challenge&)>>{
           [](Challenge& c) { c.encrypted.sequence = 1; },
           [](Challenge& c) { c.signature.response = Scalar(); },
           [](Challenge& c) { c.signature.commitments[0] = Point(); },
           [](Challenge& c) { c.signature.commitments.clear(); }}) {
    Challenge challenge = made.challenge;
    change(challenge);
    EXPECT_EQ(faults_of(basic(), challenge), Faults{"V11 signature"});
  }
  Challenge challenge = made.challenge;
  challenge.values[0] = 1;
  EXPECT_EQ(faults_of(basic(), challenge), (Faults{"V11 signature", "V11 opening of option 1"}));
}

TEST(Challenges, AllFaultsAreNamed) {
  Entries made(basic());
  made.challenge.credential.signatures[0].prefix[5] ^= 4;
  made.challenge.values = {5, 5, 5};
  EXPECT_EQ(faults_of(basic(), made.challenge),
            (Faults{"V7", "V11 signature", "V11 opening of option 1", "V11 opening of option 2",
                    "V11 opening of option 3"}));
}

// --- tracking codes and shards
// --------------------------------------------------------------------

TEST(TrackingCode, IsThatOfTheSpecification) {
  const Entries made(basic());
  Writer expected;
  expected.raw(as_bytes("psephos/v1/tracking")).raw(basic().election->id()).u32(kMayor);
  expected.raw(made.voter.pk.bytes()).u32(0);
  for (const auto& c : made.opening.ballot.ciphertexts) {
    expected.raw(c.alpha.bytes()).raw(c.beta.bytes());
  }
  const TrackingCode code = tracking_code(basic().election->id(), kMayor, made.ballot.encrypted);
  EXPECT_EQ(code, crypto::sha256({expected.bytes()}));
  EXPECT_EQ(must(parse_tracking_code(print(code))), code);
  EXPECT_NE(tracking_code(basic().election->id(), kIsland, made.ballot.encrypted), code);
}

TEST(TrackingCode, Texts) {
  // Python's base64.b32encode.
  TrackingCode code{};
  EXPECT_EQ(print(code), "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa");
  code.fill(0xff);
  EXPECT_EQ(print(code), "7777-7777-7777-7777-7777-7777-7777-7777-7777-7777-7777-7777-777q");
  for (std::size_t i = 0; i < 32; ++i) {
    code[i] = static_cast<std::uint8_t>(i);
  }
  const std::string text = "aaaq-eaye-auda-ocaj-bifq-ydio-b4ib-ceqt-cqkr-mfyy-denb-wha5-dypq";
  EXPECT_EQ(print(code), text);
  EXPECT_EQ(must(parse_tracking_code(text)), code);
  EXPECT_EQ(
      must(parse_tracking_code("AAAQ eaye AUDAocaj-BIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5 - dypq ")),
      code);
}

TEST(TrackingCode, OtherTextsAreRefused) {
  const std::string good = "aaaq-eaye-auda-ocaj-bifq-ydio-b4ib-ceqt-cqkr-mfyy-denb-wha5-dypq";
  for (const std::string& bad :
       {std::string(), std::string("-"), good.substr(0, good.size() - 1), good + "a", good + good,
        good + "=", "1" + good.substr(1), "0" + good.substr(1), "8" + good.substr(1),
        "9" + good.substr(1), "_" + good.substr(1), "\n" + good, "\t" + good, good + "\xc3\xa4",
        std::string(1, '\0') + good, good.substr(0, good.size() - 1) + "r",
        good.substr(0, good.size() - 1) + "b"}) {
    EXPECT_TRUE(fails_with(Errc::malformed, parse_tracking_code(bad))) << bad;
  }
  SeededRandom random;
  for (std::size_t i = 0; i < test::iterations(200); ++i) {
    TrackingCode code;
    random.fill(code);
    EXPECT_EQ(must(parse_tracking_code(print(code))), code);
  }
}

TEST(Shards, OfKnownKeys) {
  // SHA-256 of G begins with b4aed8a6, that of 2·G with 364ad22c (Python's hashlib).
  const Point g = Point::base();
  const Point gg = g + g;
  const std::vector<std::array<std::uint32_t, 3>> expected = {
      {1, 0, 0}, {2, 1, 0}, {3, 2, 0}, {7, 4, 1}, {16, 11, 3}, {255, 179, 54}, {256, 180, 54}};
  for (const auto& [shards, of_g, of_gg] : expected) {
    EXPECT_EQ(shard_of(g.bytes(), shards), of_g);
    EXPECT_EQ(shard_of(gg.bytes(), shards), of_gg);
  }
}

// --- many at once
// ---------------------------------------------------------------------------------

// Each entry of a mixture gets the verdict it gets alone, whatever stands beside it.
TEST(JudgeBoxEntries, AsEachAlone) {
  const TestElection& election = two_registrars();
  SeededRandom random(next_seed());
  SystemRandom system_random;
  const crypto::BatchEvaluator batch(system_random);
  std::vector<Bytes> entries = {{}, {99}};
  for (const std::uint32_t style : {kMayor, kBoth}) {
    const Entries good(election, style);
    for (const Bytes& bytes : {encode(good.ballot), encode(good.challenge)}) {
      entries.push_back(bytes);
      for (std::size_t i = 0; i < test::iterations(25); ++i) {
        entries.push_back(bytes);
        entries.back()[random.below(bytes.size())] ^=
            static_cast<std::uint8_t>(1U << random.below(8));
      }
    }
  }
  const std::vector<ByteView> views(entries.begin(), entries.end());
  const auto judged = judge_box_entries(*election.election, views, batch);
  const auto individually = judge_box_entries(*election.election, views, kEvaluator);
  ASSERT_EQ(judged.size(), entries.size());
  ASSERT_EQ(individually.size(), entries.size());
  std::size_t num_good = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(judged[i].faults, individually[i].faults) << i;
    const auto alone = decode_box_entry(entries[i], *election.election);
    ASSERT_EQ(judged[i].entry.has_value(), alone.has_value()) << i;
    if (alone.has_value()) {
      EXPECT_EQ(judged[i].faults, check_box_entry(*election.election, *alone, kEvaluator)) << i;
      EXPECT_EQ(type_and_body(*judged[i].entry), entries[i]);
    } else {
      ASSERT_EQ(judged[i].faults.size(), 1U);
      EXPECT_EQ(judged[i].faults.front().check, Check::ballots);
    }
    num_good += judged[i].faults.empty() ? 1U : 0U;
  }
  EXPECT_EQ(num_good, 4U);
}

}  // namespace
}  // namespace psephos::protocol
