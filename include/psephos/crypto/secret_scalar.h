// Secret integers modulo q: private keys, shares, encryption randomness, proof nonces.
//
// Move-only, wiped, unprintable, without ==. All arithmetic is libsodium's constant-time scalar
// code. A value leaves this type only through declassify(), where the protocol publishes it, or
// expose_secret(), where it is sealed into a file or a message.
#pragma once

#include <array>
#include <cstdint>

#include "psephos/bytes.h"
#include "psephos/crypto/point.h"
#include "psephos/crypto/scalar.h"
#include "psephos/error.h"
#include "psephos/random.h"
#include "psephos/secret.h"

namespace psephos::crypto {

class SecretScalar {
 public:
  static constexpr std::size_t kSize = 32;

  // The default is zero.
  SecretScalar() = default;
  // random is uniform modulo q: 64 bytes of randomness, reduced.
  static SecretScalar random(Random& random);
  // reduce takes 64 secret bytes, little-endian, modulo q.
  static SecretScalar reduce(const SecretBytes<64>& bytes);
  // from_public lifts a public scalar; from_u64 a small secret integer.
  static SecretScalar from_public(const Scalar& value);
  static SecretScalar from_u64(std::uint64_t value);
  // decode accepts 32 bytes, little-endian, below q; Errc::malformed else. The comparison with q
  // takes constant time.
  static Result<SecretScalar> decode(ByteView bytes);

  [[nodiscard]] SecretScalar clone() const;
  [[nodiscard]] std::span<const std::uint8_t, 32> expose_secret() const {
    return bytes_.expose_secret();
  }
  // declassify makes the value public: for responses and for openings the protocol publishes.
  [[nodiscard]] Scalar declassify() const;

  friend SecretScalar operator+(const SecretScalar& a, const SecretScalar& b);
  friend SecretScalar operator-(const SecretScalar& a, const SecretScalar& b);
  friend SecretScalar operator*(const SecretScalar& a, const SecretScalar& b);
  friend SecretScalar operator*(const Scalar& a, const SecretScalar& b);

  bool operator==(const SecretScalar&) const = delete;

 private:
  SecretBytes<32> bytes_;
};

// multiply returns s·P for a result that is public although s is not (an encryption's α, a nonce's
// commitment). multiply_base is s·G. Constant time. The identity, for s = 0, is no error.
[[nodiscard]] Point multiply(const SecretScalar& s, const Point& p);
[[nodiscard]] Point multiply_base(const SecretScalar& s);

// shared_secret is the encoding of s·P where the product itself must stay secret.
[[nodiscard]] SecretBytes<32> shared_secret(const SecretScalar& s, const Point& p);

// HedgedNonces yields secret scalars that stay unpredictable if either the random generator or the
// secrecy of the key fails, and that do not repeat after a fork with another statement: the i-th is
// SHA-512("psephos/v1/nonce" ‖ seed ‖ u64be(i)) mod q, where the seed is SHA-512 of 64 fresh random
// bytes, the secret and the statement. Not thread-safe. Spec: docs/spec.md §2.5.
class HedgedNonces {
 public:
  HedgedNonces(Random& random, ByteView secret, ByteView statement);
  [[nodiscard]] SecretScalar next();

 private:
  SecretBytes<64> seed_;
  std::uint64_t counter_ = 0;
};

}  // namespace psephos::crypto
