#include "tests/protocol/election_fixture.h"

#include <algorithm>

#include "psephos/crypto/blind_rsa_client.h"
#include "psephos/crypto/discrete_log_prover.h"
#include "psephos/crypto/ed25519_signer.h"
#include "psephos/crypto/hash.h"

#include "tests/protocol/rsa_keys.h"

namespace psephos::test {

namespace {

// FixedRandom is SHA-512 of a counter: the same bytes in each run.
class FixedRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::size_t at = 0; at < out.size(); at += 64) {
      const crypto::Digest64 block = crypto::sha512({as_bytes(std::to_string(next_++))});
      std::ranges::copy(std::span(block).first(std::min<std::size_t>(64, out.size() - at)),
                        out.subspan(at).begin());
    }
  }

 private:
  std::uint64_t next_ = 0;
};

crypto::RsaSecretKey fixed_key(const RsaNumbers& numbers) {
  return crypto::RsaSecretKey::from_numbers_for_testing(
             unhex(numbers.n).value(), unhex(numbers.d).value(), unhex(numbers.p).value(),
             unhex(numbers.q).value())
      .value();
}

crypto::Ed25519PublicKey log_key(Random& random) {
  return crypto::Ed25519SecretKey::random(random).public_key();
}

}  // namespace

std::string manifest_json(const ElectionOptions& options) {
  std::string names;
  for (std::uint32_t i = 0; i < options.registrars; ++i) {
    names += (i > 0 ? ", " : "") + ("\"Registrar " + std::to_string(i) + "\"");
  }
  return R"({
  "psephos": "manifest/v1",
  "title": "Test",
  "origin": ")" +
         options.origin + R"(",
  "opens": "2026-05-01T08:00:00Z",
  "closes": "2026-05-01T20:00:00Z",
  "contests": [
    {"id": "mayor", "title": "Mayor", "type": "choose", "options": ["Ann", "Bo", "Cy"], "min": 1, "max": 1},
    {"id": "board", "title": "Board", "type": "score", "options": ["Di", "Ed"], "range": 3, "min": 0, "max": 4}
  ],
  "styles": [
    {"id": "both", "contests": ["mayor", "board"]},
    {"id": "mayor", "contests": ["mayor"]},
    {"id": "island", "contests": ["mayor"]}
  ],
  "trustees": {"names": ["Tia"], "threshold": 1},
  "registrars": {"names": [)" +
         names + R"(], "rsa_bits": 2048},
  "box": {"shards": )" +
         std::to_string(options.shards) + R"(, "revote": ")" + options.revote +
         R"(", "challenges": )" + std::to_string(options.challenges) + R"(},
  "tally": {"minimum": 1, "by": "election"},
  "voters": )" +
         std::to_string(options.voters) + "\n}\n";
}

std::shared_ptr<const protocol::Manifest> manifest_of(const ElectionOptions& options) {
  return std::make_shared<const protocol::Manifest>(
      protocol::Manifest::parse(as_bytes(manifest_json(options))).value());
}

std::shared_ptr<const protocol::Election> election_with(
    std::shared_ptr<const protocol::Manifest> manifest, Parties parties) {
  FixedRandom random;
  protocol::Opening opening;
  opening.roster.authority = log_key(random);
  opening.roster.main_log = log_key(random);
  opening.roster.trustees = {
      {.identity = log_key(random),
       .transport = crypto::multiply_base(crypto::SecretScalar::random(random))}};
  opening.joint_key = parties.joint_key;
  opening.commitments = {{parties.joint_key}};
  for (std::size_t i = 0; i < parties.credentials.size(); ++i) {
    opening.registrars.push_back(
        {.log = parties.registrar_logs[i],
         .moduli_digest = protocol::moduli_digest(parties.credentials[i])});
  }
  opening.box_logs = std::move(parties.box_logs);
  return protocol::Election::create(std::move(manifest), opening.encode(),
                                    std::move(parties.credentials))
      .value();
}

TestElection make_election(const ElectionOptions& options) {
  const auto manifest = manifest_of(options);
  // Not the stream the opening's keys are drawn from.
  FixedRandom random;
  std::array<std::uint8_t, 8192> skipped;
  random.fill(skipped);

  TestElection result{.election = nullptr,
                      .joint_secret = crypto::SecretScalar::random(random),
                      .credentials = {},
                      .box_keys = protocol::BoxKeys::create(*manifest, random)};
  Parties parties{.joint_key = crypto::multiply_base(result.joint_secret),
                  .registrar_logs = {},
                  .credentials = {},
                  .box_logs = result.box_keys.public_keys()};
  std::size_t next_key = 0;
  for (std::uint32_t i = 0; i < manifest->num_registrars(); ++i) {
    parties.registrar_logs.push_back(log_key(random));
    result.credentials.emplace_back();
    parties.credentials.emplace_back();
    for (std::uint32_t style = 0; style < manifest->num_styles(); ++style) {
      result.credentials.back().push_back(fixed_key(kRsaKeys[next_key++]));
      parties.credentials.back().push_back(result.credentials.back().back().public_key());
    }
  }
  result.election = election_with(manifest, std::move(parties));
  result.box_keys.start(*result.election).value();
  return result;
}

protocol::EnrolmentResponse TestElection::answer(const protocol::EnrolmentRequest& request) const {
  return {.election_id = request.election_id,
          .registrar = request.registrar,
          .style = request.style,
          .blind_signature = credentials[request.registrar][request.style]
                                 .blind_sign(request.blinded_message)
                                 .value()};
}

protocol::Wallet TestElection::enrolled(std::uint32_t style, Random& random) const {
  protocol::Wallet wallet = protocol::Wallet::create(*election, style, random).value();
  for (const std::uint32_t registrar : wallet.missing(*election)) {
    const auto request = wallet.request(*election, registrar, "voter", "code", random).value();
    wallet.receive(*election, answer(request)).value();
  }
  return wallet;
}

Voter TestElection::voter(std::uint32_t style, Random& random) const {
  constexpr auto kVariant = crypto::BlindRsaVariant::sha384_pss_randomized;
  Voter voter{
      .style = style, .sk = crypto::SecretScalar::random(random), .pk = {}, .credential = {}};
  voter.pk = crypto::multiply_base(voter.sk);
  for (const auto& keys : credentials) {
    const Bytes input = crypto::prepare(
        kVariant, protocol::credential_message(election->id(), style, voter.pk), random);
    const auto blinded = crypto::blind(keys[style].public_key(), kVariant, input, random).value();
    protocol::Credential::Signature signature;
    std::copy_n(input.begin(), 32, signature.prefix.begin());
    signature.signature =
        crypto::finalize(keys[style].public_key(), kVariant, input,
                         keys[style].blind_sign(blinded.blinded_message).value(), blinded.inverse)
            .value();
    voter.credential.signatures.push_back(std::move(signature));
  }
  return voter;
}

crypto::BallotOpening TestElection::encrypt(const Voter& voter, std::uint32_t sequence,
                                            std::span<const std::uint32_t> votes,
                                            Random& random) const {
  return crypto::encrypt(election->ballot_context(voter.style), voter.pk, sequence,
                         crypto::SecretVotes(votes), random)
      .value();
}

protocol::Ballot TestElection::ballot(const Voter& voter, const crypto::BallotOpening& opening,
                                      Random& random) const {
  return {
      .style = voter.style,
      .credential = voter.credential,
      .encrypted = opening.ballot,
      .proof =
          crypto::prove(election->ballot_context(voter.style), opening, voter.sk, random).value()};
}

protocol::Challenge TestElection::challenge(const Voter& voter,
                                            const crypto::BallotOpening& opening,
                                            Random& random) const {
  const auto votes = opening.votes.expose_secret();
  protocol::Challenge challenge{.style = voter.style,
                                .credential = voter.credential,
                                .encrypted = opening.ballot,
                                .values = {votes.begin(), votes.end()},
                                .randomness = {},
                                .signature = {}};
  for (const auto& r : opening.r) {
    challenge.randomness.push_back(r.declassify());
  }
  challenge.signature =
      crypto::prove({.bases = {crypto::Point::base()}, .points = {voter.pk}}, voter.sk,
                    protocol::challenge_transcript(election->id(), voter.style, challenge.encrypted,
                                                   challenge.values, challenge.randomness),
                    random);
  return challenge;
}

}  // namespace psephos::test
