// Roster, opening and the election they make. Spec: docs/spec.md §5.1, §8.4.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "psephos/crypto/ballot_proof.h"
#include "psephos/crypto/blind_rsa.h"
#include "psephos/crypto/ed25519.h"
#include "psephos/crypto/merkle.h"
#include "psephos/crypto/point.h"
#include "psephos/protocol/manifest.h"

namespace psephos::protocol {

struct TrusteeKeys {
  crypto::Ed25519PublicKey identity{};
  crypto::Point transport;  // not the identity
  friend bool operator==(const TrusteeKeys&, const TrusteeKeys&) = default;
};

// Roster is the payload of the first entry of the main log.
struct Roster {
  crypto::Ed25519PublicKey authority{};
  crypto::Ed25519PublicKey main_log{};
  std::vector<TrusteeKeys> trustees;  // [i − 1] is trustee i's

  static Result<Roster> decode(ByteView payload, const Manifest& manifest);
  [[nodiscard]] Bytes encode() const;
  // SHA-256("psephos/v1/roster" ‖ manifest digest ‖ payload): what trustees compare before they
  // commit, and the context of all they say in the ceremony.
  [[nodiscard]] Digest32 digest(const Manifest& manifest) const;
  friend bool operator==(const Roster&, const Roster&) = default;
};

struct RegistrarKeys {
  crypto::Ed25519PublicKey log{};
  Digest32 moduli_digest{};
  friend bool operator==(const RegistrarKeys&, const RegistrarKeys&) = default;
};

// Opening is the payload of the opening message.
struct Opening {
  Roster roster;
  crypto::Point joint_key;                              // K, not the identity
  std::vector<std::vector<crypto::Point>> commitments;  // [i − 1][k] = F_{i,k}
  std::vector<RegistrarKeys> registrars;
  std::vector<crypto::Ed25519PublicKey> box_logs;  // one per shard

  static Result<Opening> decode(ByteView payload, const Manifest& manifest);
  [[nodiscard]] Bytes encode() const;
};

// moduli_digest is the SHA-256 of a registrar's moduli in the order of styles.
[[nodiscard]] Digest32 moduli_digest(std::span<const crypto::RsaPublicKey> keys);

// Election is everything a ballot is judged against: the manifest and the opening, whose bytes give
// the election id, and the registrars' keys the opening has the digests of. Immutable; shared
// read-only between threads.
class Election {
 public:
  // create decodes the opening, computes the election id and the public shares, and checks the
  // keys' number and digests. What came before the opening (ceremony, signatures) is MainLog's to
  // judge.
  static Result<std::shared_ptr<const Election>> create(
      std::shared_ptr<const Manifest> manifest, ByteView opening_payload,
      std::vector<std::vector<crypto::RsaPublicKey>> registrar_keys);

  [[nodiscard]] const Digest32& id() const { return id_; }
  [[nodiscard]] const Manifest& manifest() const { return *manifest_; }
  [[nodiscard]] const Opening& opening() const { return opening_; }
  [[nodiscard]] const crypto::RsaPublicKey& registrar_key(std::uint32_t registrar,
                                                          std::uint32_t style) const {
    return registrar_keys_[registrar][style];
  }
  // public_share is S_j of trustee j = 1 … n.
  [[nodiscard]] const crypto::Point& public_share(std::uint32_t trustee) const {
    return public_shares_[trustee - 1];
  }
  // ballot_context is the only maker of a BallotContext outside tests.
  [[nodiscard]] const crypto::BallotContext& ballot_context(std::uint32_t style) const {
    return contexts_[style];
  }
  // The verifier key of a log of this election: "main", "box/3", "roll/0"; Errc::misuse for others.
  [[nodiscard]] Result<crypto::NoteVerifier> log_verifier(const std::string& log) const;
  // All logs, main first, then boxes, then rolls.
  [[nodiscard]] std::vector<std::string> log_names() const;

 private:
  Election() = default;
  std::shared_ptr<const Manifest> manifest_;
  Opening opening_;
  Digest32 id_{};
  std::vector<std::vector<crypto::RsaPublicKey>> registrar_keys_;
  std::vector<crypto::Point> public_shares_;
  std::vector<crypto::BallotContext> contexts_;
};

}  // namespace psephos::protocol
