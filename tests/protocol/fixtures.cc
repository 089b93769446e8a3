#include "tests/protocol/fixtures.h"

#include "psephos/crypto/sealed_box_secret.h"
#include "psephos/protocol/message_signer.h"

#include "protocol/decrypt.h"
#include "protocol/secret_io.h"
#include "tests/protocol/rsa_keys.h"

namespace psephos::test {

using crypto::Ed25519SecretKey;
using crypto::SecretScalar;
using protocol::Ceremony;
using protocol::Manifest;
using protocol::Message;
using protocol::MessageType;

std::string manifest_text(const Setup& setup) {
  std::string names;
  for (std::uint32_t i = 1; i <= setup.trustees; ++i) {
    names += (i > 1 ? ", " : "") + ("\"Trustee " + std::to_string(i) + "\"");
  }
  return R"({
  "psephos": "manifest/v1",
  "title": ")" +
         setup.title + R"(",
  "origin": "vote.example/2026",
  "opens": "2026-05-01T08:00:00Z",
  "closes": "2026-05-31T18:00:00Z",
  "contests": [
    {"id": "mayor", "title": "Mayor", "type": "choose", "options": ["Ann", "Bob", "Cy"],
     "min": 0, "max": 1},
    {"id": "budget", "title": "Budget", "type": "score", "options": ["Park", "Pool"], "range": 3}
  ],
  "styles": [
    {"id": "north", "contests": ["mayor", "budget"]},
    {"id": "south", "contests": ["budget"]}
  ],
  "trustees": {"names": [)" +
         names + R"(], "threshold": )" + std::to_string(setup.threshold) + R"(},
  "registrars": {"names": ["Town", "Court"], "rsa_bits": 2048},
  "box": {"shards": 2, "revote": "last", "challenges": 3},
  "tally": {"minimum": )" +
         std::to_string(setup.tally_minimum) + R"(, "by": ")" + setup.tally_by + R"("},
  "voters": 1000
}
)";
}

std::shared_ptr<const Manifest> make_manifest(const Setup& setup) {
  return std::make_shared<const Manifest>(must(Manifest::parse(as_bytes(manifest_text(setup)))));
}

TrusteeSecret secret_of(const protocol::Trustee& trustee) {
  const SecretBuffer content = trustee.save();
  protocol::SecretReader in(content);
  must(in.digest("manifest digest"));
  must(in.u32("trustee"));
  const SecretBytes<32> seed = must(in.secret<32>("identity"));
  SecretScalar transport = must(SecretScalar::decode(must(in.raw(32, "transport"))));
  std::vector<SecretScalar> coefficients;
  const std::uint32_t threshold = must(in.u32("threshold"));
  for (std::uint32_t k = 0; k < threshold; ++k) {
    coefficients.push_back(must(SecretScalar::decode(must(in.raw(32, "coefficient")))));
  }
  return {.identity = Ed25519SecretKey::from_seed(seed),
          .transport = std::move(transport),
          .polynomial = crypto::SecretPolynomial(std::move(coefficients))};
}

Play::Play(const Setup& setup)
    : random(test_seed() + setup.keys),
      manifest(make_manifest(setup)),
      authority(protocol::Authority::create(random)),
      log(manifest, evaluator) {
  for (std::uint32_t i = 1; i <= setup.trustees; ++i) {
    trustees.push_back(must(protocol::Trustee::create(*manifest, i, random)));
    secrets.push_back(secret_of(trustees.back()));
  }
  for (std::uint32_t r = 0; r < manifest->num_registrars(); ++r) {
    registrar_logs.push_back(Ed25519SecretKey::random(random));
  }
  for (std::uint32_t s = 0; s < manifest->shards; ++s) {
    box_logs.push_back(Ed25519SecretKey::random(random).public_key());
  }
}

void Play::say(const Message& message) {
  if (const auto taken = log.append(message); !taken.has_value()) {
    throw std::runtime_error(protocol::to_error(taken.error()).message);
  }
  said.push_back(message);
}

protocol::Fault Play::fault_of(const Message& message) const {
  protocol::MainLog copy = log;
  const auto taken = copy.append(message);
  if (taken.has_value()) {
    throw std::runtime_error("taken: " + std::string(name(message.type)));
  }
  if (copy.phase() != log.phase()) {
    throw std::runtime_error("the phase has changed");
  }
  return taken.error();
}

Message Play::of_round(std::uint32_t sender) {
  protocol::Trustee& trustee = trustees[sender - 1];
  const Ceremony& ceremony = *log.ceremony();
  switch (ceremony.round()) {
    case Ceremony::Round::commit:
      return must(trustee.commit(*manifest, ceremony));
    case Ceremony::Round::reveal:
      return must(trustee.reveal(*manifest, ceremony));
    case Ceremony::Round::shares:
      return must(trustee.shares(*manifest, ceremony, random));
    default:
      return must(trustee.confirm(*manifest, ceremony, random));
  }
}

void Play::to(Ceremony::Round round) {
  if (!log.roster().has_value()) {
    std::vector<protocol::TrusteeKeys> keys;
    for (const protocol::Trustee& trustee : trustees) {
      keys.push_back(trustee.public_keys());
    }
    say(authority.roster(*manifest, keys));
  }
  while (log.ceremony()->round() < round) {
    say(of_round(log.ceremony()->missing().front()));
  }
}

void Play::to(Phase phase) {
  while (log.phase() < phase) {
    switch (log.phase()) {
      case Phase::empty:
        to(Ceremony::Round::commit);
        break;
      case Phase::ceremony:
        to(Ceremony::Round::complete);
        break;
      case Phase::ready:
        for (const Message& message : credential_keys()) {
          say(message);
        }
        say(opening());
        break;
      case Phase::opened:
        say(authority.open(*log.election()));
        break;
      case Phase::voting: {
        protocol::Close close;
        close.boxes.resize(manifest->shards);
        close.rolls.resize(manifest->num_registrars());
        say(authority.close(*log.election(), close));
        break;
      }
      case Phase::closed:
        for (std::uint32_t contest = 0; contest < votes.size(); ++contest) {
          say(say_tally(tally(contest, 0, votes[contest])));
        }
        break;
      case Phase::tallied:
        for (std::uint32_t k = 0; k < votes.size(); ++k) {
          for (std::uint32_t j = 1; j <= manifest->threshold; ++j) {
            say(must(decryption(j, k)));
          }
        }
        break;
      default:
        for (const Message& message : must(authority.results(log))) {
          say(message);
        }
    }
  }
}

Message Play::signed_by_sender(MessageType type, std::uint32_t sender, Bytes payload) const {
  const bool in_ceremony = is_of_ceremony(type) && log.ceremony().has_value();
  const Digest32& context = in_ceremony                    ? log.ceremony()->roster_digest()
                            : type <= MessageType::opening ? manifest->digest
                                                           : log.election()->id();
  switch (type) {
    case MessageType::commit:
    case MessageType::reveal:
    case MessageType::shares:
    case MessageType::confirm:
    case MessageType::complaint:
    case MessageType::decryption:
      return sign_message(type, context, sender, std::move(payload), secrets[sender - 1].identity);
    case MessageType::credential_key:
    case MessageType::roll:
      return sign_message(type, context, sender, std::move(payload), registrar_logs[sender]);
    default: {
      const SecretBuffer content = authority.save();
      protocol::SecretReader in(content);
      const auto key = Ed25519SecretKey::from_seed(must(in.secret<32>("authority key")));
      return sign_message(type, context, sender, std::move(payload), key);
    }
  }
}

std::vector<Message> Play::credential_keys() const {
  std::vector<Message> messages;
  for (std::uint32_t r = 0; r < manifest->num_registrars(); ++r) {
    for (std::uint32_t s = 0; s < manifest->num_styles(); ++s) {
      const protocol::CredentialKey key{.style = s,
                                        .key = must(crypto::RsaPublicKey::from_modulus(must(
                                            unhex(kRsaKeys[r * manifest->num_styles() + s].n))))};
      messages.push_back(signed_by_sender(MessageType::credential_key, r, key.encode()));
    }
  }
  return messages;
}

Message Play::opening() const {
  std::vector<crypto::Ed25519PublicKey> logs;
  for (const Ed25519SecretKey& key : registrar_logs) {
    logs.push_back(key.public_key());
  }
  return must(authority.opening(log, logs, box_logs));
}

protocol::Tally Play::tally(std::uint32_t contest, std::uint32_t unit,
                            const std::vector<std::uint64_t>& totals) {
  const crypto::Point& joint_key = log.election()->opening().joint_key;
  protocol::Tally tally{.contest = contest, .unit = unit, .counted = 5, .sums = {}};
  for (const std::uint64_t total : totals) {
    const SecretScalar r = SecretScalar::random(random);
    tally.sums.push_back(
        {.alpha = multiply_base(r),
         .beta = multiply(r, joint_key) + crypto::Scalar::from_u64(total) * crypto::Point::base()});
  }
  return tally;
}

Message Play::say_tally(const protocol::Tally& tally) const {
  return signed_by_sender(MessageType::tally, 0, tally.encode());
}

SecretScalar Play::share_of(std::uint32_t trustee) const {
  const TrusteeSecret& secret = secrets[trustee - 1];
  SecretScalar sum = secret.polynomial.share(trustee);
  for (std::uint32_t i = 1; i <= manifest->num_trustees(); ++i) {
    if (i != trustee) {
      const auto content =
          must(crypto::open(*log.ceremony()->sealed_share(i, trustee), secret.transport,
                            protocol::seal_context(log.ceremony()->roster_digest(), i, trustee)));
      sum = sum + must(SecretScalar::decode(content.expose_secret()));
    }
  }
  return sum;
}

Result<Message> Play::decryption(std::uint32_t trustee, std::uint32_t tally) {
  const SecretScalar share = share_of(trustee);
  return protocol::decrypt_tally(
      log, tally, {.trustee = trustee, .share = share, .identity = secrets[trustee - 1].identity},
      random);
}

}  // namespace psephos::test
