#include "psephos/protocol/trustee.h"

#include <algorithm>
#include <array>
#include <string>
#include <tuple>
#include <utility>

#include "psephos/crypto/discrete_log_prover.h"
#include "psephos/crypto/hash.h"
#include "psephos/crypto/sealed_box_secret.h"
#include "psephos/protocol/message_signer.h"

#include "protocol/decrypt.h"
#include "protocol/secret_io.h"

namespace psephos::protocol {

namespace {

using crypto::Point;
using crypto::SecretScalar;

constexpr std::uint32_t kMaxTrustees = 64;

std::string name_of(std::uint32_t trustee) { return "trustee " + std::to_string(trustee); }

Result<void> check_round(const Ceremony& ceremony, Ceremony::Round round, std::uint32_t index,
                         std::string_view what) {
  if (ceremony.round() != round) {
    return fail(Errc::misuse, std::string(what) + ": the ceremony is not in this round");
  }
  const std::vector<std::uint32_t> missing = ceremony.missing();
  if (std::ranges::find(missing, index) == missing.end()) {
    return fail(Errc::misuse,
                std::string(what) + ": " + name_of(index) + " has sent its message of this round");
  }
  return {};
}

bool fits(const SecretScalar& share, std::span<const Point> commitments, std::uint32_t index) {
  return crypto::multiply_base(share) == crypto::evaluate_commitments(commitments, index);
}

}  // namespace

Result<Trustee> Trustee::create(const Manifest& manifest, std::uint32_t index, Random& random) {
  if (index < 1 || index > manifest.num_trustees()) {
    return fail(Errc::misuse, "the manifest lists trustees 1 to " +
                                  std::to_string(manifest.num_trustees()) + ", not " +
                                  std::to_string(index));
  }
  auto polynomial = crypto::SecretPolynomial::random(manifest.threshold, random);
  Reveal reveal{.commitments = polynomial.commitments(), .possession = {}};
  reveal.possession =
      crypto::prove({.bases = {Point::base()}, .points = {reveal.commitments.front()}},
                    polynomial.coefficients().front(),
                    possession_transcript(manifest, index, reveal.commitments), random);
  return Trustee(manifest.digest, index, crypto::Ed25519SecretKey::random(random),
                 SecretScalar::random(random), std::move(polynomial), reveal.encode());
}

Result<Trustee> Trustee::load(const SecretBuffer& content) {
  SecretReader in(content);
  PSEPHOS_TRY(const Digest32 manifest_digest, in.digest("manifest digest"));
  PSEPHOS_TRY(const std::uint32_t index, in.u32("trustee"));
  PSEPHOS_TRY(const SecretBytes<32> identity, in.secret<32>("identity key"));
  PSEPHOS_TRY(const ByteView transport_bytes, in.raw(SecretScalar::kSize, "transport key"));
  PSEPHOS_TRY(SecretScalar transport, SecretScalar::decode(transport_bytes));
  PSEPHOS_TRY(const std::uint32_t threshold, in.u32("threshold"));
  if (index < 1 || index > kMaxTrustees || threshold < 1 || threshold > kMaxTrustees) {
    return fail(Errc::malformed, "trustee file: a number is out of range");
  }
  std::vector<SecretScalar> coefficients;
  coefficients.reserve(threshold);
  for (std::uint32_t k = 0; k < threshold; ++k) {
    PSEPHOS_TRY(const ByteView bytes, in.raw(SecretScalar::kSize, "coefficient"));
    PSEPHOS_TRY(SecretScalar coefficient, SecretScalar::decode(bytes));
    coefficients.push_back(std::move(coefficient));
  }
  const std::size_t reveal_size =
      Point::kSize * threshold + crypto::DiscreteLogProof::encoded_size(1);
  PSEPHOS_TRY(const ByteView reveal, in.raw(reveal_size, "reveal"));
  std::array<std::optional<Digest32>, 3> bound;
  for (std::optional<Digest32>& digest : bound) {
    PSEPHOS_TRY(digest, in.optional_digest("what the trustee is bound to"));
  }
  PSEPHOS_CHECK_OK(in.finish("trustee file"));
  Trustee trustee(manifest_digest, index, crypto::Ed25519SecretKey::from_seed(identity),
                  std::move(transport), crypto::SecretPolynomial(std::move(coefficients)),
                  Bytes(reveal.begin(), reveal.end()));
  std::tie(trustee.roster_, trustee.confirmed_, trustee.served_) =
      std::tie(bound[0], bound[1], bound[2]);
  return trustee;
}

SecretBuffer Trustee::save() const {
  SecretWriter out;
  out.raw(manifest_digest_).u32(index_).raw(identity_.expose_secret_seed());
  out.raw(transport_.expose_secret());
  out.u32(static_cast<std::uint32_t>(polynomial_.coefficients().size()));
  for (const SecretScalar& coefficient : polynomial_.coefficients()) {
    out.raw(coefficient.expose_secret());
  }
  out.raw(reveal_);
  for (const std::optional<Digest32>& digest : {roster_, confirmed_, served_}) {
    out.optional_digest(digest);
  }
  return std::move(out).take();
}

TrusteeKeys Trustee::public_keys() const {
  return {.identity = identity_.public_key(), .transport = crypto::multiply_base(transport_)};
}

Result<void> Trustee::belongs_to(const Manifest& manifest, const Ceremony& ceremony) const {
  if (manifest.digest != manifest_digest_) {
    return fail(Errc::misuse, "these keys of " + name_of(index_) + " are of another manifest");
  }
  const std::vector<TrusteeKeys>& roster = ceremony.roster().trustees;
  if (index_ > roster.size() || roster[index_ - 1] != public_keys()) {
    return fail(Errc::misuse, "the roster lists other keys for " + name_of(index_));
  }
  return {};
}

Result<void> Trustee::is_committed_to(const Manifest& manifest, const Ceremony& ceremony) const {
  PSEPHOS_CHECK_OK(belongs_to(manifest, ceremony));
  if (roster_ != ceremony.roster_digest()) {
    return fail(Errc::misuse, name_of(index_) +
                                  " has not committed under this roster. If it has under another, "
                                  "find out why there are two");
  }
  return {};
}

Result<Message> Trustee::commit(const Manifest& manifest, const Ceremony& ceremony) {
  PSEPHOS_CHECK_OK(belongs_to(manifest, ceremony));
  PSEPHOS_CHECK_OK(check_round(ceremony, Ceremony::Round::commit, index_, "commit"));
  if (roster_.has_value() && *roster_ != ceremony.roster_digest()) {
    return fail(Errc::misuse, name_of(index_) +
                                  " has committed under another roster before. Find out why there "
                                  "are two; a new election needs new keys");
  }
  roster_ = ceremony.roster_digest();
  const Digest32 digest = crypto::sha256({reveal_});
  return sign_message(MessageType::commit, *roster_, index_, Bytes(digest.begin(), digest.end()),
                      identity_);
}

Result<Message> Trustee::reveal(const Manifest& manifest, const Ceremony& ceremony) const {
  PSEPHOS_CHECK_OK(is_committed_to(manifest, ceremony));
  PSEPHOS_CHECK_OK(check_round(ceremony, Ceremony::Round::reveal, index_, "reveal"));
  return sign_message(MessageType::reveal, *roster_, index_, reveal_, identity_);
}

Result<Message> Trustee::shares(const Manifest& manifest, const Ceremony& ceremony,
                                Random& random) const {
  PSEPHOS_CHECK_OK(is_committed_to(manifest, ceremony));
  PSEPHOS_CHECK_OK(check_round(ceremony, Ceremony::Round::shares, index_, "shares"));
  Shares shares;
  for (std::uint32_t j = 1; j <= manifest.num_trustees(); ++j) {
    if (j == index_) {
      continue;
    }
    const SecretScalar share = polynomial_.share(j);
    SecretBytes<32> content;
    std::ranges::copy(share.expose_secret(), content.expose_secret().begin());
    shares.to.emplace(j, crypto::seal(content, ceremony.roster().trustees[j - 1].transport,
                                      seal_context(*roster_, index_, j), random));
  }
  return sign_message(MessageType::shares, *roster_, index_, shares.encode(), identity_);
}

Result<SecretScalar> Trustee::opened_share(const Ceremony& ceremony, std::uint32_t sender) const {
  const crypto::SealedShare* sealed = ceremony.sealed_share(sender, index_);
  PSEPHOS_CHECK(sealed != nullptr);
  PSEPHOS_TRY(
      const SecretBytes<32> content,
      crypto::open(*sealed, transport_, seal_context(ceremony.roster_digest(), sender, index_)));
  PSEPHOS_TRY(SecretScalar share, SecretScalar::decode(content.expose_secret()));
  if (!fits(share, ceremony.reveals()[sender - 1]->commitments, index_)) {
    return fail(Errc::rejected,
                "the share of " + name_of(sender) + " does not fit its commitments");
  }
  return share;
}

Result<Message> Trustee::confirm(const Manifest& manifest, const Ceremony& ceremony,
                                 Random& random) {
  PSEPHOS_CHECK_OK(is_committed_to(manifest, ceremony));
  PSEPHOS_CHECK_OK(check_round(ceremony, Ceremony::Round::confirm, index_, "confirm"));
  const Digest32 digest = ceremony.digest();
  if (confirmed_.has_value() && *confirmed_ != digest) {
    return fail(Errc::misuse, name_of(index_) +
                                  " has judged other messages of this ceremony before. Find out "
                                  "why there are two main logs");
  }
  confirmed_ = digest;
  for (std::uint32_t i = 1; i <= manifest.num_trustees(); ++i) {
    if (i == index_ || opened_share(ceremony, i).has_value()) {
      continue;
    }
    const Point& ephemeral = ceremony.sealed_share(i, index_)->ephemeral;
    Complaint complaint{
        .accused = i, .shared_point = crypto::multiply(transport_, ephemeral), .proof = {}};
    complaint.proof = crypto::prove({.bases = {Point::base(), ephemeral},
                                     .points = {public_keys().transport, complaint.shared_point}},
                                    transport_, complaint_transcript(*roster_, index_, i), random);
    return sign_message(MessageType::complaint, *roster_, index_, complaint.encode(), identity_);
  }
  return sign_message(MessageType::confirm, *roster_, index_, Bytes(digest.begin(), digest.end()),
                      identity_);
}

Result<Message> Trustee::decrypt(const AuditedBallots& audited, std::uint32_t tally,
                                 Random& random) {
  const MainLog& log = audited.main_log();
  const Ceremony& ceremony = *log.ceremony();
  PSEPHOS_CHECK_OK(is_committed_to(log.manifest(), ceremony));
  if (confirmed_ != ceremony.digest()) {
    return fail(Errc::misuse, name_of(index_) + " has not confirmed this key ceremony");
  }
  const Digest32 close = audited.close_digest();
  if (served_.has_value() && *served_ != close) {
    return fail(
        Errc::misuse,
        "this trustee has decrypted a tally of other ballots of this election before; two "
        "tallies that differ by a ballot would show it. Find out why there are two records");
  }
  if (ceremony.joint_key() != log.election()->opening().joint_key) {
    return fail(Errc::misuse, "the joint key is not that of the ceremony");
  }
  SecretScalar sum = polynomial_.share(index_);
  for (std::uint32_t i = 1; i <= log.manifest().num_trustees(); ++i) {
    if (i == index_) {
      continue;
    }
    PSEPHOS_TRY(const SecretScalar share, opened_share(ceremony, i));
    sum = sum + share;
  }
  PSEPHOS_TRY(
      Message message,
      decrypt_tally(log, tally, {.trustee = index_, .share = sum, .identity = identity_}, random));
  served_ = close;
  return message;
}

Result<Message> decrypt_tally(const MainLog& log, std::uint32_t tally,
                              const TrusteeSecrets& secrets, Random& random) {
  if (tally >= log.tallies().size()) {
    return fail(Errc::misuse, "the main log has no tally " + std::to_string(tally));
  }
  const std::string place = "tally " + std::to_string(tally) + ": ";
  const Election& election = *log.election();
  const Tally& sums = log.tallies()[tally];
  if (sums.counted < election.manifest().tally_minimum) {
    return fail(Errc::misuse, place + "has " + std::to_string(sums.counted) +
                                  " ballots; the manifest opens nothing below " +
                                  std::to_string(election.manifest().tally_minimum));
  }
  const std::vector<MainLog::Sent>& sent = log.decryptions()[tally];
  if (std::ranges::find(sent, secrets.trustee, &MainLog::Sent::trustee) != sent.end()) {
    return fail(Errc::misuse, place + name_of(secrets.trustee) + " has decrypted it already");
  }
  const Point& public_share = election.public_share(secrets.trustee);
  if (crypto::multiply_base(secrets.share) != public_share) {
    return fail(Errc::misuse, place + "the share of " + name_of(secrets.trustee) +
                                  " is not that of this election");
  }
  Decryption decryption{.tally = tally, .shares = {}, .proof = {}};
  for (const crypto::Ciphertext& sum : sums.sums) {
    decryption.shares.push_back(crypto::multiply(secrets.share, sum.alpha));
  }
  decryption.proof =
      crypto::prove(decryption_statement(sums, public_share, decryption.shares), secrets.share,
                    decryption_transcript(election.id(), secrets.trustee, tally), random);
  return sign_message(MessageType::decryption, election.id(), secrets.trustee, decryption.encode(),
                      secrets.identity);
}

}  // namespace psephos::protocol
