// Ed25519 signatures (RFC 8032), signing half; libsodium, constant time.
#pragma once

#include "psephos/crypto/ed25519.h"
#include "psephos/random.h"
#include "psephos/secret.h"

namespace psephos::crypto {

class Ed25519SecretKey {
 public:
  static Ed25519SecretKey random(Random& random);
  // from_seed takes the 32-byte private key of RFC 8032.
  static Ed25519SecretKey from_seed(const SecretBytes<32>& seed);

  [[nodiscard]] const Ed25519PublicKey& public_key() const { return public_key_; }
  [[nodiscard]] std::span<const std::uint8_t, 32> expose_secret_seed() const {
    return seed_.expose_secret();
  }
  [[nodiscard]] Ed25519Signature sign(ByteView message) const;

 private:
  Ed25519SecretKey() = default;
  SecretBytes<32> seed_;
  SecretBytes<64> expanded_;  // libsodium's seed ‖ public key
  Ed25519PublicKey public_key_{};
};

}  // namespace psephos::crypto
