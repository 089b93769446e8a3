#include "psephos/protocol/ballot.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "psephos/crypto/hash.h"

#include "protocol/labels.h"

namespace psephos::protocol {

namespace {

constexpr auto kVariant = crypto::BlindRsaVariant::sha384_pss_randomized;
constexpr std::string_view kBase32Digits = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::size_t kCodeDigits = 52;  // ⌈256 / 5⌉
constexpr std::size_t kCodeGroup = 4;

Bytes u32_bytes(std::uint32_t value) { return Writer().u32(value).bytes(); }

// What ballots and challenges have in common, in the order of the entry.
struct Head {
  std::uint32_t style = 0;
  Credential credential;
  crypto::EncryptedBallot encrypted;
};

Result<Head> decode_head(Reader& in, const Election& election) {
  const Manifest& manifest = election.manifest();
  Head head;
  PSEPHOS_TRY(head.style, in.u32("style"));
  if (head.style >= manifest.num_styles()) {
    return fail(Errc::malformed, "style " + std::to_string(head.style) +
                                     ": the election has only " +
                                     std::to_string(manifest.num_styles()));
  }
  PSEPHOS_TRY(head.encrypted.credential,
              crypto::Point::decode(in, crypto::Identity::refused, "credential key"));
  PSEPHOS_TRY(head.encrypted.sequence, in.u32("sequence"));
  PSEPHOS_TRY(head.credential, Credential::decode(in, manifest));
  PSEPHOS_TRY(head.encrypted.ciphertexts,
              crypto::decode_ciphertexts(in, manifest.styles[head.style].form));
  return head;
}

void encode_head(Writer& out, EntryType type, std::uint32_t style, const Credential& credential,
                 const crypto::EncryptedBallot& encrypted) {
  out.u8(static_cast<std::uint8_t>(type)).u32(style);
  encrypted.credential.encode(out);
  out.u32(encrypted.sequence);
  credential.encode(out);
  out.raw(encode_all(encrypted.ciphertexts));
}

Result<Ballot> decode_ballot(Reader& in, const Election& election) {
  PSEPHOS_TRY(Head head, decode_head(in, election));
  const crypto::BallotForm& form = election.manifest().styles[head.style].form;
  PSEPHOS_TRY(crypto::BallotProof proof, crypto::BallotProof::decode(in, form));
  PSEPHOS_CHECK_OK(in.finish("after the proof"));
  return Ballot{.style = head.style,
                .credential = std::move(head.credential),
                .encrypted = std::move(head.encrypted),
                .proof = std::move(proof)};
}

Result<Challenge> decode_challenge(Reader& in, const Election& election) {
  PSEPHOS_TRY(Head head, decode_head(in, election));
  const std::size_t num_options = head.encrypted.ciphertexts.size();
  Challenge challenge{.style = head.style,
                      .credential = std::move(head.credential),
                      .encrypted = std::move(head.encrypted),
                      .values = {},
                      .randomness = {},
                      .signature = {}};
  for (std::size_t j = 0; j < num_options; ++j) {
    PSEPHOS_TRY(const std::uint32_t value, in.u32("value"));
    challenge.values.push_back(value);
  }
  for (std::size_t j = 0; j < num_options; ++j) {
    PSEPHOS_TRY(const crypto::Scalar r, crypto::Scalar::decode(in, "randomness"));
    challenge.randomness.push_back(r);
  }
  PSEPHOS_TRY(challenge.signature, crypto::DiscreteLogProof::decode(in, 1));
  PSEPHOS_CHECK_OK(in.finish("after the signature"));
  return challenge;
}

// The registrars whose signature is not there or does not verify.
std::vector<std::uint32_t> bad_signatures(const Election& election, std::uint32_t style,
                                          const crypto::Point& pk, const Credential& credential) {
  const Bytes message = credential_message(election.id(), style, pk);
  std::vector<std::uint32_t> bad;
  for (std::uint32_t i = 0; i < election.manifest().num_registrars(); ++i) {
    if (i < credential.signatures.size()) {
      const Credential::Signature& signature = credential.signatures[i];
      const Bytes input = Writer().raw(signature.prefix).raw(message).bytes();
      if (election.registrar_key(i, style).verify(kVariant, input, signature.signature)) {
        continue;
      }
    }
    bad.push_back(i);
  }
  return bad;
}

std::string no_signature_of(std::uint32_t registrar) {
  return "the credential is not signed by registrar " + std::to_string(registrar);
}

// What is to be judged of an entry besides its credential: relations for an evaluator, and the
// faults that show without one.
struct Stated {
  std::vector<crypto::LinearRelation> relations;
  std::vector<Fault> faults;
};

Fault proof_fault(crypto::BallotCheck check) {
  return {.check = Check::ballot_proofs,
          .place = {},
          .message = "the ballot's proof does not hold",
          .equation = std::string(name(check))};
}

Fault challenge_fault(std::string message, std::string equation) {
  return {.check = Check::challenges,
          .place = {},
          .message = std::move(message),
          .equation = std::move(equation)};
}

Stated state(const Election& election, const Ballot& ballot) {
  auto equations =
      crypto::equations(election.ballot_context(ballot.style), ballot.encrypted, ballot.proof);
  Stated stated;
  if (!equations.has_value()) {
    stated.faults.push_back(proof_fault(equations.error()));
    return stated;
  }
  if (!equations->constraint_holds) {
    stated.faults.push_back(proof_fault(crypto::BallotCheck::constraint));
  }
  stated.relations.assign(std::make_move_iterator(equations->relations.begin()),
                          std::make_move_iterator(equations->relations.end()));
  return stated;
}

// The relation of the signature, if it can be stated, then two of each option.
Stated state(const Election& election, const Challenge& challenge) {
  using crypto::Bases;
  const std::vector<crypto::Ciphertext>& ciphertexts = challenge.encrypted.ciphertexts;
  PSEPHOS_CHECK(challenge.values.size() == ciphertexts.size() &&
                challenge.randomness.size() == ciphertexts.size());
  const crypto::DiscreteLogStatement statement{.bases = {crypto::Point::base()},
                                               .points = {challenge.encrypted.credential}};
  Stated stated;
  if (auto signature = crypto::relations(
          statement, challenge.signature,
          challenge_transcript(election.id(), challenge.style, challenge.encrypted,
                               challenge.values, challenge.randomness));
      signature.has_value()) {
    stated.relations = std::move(*signature);
  } else {
    stated.faults.push_back(challenge_fault(signature.error().message, "signature"));
  }
  for (std::size_t j = 0; j < ciphertexts.size(); ++j) {
    const crypto::Scalar& r = challenge.randomness[j];
    const crypto::Scalar value = crypto::Scalar::from_u64(challenge.values[j]);
    stated.relations.push_back(
        {.shared = {{Bases::kG, r}}, .own = {{-crypto::Scalar::one(), ciphertexts[j].alpha}}});
    stated.relations.push_back({.shared = {{Bases::kK, r}, {Bases::kG, value}},
                                .own = {{-crypto::Scalar::one(), ciphertexts[j].beta}}});
  }
  return stated;
}

// The faults of the relations that fail, of `size` that were stated.
std::vector<Fault> faults_of(const Ballot& /*ballot*/, std::size_t size,
                             std::span<const std::size_t> failing) {
  static constexpr std::array kEquations = {
      crypto::BallotCheck::equation_1, crypto::BallotCheck::equation_2,
      crypto::BallotCheck::equation_3, crypto::BallotCheck::equation_4,
      crypto::BallotCheck::equation_5};
  PSEPHOS_CHECK(size == kEquations.size());
  std::vector<Fault> faults;
  for (const std::size_t i : failing) {
    faults.push_back(proof_fault(kEquations[i]));
  }
  return faults;
}

std::vector<Fault> faults_of(const Challenge& challenge, std::size_t size,
                             std::span<const std::size_t> failing) {
  const std::size_t num_signature = size - 2 * challenge.encrypted.ciphertexts.size();
  std::vector<Fault> faults;
  std::size_t reported = 0;  // the last option named, counted from 1
  for (const std::size_t i : failing) {
    if (i < num_signature) {
      faults.push_back(
          challenge_fault("the challenge is not signed by its credential", "signature"));
    } else if (const std::size_t option = (i - num_signature) / 2 + 1; option != reported) {
      reported = option;
      faults.push_back(challenge_fault("the encryption does not open to the value claimed",
                                       "opening of option " + std::to_string(option)));
    }
  }
  return faults;
}

// RelationBatch gathers the relations of many entries over the same bases.
class RelationBatch {
 public:
  void add(std::size_t entry, std::vector<crypto::LinearRelation> relations) {
    first_.emplace_back(entry, relations_.size());
    std::ranges::move(relations, std::back_inserter(relations_));
  }
  // Calls report(entry, number of relations, positions of those that fail) for each entry that has
  // any.
  template <class Report>
  void judge(const crypto::Bases& bases, const crypto::Evaluator& evaluator, Report report) const {
    const std::vector<std::size_t> failing = evaluator.failing(bases.points(), relations_);
    auto next = failing.begin();
    for (std::size_t k = 0; k < first_.size(); ++k) {
      const auto [entry, first] = first_[k];
      const std::size_t end = k + 1 < first_.size() ? first_[k + 1].second : relations_.size();
      std::vector<std::size_t> positions;
      for (; next != failing.end() && *next < end; ++next) {
        positions.push_back(*next - first);
      }
      if (!positions.empty()) {
        report(entry, end - first, positions);
      }
    }
  }

 private:
  std::vector<std::pair<std::size_t, std::size_t>> first_;  // entry, position of its first relation
  std::vector<crypto::LinearRelation> relations_;
};

// All points of an entry.
void collect(crypto::EncryptedBallot& encrypted, std::vector<crypto::Point*>& points) {
  points.push_back(&encrypted.credential);
  for (crypto::Ciphertext& ciphertext : encrypted.ciphertexts) {
    points.push_back(&ciphertext.alpha);
    points.push_back(&ciphertext.beta);
  }
}
void collect(Ballot& ballot, std::vector<crypto::Point*>& points) {
  collect(ballot.encrypted, points);
  crypto::BallotProof& proof = ballot.proof;
  points.insert(points.end(),
                {&proof.B, &proof.A, &proof.C, &proof.D, &proof.E_alpha, &proof.E_beta, &proof.R});
}
void collect(Challenge& challenge, std::vector<crypto::Point*>& points) {
  collect(challenge.encrypted, points);
  for (crypto::Point& commitment : challenge.signature.commitments) {
    points.push_back(&commitment);
  }
}

Result<BoxEntry> decode_box_entry(Reader in, const Election& election) {
  PSEPHOS_TRY(const std::uint8_t type, in.u8("entry type"));
  switch (EntryType{type}) {
    case EntryType::ballot: {
      auto ballot = decode_ballot(in, election);
      if (!ballot.has_value()) {
        return within("ballot", ballot.error());
      }
      return std::move(*ballot);
    }
    case EntryType::challenge: {
      auto challenge = decode_challenge(in, election);
      if (!challenge.has_value()) {
        return within("challenge", challenge.error());
      }
      return std::move(*challenge);
    }
    case EntryType::issuance:
      break;
  }
  return fail(Errc::malformed, "type " + std::to_string(type) + " is no type of a box entry");
}

// The registrars' signatures on the entries that decoded.
void check_credentials(const Election& election, std::span<JudgedEntry> entries,
                       const crypto::Evaluator& evaluator) {
  struct Group {  // of one style
    std::vector<std::size_t> entries;
    std::vector<Bytes> messages;
  };
  std::map<std::uint32_t, Group> groups;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (const auto& entry = entries[i].entry; entry.has_value()) {
      Group& group = groups[style_of(*entry)];
      group.entries.push_back(i);
      group.messages.push_back(
          credential_message(election.id(), style_of(*entry), encrypted_of(*entry).credential));
    }
  }
  for (const auto& [style, group] : groups) {
    for (std::uint32_t r = 0; r < election.manifest().num_registrars(); ++r) {
      std::vector<Bytes> inputs;
      std::vector<crypto::RsaPublicKey::Signed> items;
      for (std::size_t k = 0; k < group.entries.size(); ++k) {
        const auto& signatures = credential_of(*entries[group.entries[k]].entry).signatures;
        // What is not there does not verify.
        static const Credential::Signature kMissing;
        const Credential::Signature& signature = r < signatures.size() ? signatures[r] : kMissing;
        inputs.push_back(Writer().raw(signature.prefix).raw(group.messages[k]).bytes());
        items.push_back({inputs.back(), signature.signature});
      }
      for (const std::size_t k :
           evaluator.not_signed(election.registrar_key(r, style), kVariant, items)) {
        entries[group.entries[k]].faults.push_back({.check = Check::credentials,
                                                    .place = {},
                                                    .message = no_signature_of(r),
                                                    .equation = {}});
      }
    }
  }
}

// Credential, proof or opening of the entries that decoded.
void check_entries(const Election& election, std::span<JudgedEntry> entries,
                   const crypto::Evaluator& evaluator) {
  std::map<const crypto::Bases*, RelationBatch> batches;
  check_credentials(election, entries, evaluator);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!entries[i].entry.has_value()) {
      continue;
    }
    const BoxEntry& entry = *entries[i].entry;
    std::vector<Fault>& faults = entries[i].faults;
    Stated stated = std::visit([&](const auto& e) { return state(election, e); }, entry);
    std::ranges::move(stated.faults, std::back_inserter(faults));
    if (!stated.relations.empty()) {
      batches[election.ballot_context(style_of(entry)).bases.get()].add(
          i, std::move(stated.relations));
    }
  }
  for (const auto& [bases, batch] : batches) {
    batch.judge(*bases, evaluator,
                [&](std::size_t i, std::size_t size, std::span<const std::size_t> failing) {
                  std::vector<Fault> faults =
                      std::visit([&](const auto& e) { return faults_of(e, size, failing); },
                                 *entries[i].entry);
                  std::ranges::move(faults, std::back_inserter(entries[i].faults));
                });
  }
}

}  // namespace

Result<Credential> Credential::decode(Reader& in, const Manifest& manifest) {
  Credential credential;
  for (std::uint32_t i = 0; i < manifest.num_registrars(); ++i) {
    Signature signature;
    PSEPHOS_TRY(const ByteView prefix, in.raw(signature.prefix.size(), "credential prefix"));
    std::ranges::copy(prefix, signature.prefix.begin());
    PSEPHOS_TRY(const ByteView bytes, in.raw(manifest.signature_bytes(), "credential signature"));
    signature.signature.assign(bytes.begin(), bytes.end());
    credential.signatures.push_back(std::move(signature));
  }
  return credential;
}

void Credential::encode(Writer& out) const {
  for (const Signature& signature : signatures) {
    out.raw(signature.prefix).raw(signature.signature);
  }
}

Bytes credential_message(const Digest32& election_id, std::uint32_t style,
                         const crypto::Point& pk) {
  Writer out;
  out.raw(as_bytes(labels::kCredentialMessage)).raw(election_id).u32(style);
  pk.encode(out);
  return std::move(out).take();
}

Result<void> verify_credential(const Election& election, std::uint32_t style,
                               const crypto::Point& pk, const Credential& credential) {
  const std::vector<std::uint32_t> bad = bad_signatures(election, style, pk, credential);
  if (!bad.empty()) {
    return fail(Errc::rejected, no_signature_of(bad.front()));
  }
  return {};
}

Result<BoxEntry> decode_box_entry(ByteView bytes, const Election& election) {
  return decode_box_entry(Reader(bytes), election);
}

Bytes encode(const Ballot& ballot) {
  Writer out;
  encode_head(out, EntryType::ballot, ballot.style, ballot.credential, ballot.encrypted);
  ballot.proof.encode(out);
  return std::move(out).take();
}

Bytes encode(const Challenge& challenge) {
  Writer out;
  encode_head(out, EntryType::challenge, challenge.style, challenge.credential,
              challenge.encrypted);
  for (const std::uint32_t value : challenge.values) {
    out.u32(value);
  }
  for (const crypto::Scalar& r : challenge.randomness) {
    r.encode(out);
  }
  challenge.signature.encode(out);
  return std::move(out).take();
}

std::uint32_t style_of(const BoxEntry& entry) {
  return std::visit([](const auto& e) { return e.style; }, entry);
}

const Credential& credential_of(const BoxEntry& entry) {
  return std::visit([](const auto& e) -> const Credential& { return e.credential; }, entry);
}

const crypto::EncryptedBallot& encrypted_of(const BoxEntry& entry) {
  return std::visit([](const auto& e) -> const crypto::EncryptedBallot& { return e.encrypted; },
                    entry);
}

crypto::Transcript challenge_transcript(const Digest32& election_id, std::uint32_t style,
                                        const crypto::EncryptedBallot& ballot,
                                        std::span<const std::uint32_t> values,
                                        std::span<const crypto::Scalar> randomness) {
  Writer value_bytes;
  for (const std::uint32_t value : values) {
    value_bytes.u32(value);
  }
  Writer randomness_bytes;
  for (const crypto::Scalar& r : randomness) {
    r.encode(randomness_bytes);
  }

  crypto::Transcript transcript(labels::kChallengedBallot);
  transcript.absorb(labels::kElection, election_id);
  transcript.absorb_u32(labels::kStyle, style);
  transcript.absorb(labels::kCredential, ballot.credential.bytes());
  transcript.absorb_u32(labels::kSequence, ballot.sequence);
  transcript.absorb(labels::kCiphertexts, encode_all(ballot.ciphertexts));
  transcript.absorb(labels::kValues, value_bytes.bytes());
  transcript.absorb(labels::kRandomness, randomness_bytes.bytes());
  return transcript;
}

std::vector<Fault> check_box_entry(const Election& election, const BoxEntry& entry,
                                   const crypto::Evaluator& evaluator) {
  JudgedEntry judged{.entry = entry, .faults = {}};
  check_entries(election, std::span(&judged, 1), evaluator);
  return std::move(judged.faults);
}

std::vector<Result<BoxEntry>> decode_box_entries(const Election& election,
                                                 std::span<const ByteView> entries,
                                                 const crypto::Evaluator& evaluator) {
  std::vector<Result<BoxEntry>> decoded;
  decoded.reserve(entries.size());
  for (const ByteView entry : entries) {
    decoded.push_back(decode_box_entry(Reader(entry, Reader::Points::later), election));
  }
  std::vector<crypto::Point*> points;
  std::vector<std::size_t> first_point;
  for (Result<BoxEntry>& entry : decoded) {
    first_point.push_back(points.size());
    if (entry.has_value()) {
      std::visit([&points](auto& e) { collect(e, points); }, *entry);
    }
  }
  first_point.push_back(points.size());
  for (const std::size_t position : evaluator.not_elements(points)) {
    const auto after = std::ranges::upper_bound(first_point, position);
    const auto i = static_cast<std::size_t>(after - first_point.begin()) - 1;
    if (decoded[i].has_value()) {
      // Once more, one point after another, for the field's name.
      decoded[i] = decode_box_entry(entries[i], election);
      PSEPHOS_CHECK(!decoded[i].has_value());
    }
  }
  return decoded;
}

std::vector<JudgedEntry> judge_box_entries(const Election& election,
                                           std::span<const ByteView> entries,
                                           const crypto::Evaluator& evaluator) {
  std::vector<JudgedEntry> judged;
  judged.reserve(entries.size());
  for (Result<BoxEntry>& entry : decode_box_entries(election, entries, evaluator)) {
    if (entry.has_value()) {
      judged.push_back({.entry = std::move(*entry), .faults = {}});
    } else {
      judged.push_back({.entry = std::nullopt,
                        .faults = {{.check = Check::ballots,
                                    .place = {},
                                    .message = entry.error().message,
                                    .equation = {}}}});
    }
  }
  check_entries(election, judged, evaluator);
  return judged;
}

TrackingCode tracking_code(const Digest32& election_id, std::uint32_t style,
                           const crypto::EncryptedBallot& ballot) {
  return crypto::sha256({as_bytes(labels::kTracking), election_id, u32_bytes(style),
                         ballot.credential.bytes(), u32_bytes(ballot.sequence),
                         encode_all(ballot.ciphertexts)});
}

std::string print(const TrackingCode& code) {
  std::string text;
  std::uint32_t bits = 0;
  unsigned num_bits = 0;
  std::size_t next = 0;
  for (std::size_t digit = 0; digit < kCodeDigits; ++digit) {
    if (num_bits < 5) {
      bits = bits << 8 | (next < code.size() ? code[next] : 0U);
      num_bits += 8;
      ++next;
    }
    if (digit > 0 && digit % kCodeGroup == 0) {
      text += '-';
    }
    num_bits -= 5;
    text += kBase32Digits[bits >> num_bits & 31U];
  }
  return text;
}

Result<TrackingCode> parse_tracking_code(std::string_view text) {
  TrackingCode code{};
  std::uint32_t bits = 0;
  unsigned num_bits = 0;
  std::size_t next = 0;
  std::size_t num_digits = 0;
  for (const char c : text) {
    if (c == '-' || c == ' ') {
      continue;
    }
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const std::size_t digit = kBase32Digits.find(lower);
    if (digit == std::string_view::npos) {
      return fail(Errc::malformed,
                  "tracking code: has something else than the letters a to z and digits 2 to 7");
    }
    if (++num_digits > kCodeDigits) {
      break;
    }
    bits = bits << 5 | static_cast<std::uint32_t>(digit);
    num_bits += 5;
    if (num_bits >= 8) {
      num_bits -= 8;
      code[next++] = static_cast<std::uint8_t>(bits >> num_bits);
    }
  }
  if (num_digits != kCodeDigits) {
    return fail(Errc::malformed, "tracking code: needs 13 groups of four letters and digits, has " +
                                     std::string(num_digits < kCodeDigits ? "fewer" : "more"));
  }
  if ((bits & ((1U << num_bits) - 1)) != 0) {
    return fail(Errc::malformed, "tracking code: its last letter cannot be right");
  }
  return code;
}

std::uint32_t shard_of(const CredentialPk& pk, std::uint32_t shards) {
  const Digest32 digest = crypto::sha256({pk});
  std::uint64_t lead = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    lead = lead << 8 | digest[i];
  }
  return static_cast<std::uint32_t>(lead * shards >> 32);
}

Result<PeekedCredential> peek_credential(ByteView payload) {
  Reader in(payload);
  PeekedCredential peeked;
  PSEPHOS_TRY(const std::uint8_t type, in.u8("entry type"));
  peeked.type = EntryType{type};
  if (peeked.type != EntryType::ballot && peeked.type != EntryType::challenge) {
    return fail(Errc::malformed, "type " + std::to_string(type) + " is no type of a box entry");
  }
  PSEPHOS_TRY(peeked.style, in.u32("style"));
  PSEPHOS_TRY(const ByteView pk, in.raw(peeked.pk.size(), "credential key"));
  std::ranges::copy(pk, peeked.pk.begin());
  return peeked;
}

}  // namespace psephos::protocol
