#include "psephos/crypto/ed25519.h"

#include <algorithm>
#include <string>

#include "crypto/sodium.h"

namespace psephos::crypto {

Result<Ed25519PublicKey> Ed25519PublicKey::decode(ByteView bytes) {
  sodium();
  Ed25519PublicKey key{};
  if (bytes.size() != key.bytes.size()) {
    return fail(Errc::malformed,
                "Ed25519 key of " + std::to_string(bytes.size()) + " bytes, expected 32");
  }
  std::ranges::copy(bytes, key.bytes.begin());
  if (crypto_core_ed25519_is_valid_point(key.bytes.data()) != 1) {
    return fail(Errc::malformed, "Ed25519 key is not a canonical point of full order");
  }
  return key;
}

Result<Ed25519PublicKey> Ed25519PublicKey::decode(Reader& in, std::string_view field) {
  Reader ahead = in;
  PSEPHOS_TRY(const ByteView bytes, ahead.raw(32, field));
  auto key = decode(bytes);
  if (!key.has_value()) {
    return within(field, key.error());
  }
  in = ahead;
  return key;
}

Result<void> Ed25519PublicKey::verify(ByteView message, const Ed25519Signature& signature) const {
  sodium();
  if (crypto_sign_verify_detached(signature.data(), message.data(), message.size(), bytes.data()) !=
      0) {
    return fail(Errc::rejected, "Ed25519 signature does not verify");
  }
  return {};
}

}  // namespace psephos::crypto
