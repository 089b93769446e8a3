// The key and the encryption of a sealed share, common to its opening by the secret key and by the
// public (docs/spec.md §5.3). libsodium's SHA-256 is used, and its state wiped, because the shared
// point is secret in one of the two.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "psephos/codec.h"
#include "psephos/crypto/sealed_box.h"

#include "crypto/labels.h"
#include "crypto/sodium.h"

namespace psephos::crypto {

// A fresh key encrypts one message only, so the nonce may be constant.
inline constexpr std::array<std::uint8_t, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES>
    kShareNonce{};

// key = SHA-256("psephos/v1/share-key" ‖ u32be(|context|) ‖ context ‖ E ‖ X ‖ shared point)
inline void derive_share_key(std::span<std::uint8_t, 32> key, const Point& ephemeral,
                             const Point& receiver, ByteView shared_point, ByteView context) {
  sodium();
  Writer statement;
  statement.raw(as_bytes(labels::kShareKey)).var(context);
  ephemeral.encode(statement);
  receiver.encode(statement);
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  crypto_hash_sha256_update(&state, statement.bytes().data(), statement.bytes().size());
  crypto_hash_sha256_update(&state, shared_point.data(), shared_point.size());
  crypto_hash_sha256_final(&state, key.data());
  sodium_memzero(&state, sizeof state);
}

// associated data = context ‖ E ‖ X
inline Bytes share_associated_data(const Point& ephemeral, const Point& receiver,
                                   ByteView context) {
  Writer data;
  data.raw(context);
  ephemeral.encode(data);
  receiver.encode(data);
  return std::move(data).take();
}

// decrypt_share returns false, and leaves zeros in content, if the tag fails.
[[nodiscard]] inline bool decrypt_share(std::span<std::uint8_t, 32> content,
                                        const SealedShare& sealed, const Point& receiver,
                                        std::span<const std::uint8_t, 32> key, ByteView context) {
  const Bytes data = share_associated_data(sealed.ephemeral, receiver, context);
  std::ranges::fill(content, std::uint8_t{0});
  return crypto_aead_xchacha20poly1305_ietf_decrypt(
             content.data(), nullptr, nullptr, sealed.ciphertext.data(), sealed.ciphertext.size(),
             data.data(), data.size(), kShareNonce.data(), key.data()) == 0;
}

}  // namespace psephos::crypto
