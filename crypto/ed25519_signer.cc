#include "psephos/crypto/ed25519_signer.h"

#include <algorithm>

#include "crypto/sodium.h"

namespace psephos::crypto {

Ed25519SecretKey Ed25519SecretKey::random(Random& random) {
  SecretBytes<32> seed;
  random.fill(seed.expose_secret());
  return from_seed(seed);
}

Ed25519SecretKey Ed25519SecretKey::from_seed(const SecretBytes<32>& seed) {
  sodium();
  Ed25519SecretKey key;
  std::ranges::copy(seed.expose_secret(), key.seed_.expose_secret().begin());
  crypto_sign_seed_keypair(key.public_key_.bytes.data(), key.expanded_.expose_secret().data(),
                           key.seed_.expose_secret().data());
  return key;
}

Ed25519Signature Ed25519SecretKey::sign(ByteView message) const {
  Ed25519Signature signature;
  crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(),
                       expanded_.expose_secret().data());
  return signature;
}

}  // namespace psephos::crypto
