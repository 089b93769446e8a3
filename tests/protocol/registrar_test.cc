#include "psephos/protocol/registrar.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "psephos/crypto/hash.h"
#include "psephos/crypto/hmac.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/log_writer.h"
#include "psephos/protocol/main_log.h"
#include "psephos/protocol/wallet.h"

#include "tests/crypto/expect.h"
#include "tests/protocol/election_fixture.h"
#include "tests/support/memory_store.h"
#include "tests/support/seeded_random.h"

namespace psephos::protocol {
namespace {

using test::fails_with;
using test::is_ok;
using test::kBoth;
using test::kIsland;
using test::kMayor;
using test::MemoryStore;
using test::must;
using test::SeededRandom;

// A registrar with keys of its own making (three, which takes a second: once per process) and its
// election.
struct Office {
  SeededRandom random;
  SerialExecutor executor;
  std::shared_ptr<const Manifest> manifest = test::manifest_of({.voters = 3});
  Registrar registrar = must(Registrar::create(*manifest, 0, random, executor));
  std::shared_ptr<const Election> election = open();
  Result<void> started = registrar.start(*election);

  // Another call opens another election, with another box, over the same cards.
  [[nodiscard]] std::shared_ptr<const Election> open() {
    std::vector<crypto::RsaPublicKey> keys;
    for (const Message& message : registrar.credential_keys(*manifest)) {
      keys.push_back(must(CredentialKey::decode(message.payload, *manifest)).key);
    }
    return test::election_with(manifest,
                               {.joint_key = crypto::Point::base(),
                                .registrar_logs = {registrar.log_key()},
                                .credentials = {keys},
                                .box_logs = BoxKeys::create(*manifest, random).public_keys()});
  }
};
Office& office() {
  static Office office;
  return office;
}

const Roll kRoll = {{"ann", {kMayor, "ann's code"}},
                    {"bo", {kIsland, "bo's code"}},
                    {"cy", {kMayor, "cy's code"}},
                    {"no code", {kMayor, ""}}};

EnrolmentRequest request_of(Wallet& wallet, const std::string& voter, const std::string& code) {
  return must(wallet.request(*office().election, 0, voter, code, office().random));
}
Wallet wallet_of(std::uint32_t style) {
  return must(Wallet::create(*office().election, style, office().random));
}
Result<Registrar::Answer> issue(const IssuanceState& state, const EnrolmentRequest& request) {
  return office().registrar.issue(*office().election, kRoll, state, request);
}

TEST(Registrar, KeysAreOnePerStyleAndSigned) {
  const auto messages = office().registrar.credential_keys(*office().manifest);
  ASSERT_EQ(messages.size(), 3U);
  std::set<Bytes> moduli;
  for (std::uint32_t style = 0; style < 3; ++style) {
    const Message& message = messages[style];
    EXPECT_EQ(message.type, MessageType::credential_key);
    EXPECT_EQ(message.context, office().manifest->digest);
    EXPECT_EQ(message.sender, 0U);
    EXPECT_TRUE(is_ok(message.verify(office().registrar.log_key())));
    const auto key = must(CredentialKey::decode(message.payload, *office().manifest));
    EXPECT_EQ(key.style, style);
    EXPECT_EQ(key.key.modulus_bits(), 2048U);
    moduli.insert(key.key.modulus());
  }
  EXPECT_EQ(moduli.size(), 3U);
}

TEST(Registrar, CreateRefusesARegistrarTheManifestDoesNotList) {
  EXPECT_TRUE(fails_with(
      Errc::misuse, Registrar::create(*office().manifest, 1, office().random, office().executor)));
}

TEST(Registrar, VoterGetsACredential) {
  IssuanceState state(*office().manifest);
  Wallet wallet = wallet_of(kMayor);
  const EnrolmentRequest request = request_of(wallet, "ann", "ann's code");
  const auto answer = must(issue(state, request));
  ASSERT_TRUE(answer.issuance.has_value());
  EXPECT_EQ(answer.issuance->style, kMayor);
  EXPECT_EQ(answer.issuance->blinded_digest, crypto::sha256({request.blinded_message}));
  EXPECT_EQ(answer.issuance->pseudonym,
            office().registrar.pseudonym(office().election->id(), "ann"));
  EXPECT_EQ(answer.response.election_id, office().election->id());
  EXPECT_EQ(answer.response.style, kMayor);
  EXPECT_TRUE(is_ok(wallet.receive(*office().election, answer.response)));
  EXPECT_TRUE(wallet.missing(*office().election).empty());
}

TEST(Registrar, RetryGetsTheSameAnswerAnotherMessageNone) {
  IssuanceState state(*office().manifest);
  Wallet wallet = wallet_of(kMayor);
  const EnrolmentRequest request = request_of(wallet, "ann", "ann's code");
  const auto first = must(issue(state, request));
  ASSERT_TRUE(state.append(*first.issuance).has_value());
  for (int i = 0; i < 3; ++i) {
    const auto again = must(issue(state, request_of(wallet, "ann", "ann's code")));
    EXPECT_FALSE(again.issuance.has_value());
    EXPECT_EQ(again.response.blind_signature, first.response.blind_signature);
  }
  Wallet second = wallet_of(kMayor);
  const auto refused = issue(state, request_of(second, "ann", "ann's code"));
  ASSERT_TRUE(fails_with(Errc::misuse, refused));
  EXPECT_EQ(refused.error().message,
            "this voter has got a credential for another blinded message before; the wallet that "
            "asked first must be used");
  // Another voter cannot ride on the same blinded message.
  EXPECT_TRUE(fails_with(Errc::misuse, issue(state, request_of(wallet, "cy", "cy's code"))));
  EXPECT_TRUE(is_ok(issue(state, request_of(second, "cy", "cy's code"))));
}

TEST(Registrar, NotOnTheRoll) {
  const IssuanceState state(*office().manifest);
  Wallet mayor = wallet_of(kMayor);
  Wallet both = wallet_of(kBoth);
  EnrolmentRequest no_such_style = request_of(mayor, "ann", "ann's code");
  no_such_style.style = 77;
  std::set<std::string> messages;
  for (const EnrolmentRequest& request :
       {request_of(mayor, "dora", "ann's code"), request_of(mayor, "dora", ""),
        request_of(mayor, "", ""), request_of(mayor, "Ann", "ann's code"),
        request_of(mayor, "ann ", "ann's code"), request_of(mayor, "ann", "bo's code"),
        request_of(mayor, "ann", ""), request_of(mayor, "ann", "ann's cod"),
        request_of(mayor, "ann", "ann's codf"), request_of(mayor, "ann", "ann's code "),
        request_of(mayor, "ann", std::string("ann's code\0", 11)),
        request_of(mayor, "bo", "bo's code"), request_of(both, "ann", "ann's code"),
        request_of(mayor, "no code", ""), request_of(mayor, "no code", "no code"), no_such_style}) {
    const auto refused = issue(state, request);
    ASSERT_TRUE(fails_with(Errc::rejected, refused)) << request.voter;
    messages.insert(refused.error().message);
  }
  EXPECT_EQ(messages.size(), 1U) << "a stranger would learn what is on the roll";
}

TEST(Registrar, OtherElectionOrRegistrar) {
  const IssuanceState state(*office().manifest);
  Wallet wallet = wallet_of(kMayor);
  EnrolmentRequest request = request_of(wallet, "ann", "ann's code");
  request.election_id[0] ^= 1;
  EXPECT_TRUE(fails_with(Errc::misuse, issue(state, request)));
  request = request_of(wallet, "ann", "ann's code");
  request.registrar = 1;
  EXPECT_TRUE(fails_with(Errc::misuse, issue(state, request)));

  const auto other = test::make_election({.origin = "vote.example/other"});
  request = request_of(wallet, "ann", "ann's code");
  request.election_id = other.election->id();
  EXPECT_TRUE(
      fails_with(Errc::misuse, office().registrar.issue(*other.election, kRoll, state, request)));
  EXPECT_TRUE(fails_with(Errc::misuse, office().registrar.log_signer(other.manifest())));

  // An election of the same manifest that lists other keys for this registrar.
  const auto usurped = test::make_election({.voters = 3});
  ASSERT_EQ(usurped.manifest().digest, office().manifest->digest);
  request.election_id = usurped.election->id();
  EXPECT_TRUE(
      fails_with(Errc::misuse, office().registrar.issue(*usurped.election, kRoll, state, request)));
}

TEST(Registrar, BadBlindedMessages) {
  const IssuanceState state(*office().manifest);
  Wallet wallet = wallet_of(kMayor);
  const EnrolmentRequest good = request_of(wallet, "ann", "ann's code");
  const Bytes& n = office().election->registrar_key(0, kMayor).modulus();
  Bytes n_minus_1 = n;
  n_minus_1.back() ^= 1;  // n is odd
  Bytes one(256);
  one.back() = 1;
  for (const Bytes& bad :
       {Bytes(), Bytes(255, 1), Bytes(257, 1), Bytes(256), one, n, n_minus_1, Bytes(256, 0xff)}) {
    EnrolmentRequest request = good;
    request.blinded_message = bad;
    EXPECT_TRUE(fails_with(Errc::malformed, issue(state, request)));
  }
}

TEST(Registrar, NoMoreThanVoters) {
  IssuanceState state(*office().manifest);
  for (std::uint8_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(state.append({.pseudonym = {i}, .style = kMayor, .blinded_digest = {i}}));
  }
  Wallet wallet = wallet_of(kMayor);
  EXPECT_TRUE(fails_with(Errc::misuse, issue(state, request_of(wallet, "ann", "ann's code"))));
}

// The registrar's machine dies between the log and the answer: the log alone is the state.
TEST(Registrar, AnswerIsTheSameAfterACrash) {
  MemoryStore store;
  const auto signer = must(office().registrar.log_signer(*office().manifest));
  LogWriter log = must(LogWriter::create(store, "roll/0", signer));
  Wallet wallet = wallet_of(kMayor);
  const EnrolmentRequest request = request_of(wallet, "ann", "ann's code");
  const auto first = must(issue(IssuanceState(*office().manifest), request));
  ASSERT_TRUE(is_ok(log.append(first.issuance->encode())));
  ASSERT_TRUE(is_ok(log.publish()));

  const Registrar restarted = must(Registrar::load(must(office().registrar.save())));
  IssuanceState state(*office().manifest);
  const LogReader reader =
      must(LogReader::open(store, "roll/0", office().manifest->log_origin("roll/0")));
  const Bytes entry = must(reader.entry(0));
  ASSERT_TRUE(state.append(must(Issuance::decode(must(payload_of(entry)), *office().manifest))));
  const auto again = must(restarted.issue(*office().election, kRoll, state, request));
  EXPECT_FALSE(again.issuance.has_value());
  EXPECT_EQ(again.response.blind_signature, first.response.blind_signature);
  EXPECT_TRUE(is_ok(wallet.receive(*office().election, again.response)));
}

TEST(Registrar, PseudonymIsThatOfTheSpecification) {
  const SecretBuffer saved = must(office().registrar.save());
  SecretBytes<32> salt;  // manifest digest, index, log key, salt key
  std::ranges::copy(saved.expose_secret().subspan(32 + 4 + 32, 32), salt.expose_secret().begin());
  Writer message;
  message.raw(as_bytes("psephos/v1/roll")).raw(office().election->id()).raw(as_bytes("ann"));
  const Digest32 ann = office().registrar.pseudonym(office().election->id(), "ann");
  EXPECT_EQ(ann, crypto::hmac_sha256(salt, {message.bytes()}));
  EXPECT_NE(ann, office().registrar.pseudonym(office().election->id(), "bo"));
  EXPECT_NE(ann, office().registrar.pseudonym(Digest32{}, "ann"));
}

// --- issuing apart from the roll -----------------------------------------------------------------

TEST(RegistrarIssueTo, DecidesAsIssueDoes) {
  Wallet wallet = wallet_of(kMayor);
  const EnrolmentRequest request = request_of(wallet, "ann", "ann's code");
  const auto issue_to = [&](std::optional<std::uint32_t> style, const Issuance* before) {
    return office().registrar.issue_to(*office().election, style, before, request);
  };
  const auto by_roll = must(issue(IssuanceState(*office().manifest), request));
  const auto answer = must(issue_to(kMayor, nullptr));
  ASSERT_TRUE(answer.issuance.has_value());
  EXPECT_EQ(*answer.issuance, *by_roll.issuance);
  EXPECT_EQ(answer.response.encode(), by_roll.response.encode());
  // Nobody found, or found with another style: as an unknown voter.
  for (const std::optional<std::uint32_t> style :
       std::vector<std::optional<std::uint32_t>>{std::nullopt, kBoth, kIsland, 3, 77}) {
    const auto refused = issue_to(style, nullptr);
    EXPECT_TRUE(fails_with(Errc::rejected, refused));
    EXPECT_EQ(refused.error().message,
              "not on the roll with this voter id, code and ballot style; check all three");
    // Also where there was an answer before.
    EXPECT_TRUE(fails_with(Errc::rejected, issue_to(style, &*answer.issuance)));
  }
  // Answered before: the same again, and nothing for the log.
  const auto again = must(issue_to(kMayor, &*answer.issuance));
  EXPECT_FALSE(again.issuance.has_value());
  EXPECT_EQ(again.response.encode(), answer.response.encode());
  EXPECT_TRUE(is_ok(wallet.receive(*office().election, again.response)));
  // With anything else before, nothing.
  std::vector<Issuance> others(3, *answer.issuance);
  others[0].pseudonym[0] ^= 1;
  others[1].blinded_digest[31] ^= 1;
  others[2].style = kIsland;
  for (const Issuance& before : others) {
    EXPECT_TRUE(fails_with(Errc::misuse, issue_to(kMayor, &before)));
  }
}

TEST(RegistrarIssueTo, TrustsTheCallerForTheVoterOnly) {
  Wallet wallet = wallet_of(kMayor);
  const auto issue_to = [&](const EnrolmentRequest& request) {
    return office().registrar.issue_to(*office().election, request.style, nullptr, request);
  };
  // No code is looked at, and no roll.
  EXPECT_TRUE(is_ok(issue_to(request_of(wallet, "dora", ""))));
  EnrolmentRequest request = request_of(wallet, "ann", "");
  request.style = 3;
  EXPECT_TRUE(fails_with(Errc::rejected, issue_to(request))) << "no such style, says who may";
  request = request_of(wallet, "ann", "");
  request.registrar = 1;
  EXPECT_TRUE(fails_with(Errc::misuse, issue_to(request)));
  request = request_of(wallet, "ann", "");
  request.election_id[31] ^= 1;
  EXPECT_TRUE(fails_with(Errc::misuse, issue_to(request)));
  request = request_of(wallet, "ann", "");
  request.blinded_message.assign(256, 0);
  EXPECT_TRUE(fails_with(Errc::malformed, issue_to(request)));
  const auto other = office().open();
  request = request_of(wallet, "ann", "");
  request.election_id = other->id();
  EXPECT_TRUE(
      fails_with(Errc::misuse, office().registrar.issue_to(*other, kMayor, nullptr, request)));
}

// --- rolls ---------------------------------------------------------------------------------------

SecretBytes<32> salt_key() {
  const SecretBuffer saved = must(office().registrar.save());
  SecretBytes<32> salt;  // manifest digest, index, log key, salt key
  std::ranges::copy(saved.expose_secret().subspan(32 + 4 + 32, 32), salt.expose_secret().begin());
  return salt;
}

// A registrar of the same manifest with keys of its own, not started.
const Registrar& fresh() {
  static const Registrar registrar = [] {
    SeededRandom random(test::test_seed() + 1);
    return must(Registrar::create(*office().manifest, 0, random, office().executor));
  }();
  return registrar;
}

TEST(RegistrarRoll, CodeDigestIsThatOfTheSpecification) {
  const Digest32& id = office().election->id();
  const auto digest = [&](std::string_view voter, std::string_view code) {
    return office().registrar.code_digest(id, voter, code);
  };
  Writer message;
  message.raw(as_bytes("psephos/v1/roll-code")).raw(id).var("ann").var("her code");
  EXPECT_EQ(digest("ann", "her code"), crypto::hmac_sha256(salt_key(), {message.bytes()}));
  // Another one for another voter, code, split between the two, election and key.
  std::set<Digest32> digests;
  const std::vector<std::pair<std::string, std::string>> pairs = {
      {"ann", "her code"}, {"bo", "her code"},   {"ann", "her codf"},
      {"annh", "er code"}, {"ann", "her code "}, {"", "annher code"},
      {"annher code", ""}, {"ann", ""},          {"", ""},
      {"Ann", "her code"}};
  for (const auto& [voter, code] : pairs) {
    digests.insert(digest(voter, code));
  }
  Digest32 other_id = id;
  other_id[0] ^= 1;
  digests.insert(office().registrar.code_digest(other_id, "ann", "her code"));
  digests.insert(fresh().code_digest(id, "ann", "her code"));
  // Nor is it what the public log calls the voter.
  digests.insert(office().registrar.pseudonym(id, "ann"));
  digests.insert(office().registrar.pseudonym(id, "-code"));
  EXPECT_EQ(digests.size(), pairs.size() + 4);
  EXPECT_EQ(must(Registrar::load(must(office().registrar.save()))).code_digest(id, "ann", "x"),
            digest("ann", "x"));
}

using Rows = std::vector<Registrar::RollRow>;
Result<Message> roll_import(std::uint32_t number, const Rows& rows) {
  return office().registrar.roll_import(*office().election, number, rows);
}

TEST(RegistrarRoll, ImportIsThatOfTheSpecification) {
  const Rows rows = {{"ann", kMayor}, {"bo", kIsland}, {"cy", kMayor}};
  const Message message = must(roll_import(7, rows));
  EXPECT_EQ(message.type, MessageType::roll);
  EXPECT_EQ(message.context, office().election->id());
  EXPECT_EQ(message.sender, 0U);
  EXPECT_TRUE(is_ok(message.verify(office().registrar.log_key())));
  const RollImport import = must(RollImport::decode(message.payload, *office().manifest));
  EXPECT_EQ(import.number, 7U);
  EXPECT_EQ(import.voters, (std::vector<std::uint64_t>{0, 2, 1}));
  Writer list;
  list.raw(as_bytes("psephos/v1/roll-import")).raw(office().election->id()).u32(7);
  list.var("ann").u32(kMayor).var("bo").u32(kIsland).var("cy").u32(kMayor);
  EXPECT_EQ(import.digest, crypto::hmac_sha256(salt_key(), {list.bytes()}));
  EXPECT_EQ(message.payload, import.encode());
}

TEST(RegistrarRoll, DigestIsOfNumberVotersStylesAndOrder) {
  std::set<Digest32> digests;
  std::size_t lists = 0;
  const auto add = [&](std::uint32_t number, const Rows& rows) {
    const Message message = must(roll_import(number, rows));
    digests.insert(must(RollImport::decode(message.payload, *office().manifest)).digest);
    ++lists;
  };
  add(0, {});
  add(1, {});
  add(0, {{"ann", kMayor}});
  add(1, {{"ann", kMayor}});
  add(0, {{"ann", kIsland}});
  add(0, {{"bo", kMayor}});
  add(0, {{"", kMayor}});
  add(0, {{"ann", kMayor}, {"bo", kMayor}});
  add(0, {{"bo", kMayor}, {"ann", kMayor}});
  add(0, {{"annb", kMayor}, {"o", kMayor}});
  add(0, {{"ann", kMayor}, {"bo", kIsland}});
  add(0, {{"ann", kIsland}, {"bo", kMayor}});
  EXPECT_EQ(digests.size(), lists);
  add(0, {{"ann", kMayor}});
  EXPECT_EQ(digests.size(), lists - 1) << "the same list, the same digest";
}

TEST(RegistrarRoll, ImportsWhatAMainLogTakes) {
  EXPECT_TRUE(is_ok(roll_import(0, {{"a", 0}, {"b", 1}, {"c", 2}})));
  // The manifest has three voters.
  EXPECT_TRUE(fails_with(Errc::misuse, roll_import(0, {{"a", 0}, {"b", 1}, {"c", 2}, {"d", 0}})));
  const auto refused = roll_import(0, {{"a", 0}, {"b", 3}});
  EXPECT_TRUE(fails_with(Errc::misuse, refused));
  EXPECT_EQ(refused.error().message, "voter \"b\\x1b\": there is no style 3");
  // For the election that it serves only: another opening, another manifest, none yet.
  const Rows rows = {{"a", 0}};
  const auto other = office().open();
  EXPECT_TRUE(fails_with(Errc::misuse, office().registrar.roll_import(*other, 0, rows)));
  const auto elsewhere = test::make_election({.origin = "vote.example/other"});
  EXPECT_TRUE(
      fails_with(Errc::misuse, office().registrar.roll_import(*elsewhere.election, 0, rows)));
  EXPECT_TRUE(fails_with(Errc::misuse, fresh().roll_import(*office().election, 0, rows)));
}

TEST(Registrar, CompareRoll) {
  const auto issued = [](const char* voter, std::uint32_t style, std::uint8_t digest) {
    return Issuance{.pseudonym = office().registrar.pseudonym(office().election->id(), voter),
                    .style = style,
                    .blinded_digest = {digest}};
  };
  const auto faults = [](const std::vector<Issuance>& log) {
    return office().registrar.compare_roll(*office().election, kRoll, log);
  };
  using Faults = std::vector<std::string>;
  EXPECT_EQ(faults({}), Faults{});
  EXPECT_EQ(faults({issued("ann", kMayor, 1), issued("bo", kIsland, 2)}), Faults{});
  EXPECT_EQ(faults({issued("ann", kMayor, 1), issued("dora", kMayor, 2)}),
            Faults{"roll/0 entry 1: was issued to nobody on the roll"});
  EXPECT_EQ(
      faults({issued("bo", kMayor, 1)}),
      Faults{"roll/0 entry 0: was issued for style \"mayor\", which is not that of voter bo on "
             "the roll"});
  EXPECT_EQ(faults({issued("ann", kMayor, 1), issued("ann", kMayor, 2)}),
            Faults{"roll/0 entry 1: was issued to the voter of entry 0"});
}

TEST(Registrar, ServesTheElectionItWasStartedFor) {
  ASSERT_TRUE(is_ok(office().started));
  const auto other = office().open();
  ASSERT_NE(other->id(), office().election->id());
  Registrar loaded = must(Registrar::load(must(office().registrar.save())));
  EXPECT_TRUE(is_ok(loaded.start(*office().election))) << "once more";
  const auto refused = loaded.start(*other);
  EXPECT_TRUE(fails_with(Errc::misuse, refused));
  EXPECT_TRUE(refused.error().message.contains("another election of this manifest"));
  Wallet wallet = must(Wallet::create(*other, kMayor, office().random));
  const auto request = must(wallet.request(*other, 0, "ann", "ann's code", office().random));
  const auto issued = loaded.issue(*other, kRoll, IssuanceState(*office().manifest), request);
  EXPECT_TRUE(fails_with(Errc::misuse, issued));
  EXPECT_EQ(issued.error().message,
            "this registrar's keys have not been started for this election");
}

TEST(Registrar, SaveAndLoad) {
  const SecretBuffer saved = must(office().registrar.save());
  const Registrar loaded = must(Registrar::load(saved));
  EXPECT_TRUE(equal(must(loaded.save()).expose_secret(), saved.expose_secret()));
  EXPECT_EQ(loaded.index(), 0U);
  EXPECT_EQ(loaded.manifest_digest(), office().manifest->digest);
  EXPECT_EQ(loaded.log_key(), office().registrar.log_key());
  EXPECT_EQ(loaded.pseudonym({}, "ann"), office().registrar.pseudonym({}, "ann"));
  const auto signer = must(loaded.log_signer(*office().manifest));
  EXPECT_EQ(signer->verifier().name(), "vote.example/2026/roll/0");
  EXPECT_EQ(signer->verifier(), must(office().election->log_verifier("roll/0")));
}

TEST(Registrar, LoadRefusesAnythingElse) {
  const SecretBuffer saved = must(office().registrar.save());
  const ByteView bytes = saved.expose_secret();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{31}, std::size_t{35}, std::size_t{67}, std::size_t{99},
        std::size_t{103}, std::size_t{107}, std::size_t{500}, bytes.size() - 1}) {
    EXPECT_FALSE(Registrar::load(SecretBuffer(bytes.first(size))).has_value()) << size;
  }
  Bytes changed(bytes.begin(), bytes.end());
  changed.push_back(0);
  EXPECT_TRUE(fails_with(Errc::malformed, Registrar::load(SecretBuffer(changed))));
  changed.pop_back();
  for (const std::size_t at : {std::size_t{100}, std::size_t{103}, std::size_t{104}}) {
    Bytes bad = changed;
    bad[at] ^= 0x80;  // number of keys, length of a key
    EXPECT_FALSE(Registrar::load(SecretBuffer(bad)).has_value()) << at;
  }
  Bytes bad = changed;
  bad[108 + 200] ^= 1;  // inside the first key's modulus
  EXPECT_FALSE(Registrar::load(SecretBuffer(bad)).has_value());
}

// A file with too few keys is noticed before one is used.
TEST(Registrar, WithoutAKeyForEveryStyle) {
  const SecretBuffer saved = must(office().registrar.save());
  Bytes bytes(saved.expose_secret().begin(), saved.expose_secret().begin() + 100);
  bytes.resize(105);  // no keys, not started
  Registrar loaded = must(Registrar::load(SecretBuffer(bytes)));
  EXPECT_TRUE(fails_with(Errc::misuse, loaded.start(*office().election)));
}

}  // namespace
}  // namespace psephos::protocol
