#include "psephos/protocol/ballot.h"

#include <algorithm>

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

void check_proof(const Election& election, const Ballot& ballot, const crypto::Evaluator& evaluator,
                 std::vector<Fault>& faults) {
  for (const crypto::BallotCheck check : crypto::failing_checks(
           election.ballot_context(ballot.style), ballot.encrypted, ballot.proof, evaluator)) {
    faults.push_back({.check = Check::ballot_proofs,
                      .place = {},
                      .message = "the ballot's proof does not hold",
                      .equation = std::string(name(check))});
  }
}

// All equations of a challenge are judged at once: of the signature, then two of each option.
void check_opening(const Election& election, const Challenge& challenge,
                   const crypto::Evaluator& evaluator, std::vector<Fault>& faults) {
  using crypto::Bases;
  const std::vector<crypto::Ciphertext>& ciphertexts = challenge.encrypted.ciphertexts;
  PSEPHOS_CHECK(challenge.values.size() == ciphertexts.size() &&
                challenge.randomness.size() == ciphertexts.size());
  const auto report = [&faults](std::string message, std::string equation) {
    faults.push_back({.check = Check::challenges,
                      .place = {},
                      .message = std::move(message),
                      .equation = std::move(equation)});
  };

  const crypto::DiscreteLogStatement statement{.bases = {crypto::Point::base()},
                                               .points = {challenge.encrypted.credential}};
  std::vector<crypto::LinearRelation> relations;
  if (auto stated = crypto::relations(
          statement, challenge.signature,
          challenge_transcript(election.id(), challenge.style, challenge.encrypted,
                               challenge.values, challenge.randomness));
      stated.has_value()) {
    relations = std::move(*stated);
  } else {
    report(stated.error().message, "signature");
  }
  const std::size_t num_signature = relations.size();
  for (std::size_t j = 0; j < ciphertexts.size(); ++j) {
    const crypto::Scalar& r = challenge.randomness[j];
    const crypto::Scalar value = crypto::Scalar::from_u64(challenge.values[j]);
    relations.push_back(
        {.shared = {{Bases::kG, r}}, .own = {{-crypto::Scalar::one(), ciphertexts[j].alpha}}});
    relations.push_back({.shared = {{Bases::kK, r}, {Bases::kG, value}},
                         .own = {{-crypto::Scalar::one(), ciphertexts[j].beta}}});
  }

  const auto& bases = election.ballot_context(challenge.style).bases;
  std::size_t reported = 0;  // the last option named, counted from 1
  for (const std::size_t i : evaluator.failing(bases->points(), relations)) {
    if (i < num_signature) {
      report("the challenge is not signed by its credential", "signature");
    } else if (const std::size_t option = (i - num_signature) / 2 + 1; option != reported) {
      reported = option;
      report("the encryption does not open to the value claimed",
             "opening of option " + std::to_string(option));
    }
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
  Reader in(bytes);
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
  std::vector<Fault> faults;
  for (const std::uint32_t registrar : bad_signatures(
           election, style_of(entry), encrypted_of(entry).credential, credential_of(entry))) {
    faults.push_back({.check = Check::credentials,
                      .place = {},
                      .message = no_signature_of(registrar),
                      .equation = {}});
  }
  if (const auto* ballot = std::get_if<Ballot>(&entry)) {
    check_proof(election, *ballot, evaluator, faults);
  } else {
    check_opening(election, std::get<Challenge>(entry), evaluator, faults);
  }
  return faults;
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

std::uint32_t shard_of(const crypto::Point& pk, std::uint32_t shards) {
  const Digest32 digest = crypto::sha256({pk.bytes()});
  std::uint64_t lead = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    lead = lead << 8 | digest[i];
  }
  return static_cast<std::uint32_t>(lead * shards >> 32);
}

}  // namespace psephos::protocol
