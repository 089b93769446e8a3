#include "psephos/protocol/opening.h"

#include <string>

#include <gtest/gtest.h>

#include "psephos/crypto/hash.h"

#include "tests/protocol/fixtures.h"

namespace psephos::protocol {
namespace {

using crypto::Point;
using crypto::Scalar;
using test::must;
using test::Play;

// Opened is a play just after its opening.
struct Opened {
  Opened() {
    play.to(Play::Phase::opened);
    payload = play.said.back().payload;
  }
  Play play;
  Bytes payload;
};

TEST(Roster, DecodesWhatItEncodes) {
  Play play;
  play.to(Ceremony::Round::commit);
  const Bytes payload = play.said.front().payload;
  ASSERT_EQ(payload.size(), 64U + 3 * 64);
  const Roster roster = must(Roster::decode(payload, *play.manifest));
  EXPECT_EQ(roster.encode(), payload);
  EXPECT_EQ(roster.authority, play.authority.public_key());
  EXPECT_EQ(roster.trustees[2], play.trustees[2].public_keys());

  for (std::size_t size = 0; size < payload.size(); ++size) {
    EXPECT_FALSE(Roster::decode(ByteView(payload).first(size), *play.manifest).has_value());
  }
  Bytes longer = payload;
  longer.push_back(0);
  EXPECT_EQ(Roster::decode(longer, *play.manifest).error().message, "roster: 1 bytes too many");

  Roster changed = roster;
  changed.trustees[1].identity = changed.trustees[0].identity;
  EXPECT_EQ(Roster::decode(changed.encode(), *play.manifest).error().message,
            "trustee 2: identity key occurs twice");
  changed = roster;
  changed.trustees[2].transport = changed.trustees[0].transport;
  EXPECT_EQ(Roster::decode(changed.encode(), *play.manifest).error().message,
            "trustee 3: transport key occurs twice");
  changed = roster;
  changed.trustees[2].transport = Point();
  EXPECT_FALSE(Roster::decode(changed.encode(), *play.manifest).has_value());
  changed = roster;
  changed.main_log.bytes = {};  // a point of small order
  EXPECT_FALSE(Roster::decode(changed.encode(), *play.manifest).has_value());
}

TEST(Opening, DecodesWhatItEncodes) {
  const Opened opened;
  const Manifest& manifest = *opened.play.manifest;
  const Opening opening = must(Opening::decode(opened.payload, manifest));
  EXPECT_EQ(opened.payload.size(), 96U + 3 * (64 + 2 * 32) + 2 * 64 + 2 * 32);
  EXPECT_EQ(opening.encode(), opened.payload);
  for (std::size_t size = 0; size < opened.payload.size(); ++size) {
    EXPECT_FALSE(Opening::decode(ByteView(opened.payload).first(size), manifest).has_value());
  }
  Bytes longer = opened.payload;
  longer.push_back(0);
  EXPECT_FALSE(Opening::decode(longer, manifest).has_value());
}

TEST(Opening, RefusesTheIdentityAndRepeatedLogKeys) {
  const Opened opened;
  const Manifest& manifest = *opened.play.manifest;
  const Opening good = must(Opening::decode(opened.payload, manifest));
  const auto message = [&](const Opening& opening) {
    const auto decoded = Opening::decode(opening.encode(), manifest);
    return decoded.has_value() ? "(accepted)" : decoded.error().message;
  };
  Opening bad = good;
  bad.joint_key = Point();
  EXPECT_TRUE(message(bad).starts_with("joint key"));
  bad = good;
  bad.commitments[1][0] = Point();
  EXPECT_TRUE(message(bad).starts_with("trustee 2: commitment 0"));
  bad = good;
  bad.commitments[1][1] = Point();  // a leading coefficient may be zero
  EXPECT_EQ(message(bad), "(accepted)");
  bad = good;
  bad.registrars[1].log = bad.roster.main_log;
  EXPECT_EQ(message(bad), "registrar 1: log key is another log's key too");
  bad = good;
  bad.box_logs[0] = bad.registrars[0].log;
  EXPECT_EQ(message(bad), "box/0: log key is another log's key too");
  bad = good;
  bad.box_logs[1] = bad.box_logs[0];
  EXPECT_EQ(message(bad), "box/1: log key is another log's key too");
}

TEST(Election, IdIsTheHashOfManifestAndOpening) {
  const Opened opened;
  const Election& election = *opened.play.log.election();
  EXPECT_EQ(election.id(), crypto::sha256({as_bytes("psephos/v1/election"),
                                           opened.play.manifest->digest, opened.payload}));
  EXPECT_EQ(election.ballot_context(1).election_id, election.id());
  EXPECT_EQ(election.ballot_context(1).style, 1U);
  EXPECT_EQ(election.ballot_context(0).joint_key(), election.opening().joint_key);
}

TEST(Election, PublicSharesAreThoseOfTheSecretOnes) {
  const Opened opened;
  for (std::uint32_t j = 1; j <= 3; ++j) {
    EXPECT_EQ(opened.play.log.election()->public_share(j), multiply_base(opened.play.share_of(j)));
  }
}

TEST(Election, ModuliDigestIsInTheOrderOfStyles) {
  const Opened opened;
  const auto keys = opened.play.log.credential_keys();
  ASSERT_EQ(keys[1].size(), 2U);
  EXPECT_EQ(moduli_digest(keys[1]), crypto::sha256({keys[1][0].modulus(), keys[1][1].modulus()}));
  EXPECT_EQ(opened.play.log.election()->opening().registrars[1].moduli_digest,
            moduli_digest(keys[1]));
  EXPECT_EQ(opened.play.log.election()->registrar_key(1, 0), keys[1][0]);
}

TEST(Election, RefusesOtherCredentialKeys) {
  const Opened opened;
  const auto& manifest = opened.play.manifest;
  const auto keys = opened.play.log.credential_keys();
  auto swapped = keys;
  std::swap(swapped[0][0], swapped[0][1]);
  EXPECT_EQ(Election::create(manifest, opened.payload, swapped).error(),
            (Error{Errc::rejected,
                   "registrar 0: the opening's digest of moduli is not that of the credential "
                   "keys"}));
  auto fewer = keys;
  fewer[1].pop_back();
  EXPECT_EQ(Election::create(manifest, opened.payload, fewer).error().message,
            "registrar 1: has 1 credential keys, must have 2");
  fewer = keys;
  fewer.pop_back();
  EXPECT_EQ(Election::create(manifest, opened.payload, fewer).error().message,
            "credential keys of 1 registrars, must be of 2");
  EXPECT_TRUE(Election::create(manifest, opened.payload, keys).has_value());
}

TEST(Election, NamesItsLogsAndTheirKeys) {
  const Opened opened;
  const Election& election = *opened.play.log.election();
  EXPECT_EQ(election.log_names(),
            (std::vector<std::string>{"main", "box/0", "box/1", "roll/0", "roll/1"}));
  const auto key_of = [&](const std::string& log) { return must(election.log_verifier(log)); };
  EXPECT_EQ(key_of("main").name(), "vote.example/2026/main");
  EXPECT_EQ(key_of("main").key(), election.opening().roster.main_log);
  EXPECT_EQ(key_of("box/1").key(), opened.play.box_logs[1]);
  EXPECT_EQ(key_of("roll/0").key(), opened.play.registrar_logs[0].public_key());
  EXPECT_EQ(key_of("roll/1").algorithm(), crypto::NoteAlgorithm::ed25519);
  for (const std::string log : {"", "box/2", "roll/2", "box/00", "main/"}) {
    EXPECT_EQ(election.log_verifier(log).error().code, Errc::misuse) << log;
  }
}

}  // namespace
}  // namespace psephos::protocol
