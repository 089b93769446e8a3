#include "psephos/protocol/opening.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "psephos/crypto/hash.h"
#include "psephos/crypto/lagrange.h"

#include "protocol/labels.h"

namespace psephos::protocol {

namespace {

using crypto::Ed25519PublicKey;
using crypto::Identity;
using crypto::Point;

std::string of_trustee(std::size_t i, std::string_view what) {
  return "trustee " + std::to_string(i + 1) + ": " + std::string(what);
}

Result<TrusteeKeys> decode_trustee_keys(Reader& in, std::size_t i) {
  TrusteeKeys keys;
  PSEPHOS_TRY(keys.identity, Ed25519PublicKey::decode(in, of_trustee(i, "identity key")));
  PSEPHOS_TRY(keys.transport, Point::decode(in, Identity::refused, of_trustee(i, "transport key")));
  return keys;
}

void encode(Writer& out, const TrusteeKeys& keys) {
  out.raw(keys.identity.bytes);
  keys.transport.encode(out);
}

// Every log has its own key, and so has everyone who signs (docs/spec.md §5.1, §8.4).
Result<void> check_distinct(const Roster& roster) {
  std::set<Ed25519PublicKey> identities;
  std::set<std::array<std::uint8_t, 32>> transports;
  for (std::size_t i = 0; i < roster.trustees.size(); ++i) {
    if (!identities.insert(roster.trustees[i].identity).second) {
      return fail(Errc::malformed, of_trustee(i, "identity key occurs twice"));
    }
    if (!transports.insert(roster.trustees[i].transport.bytes()).second) {
      return fail(Errc::malformed, of_trustee(i, "transport key occurs twice"));
    }
  }
  return {};
}

Result<void> check_distinct(const Opening& opening) {
  std::set<Ed25519PublicKey> logs{opening.roster.main_log};
  for (std::size_t r = 0; r < opening.registrars.size(); ++r) {
    if (!logs.insert(opening.registrars[r].log).second) {
      return fail(Errc::malformed,
                  "registrar " + std::to_string(r) + ": log key is another log's key too");
    }
  }
  for (std::size_t s = 0; s < opening.box_logs.size(); ++s) {
    if (!logs.insert(opening.box_logs[s]).second) {
      return fail(Errc::malformed, Manifest::box_log(static_cast<std::uint32_t>(s)) +
                                       ": log key is another log's key too");
    }
  }
  return {};
}

Result<Opening> decode_opening(Reader& in, const Manifest& manifest) {
  Opening opening;
  PSEPHOS_TRY(opening.roster.authority, Ed25519PublicKey::decode(in, "authority key"));
  PSEPHOS_TRY(opening.roster.main_log, Ed25519PublicKey::decode(in, "main log key"));
  PSEPHOS_TRY(opening.joint_key, Point::decode(in, Identity::refused, "joint key"));
  for (std::size_t i = 0; i < manifest.trustees.size(); ++i) {
    PSEPHOS_TRY(const TrusteeKeys keys, decode_trustee_keys(in, i));
    opening.roster.trustees.push_back(keys);
    std::vector<Point>& commitments = opening.commitments.emplace_back();
    for (std::uint32_t k = 0; k < manifest.threshold; ++k) {
      PSEPHOS_TRY(const Point commitment,
                  Point::decode(in, k == 0 ? Identity::refused : Identity::accepted,
                                of_trustee(i, "commitment " + std::to_string(k))));
      commitments.push_back(commitment);
    }
  }
  for (std::uint32_t r = 0; r < manifest.num_registrars(); ++r) {
    const std::string place = "registrar " + std::to_string(r);
    RegistrarKeys keys;
    PSEPHOS_TRY(keys.log, Ed25519PublicKey::decode(in, place + ": log key"));
    PSEPHOS_TRY(keys.moduli_digest, in.digest(place + ": digest of moduli"));
    opening.registrars.push_back(keys);
  }
  for (std::uint32_t s = 0; s < manifest.shards; ++s) {
    PSEPHOS_TRY(const Ed25519PublicKey key,
                Ed25519PublicKey::decode(in, Manifest::box_log(s) + ": log key"));
    opening.box_logs.push_back(key);
  }
  PSEPHOS_CHECK_OK(in.finish("opening"));
  PSEPHOS_CHECK_OK(check_distinct(opening.roster));
  PSEPHOS_CHECK_OK(check_distinct(opening));
  return opening;
}

// S_j = Σ_i Σ_k j^k·F_{i,k}, by the sum of the polynomials' commitments.
std::vector<Point> public_shares(const Opening& opening) {
  std::vector<Point> sums(opening.commitments.front().size());
  for (const std::vector<Point>& commitments : opening.commitments) {
    for (std::size_t k = 0; k < sums.size(); ++k) {
      sums[k] = sums[k] + commitments[k];
    }
  }
  std::vector<Point> shares;
  for (std::uint32_t j = 1; j <= opening.commitments.size(); ++j) {
    shares.push_back(crypto::evaluate_commitments(sums, j));
  }
  return shares;
}

Result<void> check_registrar_keys(
    const Manifest& manifest, const Opening& opening,
    const std::vector<std::vector<crypto::RsaPublicKey>>& registrar_keys) {
  if (registrar_keys.size() != manifest.registrars.size()) {
    return fail(Errc::malformed, "credential keys of " + std::to_string(registrar_keys.size()) +
                                     " registrars, must be of " +
                                     std::to_string(manifest.registrars.size()));
  }
  for (std::size_t r = 0; r < registrar_keys.size(); ++r) {
    const std::string place = "registrar " + std::to_string(r);
    if (registrar_keys[r].size() != manifest.styles.size()) {
      return fail(Errc::malformed, place + ": has " + std::to_string(registrar_keys[r].size()) +
                                       " credential keys, must have " +
                                       std::to_string(manifest.styles.size()));
    }
    if (moduli_digest(registrar_keys[r]) != opening.registrars[r].moduli_digest) {
      return fail(Errc::rejected,
                  place + ": the opening's digest of moduli is not that of the credential keys");
    }
  }
  return {};
}

}  // namespace

Result<Roster> Roster::decode(ByteView payload, const Manifest& manifest) {
  Reader in(payload);
  Roster roster;
  PSEPHOS_TRY(roster.authority, Ed25519PublicKey::decode(in, "authority key"));
  PSEPHOS_TRY(roster.main_log, Ed25519PublicKey::decode(in, "main log key"));
  for (std::size_t i = 0; i < manifest.trustees.size(); ++i) {
    PSEPHOS_TRY(const TrusteeKeys keys, decode_trustee_keys(in, i));
    roster.trustees.push_back(keys);
  }
  PSEPHOS_CHECK_OK(in.finish("roster"));
  PSEPHOS_CHECK_OK(check_distinct(roster));
  return roster;
}

Bytes Roster::encode() const {
  Writer out;
  out.raw(authority.bytes).raw(main_log.bytes);
  for (const TrusteeKeys& keys : trustees) {
    protocol::encode(out, keys);
  }
  return std::move(out).take();
}

Digest32 Roster::digest(const Manifest& manifest) const {
  return crypto::sha256({as_bytes(labels::kRoster), manifest.digest, encode()});
}

Result<Opening> Opening::decode(ByteView payload, const Manifest& manifest) {
  Reader in(payload);
  return decode_opening(in, manifest);
}

Bytes Opening::encode() const {
  Writer out;
  out.raw(roster.authority.bytes).raw(roster.main_log.bytes);
  joint_key.encode(out);
  for (std::size_t i = 0; i < roster.trustees.size(); ++i) {
    protocol::encode(out, roster.trustees[i]);
    for (const Point& commitment : commitments[i]) {
      commitment.encode(out);
    }
  }
  for (const RegistrarKeys& keys : registrars) {
    out.raw(keys.log.bytes).raw(keys.moduli_digest);
  }
  for (const Ed25519PublicKey& key : box_logs) {
    out.raw(key.bytes);
  }
  return std::move(out).take();
}

Digest32 moduli_digest(std::span<const crypto::RsaPublicKey> keys) {
  Writer moduli;
  for (const crypto::RsaPublicKey& key : keys) {
    moduli.raw(key.modulus());
  }
  return crypto::sha256({moduli.bytes()});
}

Result<std::shared_ptr<const Election>> Election::create(
    std::shared_ptr<const Manifest> manifest, ByteView opening_payload,
    std::vector<std::vector<crypto::RsaPublicKey>> registrar_keys) {
  std::shared_ptr<Election> election(new Election);
  PSEPHOS_TRY(election->opening_, Opening::decode(opening_payload, *manifest));
  PSEPHOS_CHECK_OK(check_registrar_keys(*manifest, election->opening_, registrar_keys));
  election->id_ =
      crypto::sha256({as_bytes(labels::kElectionId), manifest->digest, opening_payload});
  election->registrar_keys_ = std::move(registrar_keys);
  election->public_shares_ = public_shares(election->opening_);

  std::size_t num_bits = 0;
  for (const BallotStyle& style : manifest->styles) {
    num_bits = std::max(num_bits, style.form.num_bits());
  }
  const auto bases = std::make_shared<const crypto::Bases>(election->opening_.joint_key, num_bits);
  for (std::uint32_t s = 0; s < manifest->num_styles(); ++s) {
    election->contexts_.push_back({.election_id = election->id_,
                                   .style = s,
                                   .form = manifest->styles[s].form,
                                   .bases = bases});
  }
  election->manifest_ = std::move(manifest);
  return election;
}

Result<crypto::NoteVerifier> Election::log_verifier(const std::string& log) const {
  const std::vector<std::string> names = log_names();
  const auto found = std::ranges::find(names, log);
  if (found == names.end()) {
    return fail(Errc::misuse, "this election has no log " + log);
  }
  const auto position = static_cast<std::size_t>(found - names.begin());
  const std::size_t num_boxes = opening_.box_logs.size();
  const Ed25519PublicKey& key = position == 0 ? opening_.roster.main_log
                                : position <= num_boxes
                                    ? opening_.box_logs[position - 1]
                                    : opening_.registrars[position - 1 - num_boxes].log;
  return crypto::NoteVerifier::create(manifest_->log_origin(log), crypto::NoteAlgorithm::ed25519,
                                      key);
}

std::vector<std::string> Election::log_names() const {
  std::vector<std::string> names{Manifest::main_log()};
  for (std::uint32_t s = 0; s < manifest_->shards; ++s) {
    names.push_back(Manifest::box_log(s));
  }
  for (std::uint32_t r = 0; r < manifest_->num_registrars(); ++r) {
    names.push_back(Manifest::roll_log(r));
  }
  return names;
}

}  // namespace psephos::protocol
