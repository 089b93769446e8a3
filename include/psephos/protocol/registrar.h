// A registrar: checks the roll and blind-signs one credential per voter. Spec: docs/spec.md §6.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "psephos/crypto/blind_rsa_signer.h"
#include "psephos/crypto/note_signer.h"
#include "psephos/protocol/ballot.h"
#include "psephos/protocol/executor.h"
#include "psephos/protocol/issuance.h"
#include "psephos/protocol/message.h"
#include "psephos/random.h"
#include "psephos/secret.h"

namespace psephos::protocol {

// Roll: who may vote, in which style, and the one-time code that proves it to the registrar.
struct RollEntry {
  std::uint32_t style = 0;
  std::string code;
};
using Roll = std::map<std::string, RollEntry, std::less<>>;

class Registrar {
 public:
  // create makes the log key, the salt key and one RSA key per style, for one election; the
  // executor spreads key generation over cores.
  static Result<Registrar> create(const Manifest& manifest, std::uint32_t index, Random& random,
                                  Executor& executor,
                                  crypto::RsaPrimes primes = crypto::RsaPrimes::two);
  static Result<Registrar> load(const SecretBuffer& content);
  [[nodiscard]] Result<SecretBuffer> save() const;

  [[nodiscard]] std::uint32_t index() const { return index_; }
  [[nodiscard]] const Digest32& manifest_digest() const { return manifest_digest_; }
  [[nodiscard]] const crypto::Ed25519PublicKey& log_key() const { return log_key_.public_key(); }
  [[nodiscard]] Result<std::shared_ptr<const crypto::NoteSigner>> log_signer(
      const Manifest& manifest) const;
  // The signed credential keys, one per style of the manifest these keys were made for.
  [[nodiscard]] std::vector<Message> credential_keys(const Manifest& manifest) const;

  // start binds these keys to an election, once; issue serves that one only. Two openings over one
  // manifest could list the same keys, and what is signed blindly for one would be good in the
  // other. Save the registrar before it issues. Errc::misuse if bound to another, or not listed in
  // it.
  Result<void> start(const Election& election);

  // serves is ok if these keys were started for this election, otherwise Errc::misuse.
  [[nodiscard]] Result<void> serves(const Election& election) const;

  // The voter's name in the public log.
  [[nodiscard]] Digest32 pseudonym(const Digest32& election_id, std::string_view voter) const;

  // issue decides one request against the roll and the state of the roll log. `issuance` is set if
  // this is the first answer to this voter: the caller appends it to the log, durably, before it
  // hands out the response. Errc::rejected: not on the roll, another style, wrong code (one message
  // for all three: a stranger learns nothing about the roll). Errc::misuse: answered before with
  // another blinded message, another election or registrar. Errc::malformed: a blinded message the
  // signer refuses.
  struct Answer {
    std::optional<Issuance> issuance;
    EnrolmentResponse response;
  };
  [[nodiscard]] Result<Answer> issue(const Election& election, const Roll& roll,
                                     const IssuanceState& state,
                                     const EnrolmentRequest& request) const;
  // issue_to is the same for a voter whom the caller has identified and found on the roll, with
  // this style (nothing: not found); `before` is the issuance to their pseudonym, if there was one.
  // It takes milliseconds and changes nothing: many may run at once, and IssuanceState decides when
  // their issuances are appended.
  [[nodiscard]] Result<Answer> issue_to(const Election& election,
                                        std::optional<std::uint32_t> style, const Issuance* before,
                                        const EnrolmentRequest& request) const;

  // What stands for a voter's one-time code where a roll is kept: useless without the key file.
  [[nodiscard]] Digest32 code_digest(const Digest32& election_id, std::string_view voter,
                                     std::string_view code) const;

  // roll_import announces a list of voters in the main log: how many of each style, and a digest
  // over voters and styles in the order given, under the salt key.
  struct RollRow {
    std::string voter;
    std::uint32_t style = 0;
  };
  [[nodiscard]] Result<Message> roll_import(const Election& election, std::uint32_t number,
                                            std::span<const RollRow> rows) const;

  // issue_own makes a voter's credential without blinding, for whoever plays voter and registrar
  // (synthetic.h). Log entry and signature are distributed as those of issue: what stands for the
  // digest of a blinded message, a uniform number nobody else sees, is random.
  struct OwnCredential {
    Issuance issuance;
    Credential::Signature signature;
  };
  [[nodiscard]] Result<OwnCredential> issue_own(const Election& election, std::string_view voter,
                                                std::uint32_t style, const crypto::Point& pk,
                                                Random& random) const;

  // compare_roll: every issuance of the log belongs to one voter of the roll and to their style.
  // Returns faults in words; empty: all do.
  [[nodiscard]] std::vector<std::string> compare_roll(const Election& election, const Roll& roll,
                                                      std::span<const Issuance> issued) const;

 private:
  Registrar(Digest32 manifest_digest, std::uint32_t index, crypto::Ed25519SecretKey log_key,
            SecretBytes<32> salt_key, std::vector<crypto::RsaSecretKey> keys)
      : manifest_digest_(manifest_digest),
        index_(index),
        log_key_(std::move(log_key)),
        salt_key_(std::move(salt_key)),
        keys_(std::move(keys)) {}
  [[nodiscard]] Result<void> belongs_to(const Manifest& manifest) const;

  Digest32 manifest_digest_;
  std::uint32_t index_;
  crypto::Ed25519SecretKey log_key_;
  SecretBytes<32> salt_key_;
  std::vector<crypto::RsaSecretKey> keys_;  // per style
  std::optional<Digest32> election_;        // id of the one election served
};

}  // namespace psephos::protocol
