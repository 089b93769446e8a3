#include "psephos/crypto/hmac.h"

#include "crypto/sodium.h"

namespace psephos::crypto {

Digest32 hmac_sha256(const SecretBytes<32>& key, std::initializer_list<ByteView> parts) {
  sodium();
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, key.expose_secret().data(), key.size());
  for (const ByteView part : parts) {
    if (!part.empty()) {
      crypto_auth_hmacsha256_update(&state, part.data(), part.size());
    }
  }
  Digest32 tag;
  crypto_auth_hmacsha256_final(&state, tag.data());
  // The state is a function of the key.
  wipe({reinterpret_cast<std::uint8_t*>(&state), sizeof state});
  return tag;
}

}  // namespace psephos::crypto
