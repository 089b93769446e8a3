// The election authority: lists the parties, opens and closes the election, sums and announces. It
// holds two signing keys and can neither read a vote nor make one count. Spec: docs/spec.md §5.1,
// §8.3–8.7.
#pragma once

#include <memory>
#include <vector>

#include "psephos/crypto/ed25519_signer.h"
#include "psephos/crypto/note_signer.h"
#include "psephos/protocol/main_log.h"
#include "psephos/protocol/message.h"
#include "psephos/protocol/verify.h"
#include "psephos/random.h"
#include "psephos/secret.h"

namespace psephos::protocol {

class Authority {
 public:
  static Authority create(Random& random);
  static Result<Authority> load(const SecretBuffer& content);
  [[nodiscard]] SecretBuffer save() const;

  [[nodiscard]] const crypto::Ed25519PublicKey& public_key() const { return key_.public_key(); }
  // The signer of the main log's checkpoints.
  [[nodiscard]] Result<std::shared_ptr<const crypto::NoteSigner>> main_log_signer(
      const Manifest& manifest) const;

  [[nodiscard]] Message roster(const Manifest& manifest, std::vector<TrusteeKeys> trustees) const;
  // opening, from a main log in phase ready with all credential keys; registrar and box log keys
  // are those the parties handed in. Errc::misuse if anything is missing, named.
  [[nodiscard]] Result<Message> opening(const MainLog& log,
                                        std::vector<crypto::Ed25519PublicKey> registrar_logs,
                                        std::vector<crypto::Ed25519PublicKey> box_logs) const;
  [[nodiscard]] Message open(const Election& election) const;
  [[nodiscard]] Message close(const Election& election, const Close& close) const;
  // The tally messages, from ballots this authority has audited.
  [[nodiscard]] std::vector<Message> tallies(const AuditedBallots& audited) const;
  // The result messages: Lagrange and logarithms over the first t decryptions of each tally.
  // Errc::misuse if some tally has fewer than t; Errc::rejected if a total is not in its range.
  [[nodiscard]] Result<std::vector<Message>> results(const MainLog& log) const;

 private:
  Authority(crypto::Ed25519SecretKey key, crypto::Ed25519SecretKey main_log_key)
      : key_(std::move(key)), main_log_key_(std::move(main_log_key)) {}
  crypto::Ed25519SecretKey key_;
  crypto::Ed25519SecretKey main_log_key_;
};

}  // namespace psephos::protocol
