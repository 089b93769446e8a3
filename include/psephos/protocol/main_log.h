// The state of an election as a fold over its main log. Spec: docs/spec.md §8.3–8.7.
//
// The authority's tool appends a message only if the fold takes it; a verifier runs the same fold
// over a published log. What depends on other logs (whether tallies are the sums of the counted
// ballots, whether the close names the final trees) is checked in verify.h.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "psephos/crypto/relation.h"
#include "psephos/protocol/ceremony.h"
#include "psephos/protocol/check.h"
#include "psephos/protocol/issuance.h"
#include "psephos/protocol/message.h"
#include "psephos/protocol/opening.h"
#include "psephos/protocol/tally.h"

namespace psephos::protocol {

// Close is the payload of the close message: final trees in the order of shards, then registrars.
struct Close {
  std::vector<crypto::TreeHead> boxes;
  std::vector<crypto::TreeHead> rolls;
  static Result<Close> decode(ByteView payload, const Manifest& manifest);
  [[nodiscard]] Bytes encode() const;
};

// CredentialKey is the payload of a registrar's key message.
struct CredentialKey {
  std::uint32_t style = 0;
  crypto::RsaPublicKey key;
  static Result<CredentialKey> decode(ByteView payload, const Manifest& manifest);
  [[nodiscard]] Bytes encode() const;
};

class MainLog {
 public:
  enum class Phase : std::uint8_t {
    empty,       // nothing yet
    ceremony,    // roster is there; ceremony not complete
    ready,       // ceremony complete; opening awaited
    failed,      // a complaint ended the ceremony
    opened,      // opening is there; polls not open yet
    voting,      // polls are open
    closed,      // close is there; tallies awaited
    tallied,     // at least one tally, no decryption yet
    decrypting,  // at least one decryption, no result yet
    resulting,   // at least one result, not all
    complete,    // every tally has its result
  };

  MainLog(std::shared_ptr<const Manifest> manifest, const crypto::Evaluator& evaluator);

  // append judges the next message completely, its signature included. On a fault the state is
  // unchanged. The fault's place is left to the caller to complete ("main entry 12").
  std::expected<void, Fault> append(const Message& message);

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] const Manifest& manifest() const { return *manifest_; }
  [[nodiscard]] std::shared_ptr<const Manifest> shared_manifest() const { return manifest_; }
  [[nodiscard]] const std::optional<Roster>& roster() const { return roster_; }
  // ceremony is there once the roster is.
  [[nodiscard]] const std::optional<Ceremony>& ceremony() const { return ceremony_; }
  // election is null before the opening.
  [[nodiscard]] const std::shared_ptr<const Election>& election() const { return election_; }
  [[nodiscard]] const std::optional<Close>& close() const { return close_; }
  [[nodiscard]] const std::vector<Tally>& tallies() const { return tallies_; }
  // decryptions()[k] are those of tally k, in the order of the log, with their senders.
  struct Sent {
    std::uint32_t trustee;
    Decryption decryption;
  };
  [[nodiscard]] const std::vector<std::vector<Sent>>& decryptions() const { return decryptions_; }
  [[nodiscard]] const std::vector<TallyResult>& results() const { return results_; }
  // The lists of voters a registrar has announced. A registrar that announced any may issue to no
  // more voters than they hold.
  [[nodiscard]] const std::vector<RollImport>& roll_imports(std::uint32_t registrar) const {
    return roll_imports_[registrar];
  }
  // Their voters of one style, in all; nothing if the registrar announced no list.
  [[nodiscard]] std::optional<std::uint64_t> announced(std::uint32_t registrar,
                                                       std::uint32_t style) const;
  // Credential key messages so far, by registrar and style (before the opening their signatures are
  // unverified).
  [[nodiscard]] bool has_credential_key(std::uint32_t registrar, std::uint32_t style) const;
  [[nodiscard]] std::vector<std::vector<crypto::RsaPublicKey>> credential_keys() const;

 private:
  std::expected<void, Fault> append_roster(const Message& message);
  std::expected<void, Fault> append_ceremony(const Message& message);
  std::expected<void, Fault> append_credential_key(const Message& message);
  std::expected<void, Fault> append_opening(const Message& message);
  std::expected<void, Fault> append_open(const Message& message);
  std::expected<void, Fault> append_close(const Message& message);
  std::expected<void, Fault> append_tally(const Message& message);
  std::expected<void, Fault> append_decryption(const Message& message);
  std::expected<void, Fault> append_result(const Message& message);
  std::expected<void, Fault> append_roll(const Message& message);
  [[nodiscard]] std::expected<void, Fault> check_credential_keys(const Opening& opening) const;

  std::shared_ptr<const Manifest> manifest_;
  const crypto::Evaluator* evaluator_;
  Phase phase_ = Phase::empty;
  std::optional<Roster> roster_;
  std::optional<Ceremony> ceremony_;
  std::vector<std::vector<std::optional<Message>>> credential_keys_;  // [registrar][style]
  std::set<Bytes> moduli_;                                            // theirs
  std::shared_ptr<const Election> election_;
  std::optional<Close> close_;
  std::vector<Tally> tallies_;
  std::vector<std::vector<Sent>> decryptions_;
  std::vector<TallyResult> results_;
  std::vector<std::vector<RollImport>> roll_imports_;  // [registrar]
};

}  // namespace psephos::protocol
