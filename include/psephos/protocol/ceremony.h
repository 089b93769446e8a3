// Payloads of the key ceremony's messages and their judgement. Spec: docs/spec.md §5.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <vector>

#include "psephos/crypto/discrete_log_proof.h"
#include "psephos/crypto/relation.h"
#include "psephos/crypto/sealed_box.h"
#include "psephos/protocol/check.h"
#include "psephos/protocol/manifest.h"
#include "psephos/protocol/message.h"
#include "psephos/protocol/opening.h"

namespace psephos::protocol {

struct Reveal {
  std::vector<crypto::Point> commitments;  // t
  crypto::DiscreteLogProof possession;
  static Result<Reveal> decode(ByteView payload, const Manifest& manifest);
  [[nodiscard]] Bytes encode() const;
};

struct Shares {
  std::map<std::uint32_t, crypto::SealedShare> to;  // receiver j ≠ sender
  static Result<Shares> decode(ByteView payload, const Manifest& manifest, std::uint32_t sender);
  [[nodiscard]] Bytes encode() const;
};

struct Complaint {
  std::uint32_t accused = 0;
  crypto::Point shared_point;
  crypto::DiscreteLogProof proof;
  static Result<Complaint> decode(ByteView payload, const Manifest& manifest);
  [[nodiscard]] Bytes encode() const;
};

// Contexts of the ceremony's proofs and seals; used by both sides. A proof of possession is made
// with the keys, before there is a roster; everything else is bound to the roster, so that nothing
// said among one list of keys counts among another.
[[nodiscard]] crypto::Transcript possession_transcript(const Manifest& manifest,
                                                       std::uint32_t trustee,
                                                       std::span<const crypto::Point> commitments);
[[nodiscard]] crypto::Transcript complaint_transcript(const Digest32& roster,
                                                      std::uint32_t complainant,
                                                      std::uint32_t accused);
[[nodiscard]] Bytes seal_context(const Digest32& roster, std::uint32_t sender,
                                 std::uint32_t receiver);

// Ceremony is the fold over the messages of rounds 1–4.
class Ceremony {
 public:
  enum class Round : std::uint8_t { commit, reveal, shares, confirm, complete, failed };

  Ceremony(std::shared_ptr<const Manifest> manifest, Roster roster);

  // append judges the next message, its signature included; on a fault (Check::trustees or, for a
  // message of another round, Check::order) the state is unchanged.
  std::expected<void, Fault> append(const Message& message, const crypto::Evaluator& evaluator);

  [[nodiscard]] Round round() const { return round_; }
  // Trustees whose message the present round still lacks.
  [[nodiscard]] std::vector<std::uint32_t> missing() const;
  [[nodiscard]] const Roster& roster() const { return roster_; }
  [[nodiscard]] const Digest32& roster_digest() const { return roster_digest_; }
  [[nodiscard]] const std::vector<std::optional<Reveal>>& reveals() const { return reveals_; }
  // The sealed share from sender to receiver, once round 3 has it.
  [[nodiscard]] const crypto::SealedShare* sealed_share(std::uint32_t sender,
                                                        std::uint32_t receiver) const;
  // The digest that confirmations sign; all of rounds 1–3 must be there.
  [[nodiscard]] Digest32 digest() const;

  // After a complaint: who cheated, and why. The complaint decides it for everyone.
  struct Verdict {
    std::uint32_t culprit;
    std::string reason;
  };
  [[nodiscard]] const std::optional<Verdict>& verdict() const { return verdict_; }

  // Of a complete ceremony: commitments of all, K = Σ F_{i,0}.
  [[nodiscard]] std::vector<std::vector<crypto::Point>> commitments() const;
  [[nodiscard]] crypto::Point joint_key() const;

 private:
  std::expected<void, Fault> append_commit(const Message& message);
  std::expected<void, Fault> append_reveal(const Message& message,
                                           const crypto::Evaluator& evaluator);
  std::expected<void, Fault> append_shares(const Message& message,
                                           const crypto::Evaluator& evaluator);
  std::expected<void, Fault> append_confirm(const Message& message);
  std::expected<void, Fault> append_complaint(const Message& message,
                                              const crypto::Evaluator& evaluator);
  [[nodiscard]] Verdict judge(std::uint32_t complainant, const Complaint& complaint,
                              const crypto::Evaluator& evaluator) const;
  void finish_message(const Message& message);

  std::shared_ptr<const Manifest> manifest_;
  Roster roster_;
  Digest32 roster_digest_;
  Round round_ = Round::commit;
  std::vector<std::optional<Digest32>> commits_;
  std::vector<std::optional<Reveal>> reveals_;
  std::vector<std::optional<Shares>> shares_;
  std::vector<bool> confirmed_;
  std::vector<std::vector<Bytes>> messages_;  // [round 0…2][i − 1], encoded
  std::optional<Verdict> verdict_;
};

}  // namespace psephos::protocol
