// A trustee: takes part in the key ceremony and decrypts the tally it has itself verified. Spec:
// docs/spec.md §5, §8.7.
#pragma once

#include <cstdint>
#include <optional>

#include "psephos/crypto/ed25519_signer.h"
#include "psephos/crypto/polynomial.h"
#include "psephos/crypto/secret_scalar.h"
#include "psephos/protocol/ceremony.h"
#include "psephos/protocol/message.h"
#include "psephos/protocol/verify.h"
#include "psephos/random.h"
#include "psephos/secret.h"

namespace psephos::protocol {

class Trustee {
 public:
  // create makes identity and transport keys and the polynomial for one election (its manifest's
  // digest is kept: the keys serve no other). `index` is the trustee's number, 1 … n.
  static Result<Trustee> create(const Manifest& manifest, std::uint32_t index, Random& random);
  static Result<Trustee> load(const SecretBuffer& content);
  [[nodiscard]] SecretBuffer save() const;

  [[nodiscard]] std::uint32_t index() const { return index_; }
  [[nodiscard]] const Digest32& manifest_digest() const { return manifest_digest_; }
  [[nodiscard]] TrusteeKeys public_keys() const;

  // The messages of rounds 1–4. Each checks that the ceremony is the one these keys were made for,
  // lists this trustee's own keys, and is in the right round; Errc::misuse else. The reveal is the
  // same whenever it is asked for: its proof is made once, in create.
  //
  // A trustee takes part in one ceremony only. commit remembers the roster, and every later round
  // refuses another: an authority that could ask for shares under a second roster, with keys of its
  // own, would learn the polynomial. Save the trustee before the message of commit leaves.
  [[nodiscard]] Result<Message> commit(const Manifest& manifest, const Ceremony& ceremony);
  [[nodiscard]] Result<Message> reveal(const Manifest& manifest, const Ceremony& ceremony) const;
  [[nodiscard]] Result<Message> shares(const Manifest& manifest, const Ceremony& ceremony,
                                       Random& random) const;
  // confirm opens and checks all shares sent to this trustee, and returns a confirmation, or a
  // complaint against the first that cheated. It remembers the ceremony it judged, and neither it
  // nor decrypt serves another: save the trustee before the message leaves.
  [[nodiscard]] Result<Message> confirm(const Manifest& manifest, const Ceremony& ceremony,
                                        Random& random);

  // decrypt makes this trustee's share of one tally of an audited record. The share s_j is computed
  // from the record's sealed shares each time; it is stored nowhere. Errc::misuse if the tally is
  // not there or is below the manifest's minimum.
  //
  // The first call remembers which close it served, and every later one refuses another: two
  // tallies of one election that differ by a ballot would show that ballot. Save the trustee before
  // the message leaves.
  [[nodiscard]] Result<Message> decrypt(const AuditedBallots& audited, std::uint32_t tally,
                                        Random& random);

 private:
  Trustee(Digest32 manifest_digest, std::uint32_t index, crypto::Ed25519SecretKey identity,
          crypto::SecretScalar transport, crypto::SecretPolynomial polynomial, Bytes reveal)
      : manifest_digest_(manifest_digest),
        index_(index),
        identity_(std::move(identity)),
        transport_(std::move(transport)),
        polynomial_(std::move(polynomial)),
        reveal_(std::move(reveal)) {}
  // The keys, the manifest and the roster are those of this ceremony.
  [[nodiscard]] Result<void> belongs_to(const Manifest& manifest, const Ceremony& ceremony) const;
  [[nodiscard]] Result<void> is_committed_to(const Manifest& manifest,
                                             const Ceremony& ceremony) const;
  // opened_share is f_i(j) as sealed by i; an error means i cheated.
  [[nodiscard]] Result<crypto::SecretScalar> opened_share(const Ceremony& ceremony,
                                                          std::uint32_t sender) const;

  Digest32 manifest_digest_;
  std::uint32_t index_;
  crypto::Ed25519SecretKey identity_;
  crypto::SecretScalar transport_;
  crypto::SecretPolynomial polynomial_;
  Bytes reveal_;  // the payload committed to
  // What this trustee has bound itself to, once.
  std::optional<Digest32> roster_;     // committed under this roster (its digest)
  std::optional<Digest32> confirmed_;  // judged this ceremony (its digest)
  std::optional<Digest32> served_;     // decrypted tallies of this close
};

}  // namespace psephos::protocol
