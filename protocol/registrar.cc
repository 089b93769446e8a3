#include "psephos/protocol/registrar.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "psephos/codec.h"
#include "psephos/crypto/blind_rsa_client.h"
#include "psephos/crypto/hash.h"
#include "psephos/crypto/hmac.h"
#include "psephos/protocol/main_log.h"
#include "psephos/protocol/message_signer.h"

#include "protocol/labels.h"
#include "protocol/log_signer.h"
#include "protocol/secret_io.h"

namespace psephos::protocol {

namespace {

constexpr std::uint32_t kMaxStyles = 4096;
// A 4096-bit key takes about 2,400 bytes in PKCS#8.
constexpr std::size_t kMaxKeyBytes = 4096;

// Equal digests mean equal codes, and comparing them tells nothing about where codes differ.
bool same_code(std::string_view a, std::string_view b) {
  return ct_equal(crypto::sha256({as_bytes(a)}), crypto::sha256({as_bytes(b)}));
}

}  // namespace

Result<Registrar> Registrar::create(const Manifest& manifest, std::uint32_t index, Random& random,
                                    Executor& executor, crypto::RsaPrimes primes) {
  if (index >= manifest.num_registrars()) {
    return fail(Errc::misuse, "registrar " + std::to_string(index) + ": the manifest lists only " +
                                  std::to_string(manifest.num_registrars()));
  }
  std::vector<std::optional<Result<crypto::RsaSecretKey>>> generated(manifest.num_styles());
  executor.run(generated.size(), [&](std::size_t style) {
    generated[style].emplace(crypto::RsaSecretKey::generate(manifest.rsa_bits, primes));
  });
  std::vector<crypto::RsaSecretKey> keys;
  keys.reserve(generated.size());
  for (auto& result : generated) {
    PSEPHOS_TRY(crypto::RsaSecretKey key, std::move(*result));
    keys.push_back(std::move(key));
  }
  SecretBytes<32> salt_key;
  random.fill(salt_key.expose_secret());
  return Registrar(manifest.digest, index, crypto::Ed25519SecretKey::random(random),
                   std::move(salt_key), std::move(keys));
}

Result<Registrar> Registrar::load(const SecretBuffer& content) {
  SecretReader in(content);
  PSEPHOS_TRY(const Digest32 manifest_digest, in.digest("manifest digest"));
  PSEPHOS_TRY(const std::uint32_t index, in.u32("registrar"));
  PSEPHOS_TRY(const SecretBytes<32> log_seed, in.secret<32>("log key"));
  PSEPHOS_TRY(SecretBytes<32> salt_key, in.secret<32>("salt key"));
  PSEPHOS_TRY(const std::uint32_t num_keys, in.u32("number of keys"));
  if (num_keys > kMaxStyles) {
    return fail(Errc::malformed, "registrar file: too many keys");
  }
  std::vector<crypto::RsaSecretKey> keys;
  for (std::uint32_t style = 0; style < num_keys; ++style) {
    PSEPHOS_TRY(const ByteView bytes, in.var(kMaxKeyBytes, "credential key"));
    PSEPHOS_TRY(crypto::RsaSecretKey key, crypto::RsaSecretKey::decode(SecretBuffer(bytes)));
    keys.push_back(std::move(key));
  }
  PSEPHOS_TRY(const std::optional<Digest32> election, in.optional_digest("election id"));
  PSEPHOS_CHECK_OK(in.finish("registrar file"));
  Registrar registrar(manifest_digest, index, crypto::Ed25519SecretKey::from_seed(log_seed),
                      std::move(salt_key), std::move(keys));
  registrar.election_ = election;
  return registrar;
}

Result<SecretBuffer> Registrar::save() const {
  SecretWriter out;
  out.raw(manifest_digest_).u32(index_).raw(log_key_.expose_secret_seed());
  out.raw(salt_key_.expose_secret()).u32(static_cast<std::uint32_t>(keys_.size()));
  for (const crypto::RsaSecretKey& key : keys_) {
    PSEPHOS_TRY(const SecretBuffer bytes, key.encode());
    out.var(bytes.expose_secret());
  }
  out.optional_digest(election_);
  return std::move(out).take();
}

Result<void> Registrar::belongs_to(const Manifest& manifest) const {
  if (manifest_digest_ != manifest.digest || index_ >= manifest.num_registrars() ||
      keys_.size() != manifest.num_styles()) {
    return fail(Errc::misuse, "this registrar's keys were made for another election");
  }
  return {};
}

Result<std::shared_ptr<const crypto::NoteSigner>> Registrar::log_signer(
    const Manifest& manifest) const {
  PSEPHOS_CHECK_OK(belongs_to(manifest));
  return make_log_signer(manifest.log_origin(Manifest::roll_log(index_)), log_key_);
}

std::vector<Message> Registrar::credential_keys(const Manifest& manifest) const {
  std::vector<Message> messages;
  for (std::size_t style = 0; style < keys_.size(); ++style) {
    const CredentialKey key{.style = static_cast<std::uint32_t>(style),
                            .key = keys_[style].public_key()};
    messages.push_back(
        sign_message(MessageType::credential_key, manifest.digest, index_, key.encode(), log_key_));
  }
  return messages;
}

Result<void> Registrar::start(const Election& election) {
  PSEPHOS_CHECK_OK(belongs_to(election.manifest()));
  if (election_.has_value() && *election_ != election.id()) {
    return fail(Errc::misuse, "this registrar's keys serve another election of this manifest, " +
                                  hex(*election_) + "; find out why there are two openings");
  }
  for (std::uint32_t style = 0; style < keys_.size(); ++style) {
    if (keys_[style].public_key() != election.registrar_key(index_, style)) {
      return fail(Errc::misuse,
                  "this registrar's keys are not those that the election's opening lists");
    }
  }
  election_ = election.id();
  return {};
}

Result<void> Registrar::serves(const Election& election) const {
  if (election_ != election.id()) {
    return fail(Errc::misuse, "this registrar's keys have not been started for this election");
  }
  return {};
}

Digest32 Registrar::pseudonym(const Digest32& election_id, std::string_view voter) const {
  return crypto::hmac_sha256(salt_key_, {as_bytes(labels::kRoll), election_id, as_bytes(voter)});
}

Digest32 Registrar::code_digest(const Digest32& election_id, std::string_view voter,
                                std::string_view code) const {
  Writer in;
  in.raw(as_bytes(labels::kRollCode)).raw(election_id).var(voter).var(code);
  return crypto::hmac_sha256(salt_key_, {in.bytes()});
}

Result<Message> Registrar::roll_import(const Election& election, std::uint32_t number,
                                       std::span<const RollRow> rows) const {
  PSEPHOS_CHECK_OK(belongs_to(election.manifest()));
  if (election_ != election.id()) {
    return fail(Errc::misuse, "this registrar's keys have not been started for this election");
  }
  if (rows.size() > election.manifest().voters) {
    return fail(Errc::misuse, "the list has " + std::to_string(rows.size()) +
                                  " voters; the manifest allows " +
                                  std::to_string(election.manifest().voters));
  }
  RollImport import{
      .number = number, .digest = {}, .voters = std::vector<std::uint64_t>(keys_.size())};
  Writer list;
  list.raw(as_bytes(labels::kRollImport)).raw(election.id()).u32(number);
  for (const RollRow& row : rows) {
    if (row.style >= keys_.size()) {
      return fail(Errc::misuse, "voter \"" + printable(row.voter) + "\": there is no style " +
                                    std::to_string(row.style));
    }
    list.var(row.voter).u32(row.style);
    ++import.voters[row.style];
  }
  import.digest = crypto::hmac_sha256(salt_key_, {list.bytes()});
  return sign_message(MessageType::roll, election.id(), index_, import.encode(), log_key_);
}

Result<Registrar::Answer> Registrar::issue(const Election& election, const Roll& roll,
                                           const IssuanceState& state,
                                           const EnrolmentRequest& request) const {
  const auto found = roll.find(request.voter);
  const RollEntry nobody;
  const RollEntry& entry = found == roll.end() ? nobody : found->second;
  // An entry without a code admits nobody.
  const bool admitted = same_code(entry.code, request.code) && !entry.code.empty();
  const Issuance* const before = state.find(pseudonym(election.id(), request.voter));
  PSEPHOS_TRY(
      Answer answer,
      issue_to(election, admitted ? std::optional(entry.style) : std::nullopt, before, request));
  if (answer.issuance.has_value()) {
    if (const auto fit = state.check(*answer.issuance); !fit.has_value()) {
      return fail(Errc::misuse, fit.error().message);
    }
  }
  return answer;
}

Result<Registrar::Answer> Registrar::issue_to(const Election& election,
                                              std::optional<std::uint32_t> style,
                                              const Issuance* before,
                                              const EnrolmentRequest& request) const {
  PSEPHOS_CHECK_OK(belongs_to(election.manifest()));
  PSEPHOS_CHECK_OK(serves(election));
  if (request.election_id != election.id()) {
    return fail(Errc::misuse, "the enrolment request is for another election");
  }
  if (request.registrar != index_) {
    return fail(Errc::misuse, "the enrolment request is for registrar " +
                                  std::to_string(request.registrar) + ", this is registrar " +
                                  std::to_string(index_));
  }
  if (style != request.style || request.style >= keys_.size()) {
    return fail(Errc::rejected,
                "not on the roll with this voter id, code and ballot style; check all three");
  }

  const Issuance issuance{.pseudonym = pseudonym(election.id(), request.voter),
                          .style = request.style,
                          .blinded_digest = crypto::sha256({request.blinded_message})};
  if (before != nullptr && *before != issuance) {
    return fail(Errc::misuse,
                "this voter has got a credential for another blinded message before; the wallet "
                "that asked first must be used");
  }
  const crypto::RsaSecretKey& key = keys_[request.style];
  PSEPHOS_TRY(Bytes signature, key.blind_sign(request.blinded_message));
  return Answer{.issuance = before == nullptr ? std::optional(issuance) : std::nullopt,
                .response = {.election_id = election.id(),
                             .registrar = index_,
                             .style = request.style,
                             .blind_signature = std::move(signature)}};
}

Result<Registrar::OwnCredential> Registrar::issue_own(const Election& election,
                                                      std::string_view voter, std::uint32_t style,
                                                      const crypto::Point& pk,
                                                      Random& random) const {
  PSEPHOS_CHECK_OK(serves(election));
  if (style >= keys_.size()) {
    return fail(Errc::misuse, "style " + std::to_string(style) + ": the election has only " +
                                  std::to_string(keys_.size()));
  }
  constexpr auto kVariant = crypto::BlindRsaVariant::sha384_pss_randomized;
  OwnCredential own{.issuance = {.pseudonym = pseudonym(election.id(), voter),
                                 .style = style,
                                 .blinded_digest = {}},
                    .signature = {}};
  random.fill(own.issuance.blinded_digest);
  const Bytes input =
      crypto::prepare(kVariant, credential_message(election.id(), style, pk), random);
  std::ranges::copy(ByteView(input).first(own.signature.prefix.size()),
                    own.signature.prefix.begin());
  PSEPHOS_TRY(own.signature.signature, keys_[style].sign(kVariant, input, random));
  return own;
}

std::vector<std::string> Registrar::compare_roll(const Election& election, const Roll& roll,
                                                 std::span<const Issuance> issued) const {
  std::map<Digest32, const Roll::value_type*> voters;
  for (const auto& voter : roll) {
    voters.emplace(pseudonym(election.id(), voter.first), &voter);
  }
  std::map<Digest32, std::size_t> seen;
  std::vector<std::string> faults;
  for (std::size_t i = 0; i < issued.size(); ++i) {
    const Issuance& issuance = issued[i];
    const std::string place = Manifest::roll_log(index_) + " entry " + std::to_string(i) + ": ";
    const auto [first, is_new] = seen.emplace(issuance.pseudonym, i);
    if (!is_new) {
      faults.push_back(place + "was issued to the voter of entry " + std::to_string(first->second));
    }
    const auto found = voters.find(issuance.pseudonym);
    if (found == voters.end()) {
      faults.push_back(place + "was issued to nobody on the roll");
    } else if (const auto& [voter, entry] = *found->second; entry.style != issuance.style) {
      faults.push_back(place + "was issued for style \"" +
                       election.manifest().styles[issuance.style].id +
                       "\", which is not that of voter " + voter + " on the roll");
    }
  }
  return faults;
}

}  // namespace psephos::protocol
