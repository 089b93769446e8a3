// Signatures of JSON Web Signature (RFC 7515, RFC 7518 §3, RFC 8037), verifying half: what identity
// providers sign with. OpenSSL. What is signed, and by whom, is the caller's affair.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "psephos/bytes.h"
#include "psephos/error.h"

namespace psephos::crypto {

enum class JwsAlgorithm : std::uint8_t { rs256, es256, eddsa };

// name is the algorithm's name in an "alg" member.
[[nodiscard]] std::string_view name(JwsAlgorithm algorithm);

// JwsKey is a public key and the one algorithm it verifies. Immutable; copies share it, and several
// threads may use it at once.
class JwsKey {
 public:
  // RSASSA-PKCS1-v1_5 with SHA-256. Modulus and exponent are big-endian without leading zeros;
  // modulus of 2048 to 8192 bits, exponent odd, from 3 up, of at most 64 bits.
  static Result<JwsKey> rs256(ByteView modulus, ByteView exponent);
  // ECDSA on P-256 with SHA-256. 32 bytes each; the point must be on the curve.
  static Result<JwsKey> es256(ByteView x, ByteView y);
  // Ed25519. 32 bytes, the canonical encoding of a point of full order.
  static Result<JwsKey> eddsa(ByteView x);

  [[nodiscard]] JwsAlgorithm algorithm() const;
  // verify: Errc::rejected unless the signature, as it stands in a JWS, is valid for the input.
  [[nodiscard]] Result<void> verify(ByteView signing_input, ByteView signature) const;

 private:
  struct Key;
  explicit JwsKey(std::shared_ptr<const Key> key) : key_(std::move(key)) {}
  std::shared_ptr<const Key> key_;
};

}  // namespace psephos::crypto
