// Ed25519 signatures (RFC 8032), verifying half; libsodium. Verification is libsodium's strict one:
// S below the order, no small-order A or R.
#pragma once

#include <array>
#include <cstdint>

#include "psephos/bytes.h"
#include "psephos/codec.h"
#include "psephos/error.h"

namespace psephos::crypto {

using Ed25519Signature = std::array<std::uint8_t, 64>;

struct Ed25519PublicKey {
  std::array<std::uint8_t, 32> bytes;

  // decode refuses a key that is not the canonical encoding of a point of full order.
  static Result<Ed25519PublicKey> decode(ByteView bytes);
  static Result<Ed25519PublicKey> decode(Reader& in, std::string_view field);
  // verify: Errc::rejected unless the signature is valid for the message.
  [[nodiscard]] Result<void> verify(ByteView message, const Ed25519Signature& signature) const;

  friend bool operator==(const Ed25519PublicKey&, const Ed25519PublicKey&) = default;
  friend auto operator<=>(const Ed25519PublicKey&, const Ed25519PublicKey&) = default;
};

}  // namespace psephos::crypto
