#include "psephos/protocol/wallet.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "psephos/crypto/blind_rsa_client.h"
#include "psephos/crypto/discrete_log_prover.h"
#include "psephos/crypto/note.h"
#include "psephos/protocol/receipt.h"

#include "protocol/secret_io.h"

namespace psephos::protocol {

namespace {

constexpr auto kVariant = crypto::BlindRsaVariant::sha384_pss_randomized;
constexpr std::size_t kPrefixBytes = 32;
constexpr std::size_t kMaxEntryBytes = 65535;
// A refusal or checkpoint is a page of text.
constexpr std::size_t kMaxNoteBytes = std::size_t{1} << 16;
constexpr std::uint32_t kLastSequence = std::numeric_limits<std::uint32_t>::max();

enum class Prepared : std::uint8_t { no, yes };

std::string registrar_name(std::uint32_t registrar) {
  return "registrar " + std::to_string(registrar);
}

// Reads the prepared ballot of a wallet file; it has the wallet's credential and next sequence.
Result<crypto::BallotOpening> load_opening(SecretReader& in, const crypto::BallotForm& form,
                                           const crypto::Point& pk, std::uint32_t sequence) {
  crypto::BallotOpening opening{
      .ballot = {.credential = pk, .sequence = sequence, .ciphertexts = {}},
      .votes = crypto::SecretVotes(form.num_options()),
      .r = {}};
  PSEPHOS_TRY(const ByteView bytes, in.raw(form.ciphertexts_size(), "ciphertexts"));
  Reader ciphertexts(bytes);
  PSEPHOS_TRY(opening.ballot.ciphertexts, crypto::decode_ciphertexts(ciphertexts, form));
  for (std::uint32_t& vote : opening.votes.expose_secret()) {
    PSEPHOS_TRY(vote, in.u32("vote"));
  }
  for (std::size_t j = 0; j < form.num_options(); ++j) {
    PSEPHOS_TRY(const ByteView scalar, in.raw(crypto::SecretScalar::kSize, "randomness"));
    PSEPHOS_TRY(crypto::SecretScalar r, crypto::SecretScalar::decode(scalar));
    opening.r.push_back(std::move(r));
  }
  return opening;
}

void save_opening(SecretWriter& out, const crypto::BallotOpening& opening) {
  out.raw(encode_all(opening.ballot.ciphertexts));
  for (const std::uint32_t vote : opening.votes.expose_secret()) {
    out.u32(vote);
  }
  for (const crypto::SecretScalar& r : opening.r) {
    out.raw(r.expose_secret());
  }
}

Result<void> check_checkpoint(std::string_view text) {
  if (text.size() > kMaxNoteBytes) {
    return fail(Errc::malformed, "a note of more than " + std::to_string(kMaxNoteBytes) + " bytes");
  }
  PSEPHOS_TRY(const crypto::Note note, crypto::Note::parse(text));
  PSEPHOS_CHECK_OK(crypto::Checkpoint::parse(note.text));
  return {};
}

Result<void> check_answer(Wallet::Answer answer, std::string_view text) {
  const bool is_receipt = answer == Wallet::Answer::receipt;
  const std::size_t most = is_receipt ? kMaxReceiptBytes : kMaxNoteBytes;
  if (text.size() > most) {
    return fail(Errc::malformed, "an answer of more than " + std::to_string(most) + " bytes");
  }
  if (is_receipt) {
    PSEPHOS_CHECK_OK(crypto::LogProof::parse(text));
  } else {
    PSEPHOS_CHECK_OK(crypto::Note::parse(text));
  }
  return {};
}

}  // namespace

Result<Wallet> Wallet::create(const Election& election, std::uint32_t style, Random& random) {
  if (style >= election.manifest().num_styles()) {
    return fail(Errc::misuse, "style " + std::to_string(style) + ": the election has only " +
                                  std::to_string(election.manifest().num_styles()));
  }
  Wallet wallet;
  wallet.election_id_ = election.id();
  wallet.style_ = style;
  do {
    wallet.sk_ = crypto::SecretScalar::random(random);
    wallet.pk_ = crypto::multiply_base(wallet.sk_);
  } while (wallet.pk_.is_identity());
  return wallet;
}

Result<Wallet> Wallet::load(const SecretBuffer& content, const Election& election) {
  const Manifest& manifest = election.manifest();
  SecretReader in(content);
  Wallet wallet;
  PSEPHOS_TRY(wallet.election_id_, in.digest("election id"));
  if (wallet.election_id_ != election.id()) {
    return fail(Errc::misuse, "this wallet was made for another election");
  }
  PSEPHOS_TRY(wallet.style_, in.u32("style"));
  if (wallet.style_ >= manifest.num_styles()) {
    return fail(Errc::malformed, "wallet file: no such style");
  }
  PSEPHOS_TRY(const ByteView sk, in.raw(crypto::SecretScalar::kSize, "credential's secret key"));
  PSEPHOS_TRY(wallet.sk_, crypto::SecretScalar::decode(sk));
  PSEPHOS_TRY(const ByteView pk, in.raw(crypto::Point::kSize, "credential"));
  PSEPHOS_TRY(wallet.pk_, crypto::Point::decode(pk, crypto::Identity::refused));
  if (crypto::multiply_base(wallet.sk_) != wallet.pk_) {
    return fail(Errc::malformed, "wallet file: its keys do not belong together");
  }
  PSEPHOS_TRY(wallet.next_sequence_, in.u32("next sequence"));

  const Bytes message = credential_message(election.id(), wallet.style_, wallet.pk_);
  const std::size_t rsa_bytes = manifest.signature_bytes();
  PSEPHOS_TRY(const std::uint32_t num_pending, in.u32("number of requests"));
  for (std::uint32_t i = 0; i < num_pending; ++i) {
    PSEPHOS_TRY(const std::uint32_t registrar, in.u32("registrar"));
    PSEPHOS_TRY(const ByteView prefix, in.raw(kPrefixBytes, "prefix"));
    PSEPHOS_TRY(const ByteView blinded, in.raw(rsa_bytes, "blinded message"));
    PSEPHOS_TRY(const ByteView inverse, in.raw(rsa_bytes, "unblinding secret"));
    Pending pending{.input_message = Writer().raw(prefix).raw(message).bytes(),
                    .blinded_message = Bytes(blinded.begin(), blinded.end()),
                    .inverse = SecretBuffer(inverse)};
    if (registrar >= manifest.num_registrars() ||
        !wallet.pending_.emplace(registrar, std::move(pending)).second) {
      return fail(Errc::malformed, "wallet file: a request too many");
    }
  }
  PSEPHOS_TRY(const std::uint32_t num_signatures, in.u32("number of signatures"));
  for (std::uint32_t i = 0; i < num_signatures; ++i) {
    PSEPHOS_TRY(const std::uint32_t registrar, in.u32("registrar"));
    Credential::Signature signature;
    PSEPHOS_TRY(const ByteView prefix, in.raw(kPrefixBytes, "prefix"));
    std::ranges::copy(prefix, signature.prefix.begin());
    PSEPHOS_TRY(const ByteView bytes, in.raw(rsa_bytes, "signature"));
    signature.signature.assign(bytes.begin(), bytes.end());
    if (registrar >= manifest.num_registrars() ||
        !wallet.signatures_.emplace(registrar, std::move(signature)).second) {
      return fail(Errc::malformed, "wallet file: a signature too many");
    }
  }

  PSEPHOS_TRY(const std::uint8_t prepared, in.u8("prepared ballot"));
  if (prepared > static_cast<std::uint8_t>(Prepared::yes)) {
    return fail(Errc::malformed, "wallet file: neither with nor without a prepared ballot");
  }
  if (Prepared{prepared} == Prepared::yes) {
    PSEPHOS_TRY(wallet.prepared_, load_opening(in, manifest.styles[wallet.style_].form, wallet.pk_,
                                               wallet.next_sequence_));
  }
  PSEPHOS_TRY(const std::uint32_t num_sent, in.u32("number of entries sent"));
  for (std::uint32_t i = 0; i < num_sent; ++i) {
    PSEPHOS_TRY(const ByteView bytes, in.var(kMaxEntryBytes, "entry sent"));
    PSEPHOS_TRY(const BoxEntry entry, decode_box_entry(bytes, election));
    wallet.sent_.push_back(
        {.challenged = std::holds_alternative<Challenge>(entry),
         .code = tracking_code(election.id(), style_of(entry), encrypted_of(entry)),
         .entry = Bytes(bytes.begin(), bytes.end())});
  }
  if (in.remaining() > 0) {
    PSEPHOS_CHECK_OK(wallet.load_answers(in));
  }
  PSEPHOS_CHECK_OK(in.finish("wallet file"));
  return wallet;
}

// Wallets that never heard from a box have no such part, as those of the versions before it.
Result<void> Wallet::load_answers(SecretReader& in) {
  for (std::size_t i = 0; i < sent_.size(); ++i) {
    PSEPHOS_TRY(const std::uint8_t kind, in.u8("answer"));
    if (kind > static_cast<std::uint8_t>(Answer::refusal)) {
      return fail(Errc::malformed, "wallet file: an answer that is none");
    }
    if (const Answer answer{kind}; answer != Answer::none) {
      PSEPHOS_TRY(std::string text, in.text(kMaxReceiptBytes, "answer"));
      PSEPHOS_CHECK_OK(answered(i, answer, std::move(text)));
    }
  }
  PSEPHOS_TRY(seen_, in.text(kMaxNoteBytes, "checkpoint"));
  if (!seen_.empty()) {
    PSEPHOS_CHECK_OK(check_checkpoint(seen_));
  }
  return has_answers() ? Result<void>()
                       : fail(Errc::malformed, "wallet file: a part for answers without any");
}

SecretBuffer Wallet::save() const {
  SecretWriter out;
  out.raw(election_id_).u32(style_).raw(sk_.expose_secret()).raw(pk_.bytes()).u32(next_sequence_);
  out.u32(static_cast<std::uint32_t>(pending_.size()));
  for (const auto& [registrar, pending] : pending_) {
    out.u32(registrar).raw(ByteView(pending.input_message).first(kPrefixBytes));
    out.raw(pending.blinded_message).raw(pending.inverse.expose_secret());
  }
  out.u32(static_cast<std::uint32_t>(signatures_.size()));
  for (const auto& [registrar, signature] : signatures_) {
    out.u32(registrar).raw(signature.prefix).raw(signature.signature);
  }
  out.u8(static_cast<std::uint8_t>(has_prepared() ? Prepared::yes : Prepared::no));
  if (prepared_.has_value()) {
    save_opening(out, *prepared_);
  }
  out.u32(static_cast<std::uint32_t>(sent_.size()));
  for (const Sent& sent : sent_) {
    out.var(sent.entry);
  }
  if (has_answers()) {
    for (const Sent& sent : sent_) {
      out.u8(static_cast<std::uint8_t>(sent.answer));
      if (sent.answer != Answer::none) {
        out.var(sent.text);
      }
    }
    out.var(seen_);
  }
  return std::move(out).take();
}

bool Wallet::has_answers() const {
  return !seen_.empty() ||
         std::ranges::any_of(sent_, [](const Sent& sent) { return sent.answer != Answer::none; });
}

Result<void> Wallet::answered(std::size_t position, Answer answer, std::string text) {
  if (position >= sent_.size() || sent_[position].answer != Answer::none ||
      answer == Answer::none) {
    return fail(Errc::misuse, "there is nothing that waits for this answer");
  }
  PSEPHOS_CHECK_OK(check_answer(answer, text));
  sent_[position].answer = answer;
  sent_[position].text = std::move(text);
  return {};
}

Result<void> Wallet::saw(std::string checkpoint) {
  PSEPHOS_CHECK_OK(check_checkpoint(checkpoint));
  seen_ = std::move(checkpoint);
  return {};
}

Result<void> Wallet::belongs_to(const Election& election) const {
  if (election.id() != election_id_) {
    return fail(Errc::misuse, "this wallet was made for another election");
  }
  return {};
}

Result<EnrolmentRequest> Wallet::request(const Election& election, std::uint32_t registrar,
                                         std::string voter, std::string code, Random& random) {
  PSEPHOS_CHECK_OK(belongs_to(election));
  if (registrar >= election.manifest().num_registrars()) {
    return fail(Errc::misuse, registrar_name(registrar) + ": the election has only " +
                                  std::to_string(election.manifest().num_registrars()));
  }
  if (signatures_.contains(registrar)) {
    return fail(Errc::misuse, registrar_name(registrar) + " has signed this credential already");
  }
  auto pending = pending_.find(registrar);
  if (pending == pending_.end()) {
    Bytes input = crypto::prepare(kVariant, credential_message(election_id_, style_, pk_), random);
    PSEPHOS_TRY(crypto::BlindedMessage blinded,
                crypto::blind(election.registrar_key(registrar, style_), kVariant, input, random));
    pending = pending_
                  .emplace(registrar, Pending{.input_message = std::move(input),
                                              .blinded_message = std::move(blinded.blinded_message),
                                              .inverse = std::move(blinded.inverse)})
                  .first;
  }
  return EnrolmentRequest{.election_id = election_id_,
                          .registrar = registrar,
                          .style = style_,
                          .voter = std::move(voter),
                          .code = std::move(code),
                          .blinded_message = pending->second.blinded_message};
}

Result<void> Wallet::receive(const Election& election, const EnrolmentResponse& response) {
  PSEPHOS_CHECK_OK(belongs_to(election));
  if (response.election_id != election_id_ || response.style != style_) {
    return fail(Errc::misuse, "this answer is for another election or ballot style");
  }
  const auto pending = pending_.find(response.registrar);
  if (pending == pending_.end()) {
    return fail(Errc::misuse, "no request to " + registrar_name(response.registrar) +
                                  " is waiting for an answer");
  }
  const Bytes& input = pending->second.input_message;
  auto signature = crypto::finalize(election.registrar_key(response.registrar, style_), kVariant,
                                    input, response.blind_signature, pending->second.inverse);
  if (!signature.has_value()) {
    return within("answer of " + registrar_name(response.registrar), signature.error());
  }
  Credential::Signature part{.prefix = {}, .signature = std::move(*signature)};
  std::copy_n(input.begin(), kPrefixBytes, part.prefix.begin());
  signatures_.emplace(response.registrar, std::move(part));
  pending_.erase(pending);
  return {};
}

std::vector<std::uint32_t> Wallet::missing(const Election& election) const {
  std::vector<std::uint32_t> missing;
  for (std::uint32_t i = 0; i < election.manifest().num_registrars(); ++i) {
    if (!signatures_.contains(i)) {
      missing.push_back(i);
    }
  }
  return missing;
}

Result<TrackingCode> Wallet::prepare(const Election& election, crypto::SecretVotes votes,
                                     Random& random) {
  PSEPHOS_CHECK_OK(belongs_to(election));
  if (const auto lacking = missing(election); !lacking.empty()) {
    return fail(Errc::misuse, "the credential is not complete: the signature of " +
                                  registrar_name(lacking.front()) + " is missing");
  }
  if (next_sequence_ == kLastSequence) {
    return fail(Errc::misuse, "this credential has used up its sequence numbers");
  }
  prepared_.reset();
  PSEPHOS_TRY(prepared_, crypto::encrypt(election.ballot_context(style_), pk_, next_sequence_,
                                         std::move(votes), random));
  return tracking_code(election_id_, style_, prepared_->ballot);
}

Credential Wallet::complete_credential() const {
  Credential credential;
  for (const auto& [registrar, signature] : signatures_) {
    credential.signatures.push_back(signature);
  }
  return credential;
}

Result<void> Wallet::can_send(const Election& election) const {
  PSEPHOS_CHECK_OK(belongs_to(election));
  if (!prepared_.has_value()) {
    return fail(Errc::misuse, "no ballot is prepared: encrypt a vote first");
  }
  return {};
}

Bytes Wallet::record(Sent sent) {
  ++next_sequence_;
  prepared_.reset();
  sent_.push_back(std::move(sent));
  return sent_.back().entry;
}

Result<Bytes> Wallet::cast(const Election& election, Random& random) {
  PSEPHOS_CHECK_OK(can_send(election));
  PSEPHOS_TRY(crypto::BallotProof proof,
              crypto::prove(election.ballot_context(style_), *prepared_, sk_, random));
  const Ballot ballot{.style = style_,
                      .credential = complete_credential(),
                      .encrypted = prepared_->ballot,
                      .proof = std::move(proof)};
  return record({.challenged = false,
                 .code = tracking_code(election_id_, style_, ballot.encrypted),
                 .entry = encode(ballot)});
}

Result<Bytes> Wallet::challenge(const Election& election, Random& random) {
  PSEPHOS_CHECK_OK(can_send(election));
  const auto votes = prepared_->votes.expose_secret();
  Challenge challenge{.style = style_,
                      .credential = complete_credential(),
                      .encrypted = prepared_->ballot,
                      .values = {votes.begin(), votes.end()},
                      .randomness = {},
                      .signature = {}};
  for (const crypto::SecretScalar& r : prepared_->r) {
    challenge.randomness.push_back(r.declassify());
  }
  challenge.signature =
      crypto::prove({.bases = {crypto::Point::base()}, .points = {pk_}}, sk_,
                    challenge_transcript(election_id_, style_, challenge.encrypted,
                                         challenge.values, challenge.randomness),
                    random);
  return record({.challenged = true,
                 .code = tracking_code(election_id_, style_, challenge.encrypted),
                 .entry = encode(challenge)});
}

}  // namespace psephos::protocol
