// Ballots and challenges as they stand in a box log, and the judgement of one alone. Spec:
// docs/spec.md §6.2, §8.5.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "psephos/crypto/ballot_proof.h"
#include "psephos/crypto/discrete_log_proof.h"
#include "psephos/protocol/check.h"
#include "psephos/protocol/opening.h"

namespace psephos::protocol {

// The values stand in logs: they never change and are never reused.
enum class EntryType : std::uint8_t { ballot = 32, challenge = 33, issuance = 48 };

// Credential: every registrar's signature over prefix ‖ M, M = credential_message().
struct Credential {
  struct Signature {
    std::array<std::uint8_t, 32> prefix{};
    Bytes signature;  // rsa_bits/8
    friend bool operator==(const Signature&, const Signature&) = default;
  };
  std::vector<Signature> signatures;  // in the order of registrars

  static Result<Credential> decode(Reader& in, const Manifest& manifest);
  void encode(Writer& out) const;
  friend bool operator==(const Credential&, const Credential&) = default;
};
[[nodiscard]] Bytes credential_message(const Digest32& election_id, std::uint32_t style,
                                       const crypto::Point& pk);
// verify_credential: Errc::rejected names the first registrar whose signature does not verify.
[[nodiscard]] Result<void> verify_credential(const Election& election, std::uint32_t style,
                                             const crypto::Point& pk, const Credential& credential);

struct Ballot {
  std::uint32_t style = 0;
  Credential credential;
  crypto::EncryptedBallot encrypted;
  crypto::BallotProof proof;
};

struct Challenge {
  std::uint32_t style = 0;
  Credential credential;
  crypto::EncryptedBallot encrypted;
  std::vector<std::uint32_t> values;
  std::vector<crypto::Scalar> randomness;
  crypto::DiscreteLogProof signature;
};

using BoxEntry = std::variant<Ballot, Challenge>;

// decode_box_entry reads type ‖ body (an entry without the hash in front); everything V6 asks for.
[[nodiscard]] Result<BoxEntry> decode_box_entry(ByteView bytes, const Election& election);
[[nodiscard]] Bytes encode(const Ballot& ballot);
[[nodiscard]] Bytes encode(const Challenge& challenge);

// What both kinds have.
[[nodiscard]] std::uint32_t style_of(const BoxEntry& entry);
[[nodiscard]] const Credential& credential_of(const BoxEntry& entry);
[[nodiscard]] const crypto::EncryptedBallot& encrypted_of(const BoxEntry& entry);

// The context of a challenge's signature; the byte strings are those of the entry.
[[nodiscard]] crypto::Transcript challenge_transcript(const Digest32& election_id,
                                                      std::uint32_t style,
                                                      const crypto::EncryptedBallot& ballot,
                                                      std::span<const std::uint32_t> values,
                                                      std::span<const crypto::Scalar> randomness);

// check_box_entry returns every fault of an entry by itself (V7, V8, V11); the places are left
// empty for the caller.
[[nodiscard]] std::vector<Fault> check_box_entry(const Election& election, const BoxEntry& entry,
                                                 const crypto::Evaluator& evaluator);

// decode_box_entries decodes many at once, with what an evaluator gains from that.
[[nodiscard]] std::vector<Result<BoxEntry>> decode_box_entries(const Election& election,
                                                               std::span<const ByteView> entries,
                                                               const crypto::Evaluator& evaluator);
// judge_box_entries judges many entries (type ‖ body), each by itself: as decode_box_entry and then
// check_box_entry, but with what an evaluator gains from seeing many at once.
struct JudgedEntry {
  std::optional<BoxEntry> entry;  // nothing if it does not decode
  std::vector<Fault> faults;      // V6, or V7, V8, V11; the places are left empty for the caller
};
[[nodiscard]] std::vector<JudgedEntry> judge_box_entries(const Election& election,
                                                         std::span<const ByteView> entries,
                                                         const crypto::Evaluator& evaluator);

// The tracking code of a ballot or challenge.
using TrackingCode = Digest32;
[[nodiscard]] TrackingCode tracking_code(const Digest32& election_id, std::uint32_t style,
                                         const crypto::EncryptedBallot& ballot);
[[nodiscard]] std::string print(const TrackingCode& code);
// parse_tracking_code accepts what print writes; upper case and missing or other group marks
// (space) are forgiven, since people type it.
[[nodiscard]] Result<TrackingCode> parse_tracking_code(std::string_view text);

// A credential's public key as it is encoded: what maps are ordered by.
using CredentialPk = std::array<std::uint8_t, crypto::Point::kSize>;
// shard_of is the box shard a credential belongs to.
[[nodiscard]] std::uint32_t shard_of(const CredentialPk& pk, std::uint32_t shards);

// peek_credential reads what a box entry (type ‖ body) begins with, and nothing after it: for those
// who count entries of a log that others have judged. The pk need not be a point.
struct PeekedCredential {
  EntryType type = EntryType::ballot;  // or challenge
  std::uint32_t style = 0;
  CredentialPk pk{};
  friend bool operator==(const PeekedCredential&, const PeekedCredential&) = default;
};
[[nodiscard]] Result<PeekedCredential> peek_credential(ByteView payload);

}  // namespace psephos::protocol
