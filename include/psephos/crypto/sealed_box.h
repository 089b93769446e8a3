// A short secret sealed to one receiver's ristretto255 key: an ephemeral Diffie–Hellman exchange
// and XChaCha20-Poly1305. Used for the shares of the key ceremony. Opening by the public, from a
// disclosed shared point, is what lets a complaint convict. Spec: docs/spec.md §5.3.
//
//   key = SHA-256("psephos/v1/share-key" ‖ u32be(|context|) ‖ context ‖ E ‖ X ‖ x·E)
//   ciphertext = XChaCha20-Poly1305(key, nonce 0, associated data context ‖ E ‖ X, content)
//
// The nonce may be constant because e, and with it the key, is fresh for each sealing. The key is
// hashed from both public points, so an opening binds to one sender's E and one receiver's X.
//
// The sealer proves that it knows e. Else it could send another's E on, and the receiver's
// complaint about it, which discloses x·E, would open what that other sealed.
#pragma once

#include <array>
#include <cstdint>

#include "psephos/bytes.h"
#include "psephos/crypto/discrete_log_proof.h"
#include "psephos/crypto/point.h"
#include "psephos/error.h"

namespace psephos::crypto {

// SealedShare: E = e·G, 32 bytes of ciphertext with their 16-byte tag, proof of knowledge of e.
struct SealedShare {
  static constexpr std::size_t kSize = 144;
  Point ephemeral;  // not the identity
  std::array<std::uint8_t, 48> ciphertext{};
  DiscreteLogProof proof;

  static Result<SealedShare> decode(Reader& in);
  void encode(Writer& out) const;
  friend bool operator==(const SealedShare&, const SealedShare&) = default;
};

// verify checks the proof, for the one context and receiver; Errc::rejected.
[[nodiscard]] Result<void> verify(const SealedShare& sealed, const Point& receiver,
                                  ByteView context, const Evaluator& evaluator);
[[nodiscard]] Transcript sealed_share_transcript(const Point& receiver, ByteView context);

// open_public decrypts with the disclosed shared point x·E, which thereby is public. `context`
// binds ceremony, sender and receiver; `receiver` is X. Errc::rejected if the tag fails; the 32
// bytes of content are returned as they are.
[[nodiscard]] Result<std::array<std::uint8_t, 32>> open_public(const SealedShare& sealed,
                                                               const Point& receiver,
                                                               const Point& shared_point,
                                                               ByteView context);

}  // namespace psephos::crypto
