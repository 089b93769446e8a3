// RSABSSA (RFC 9474), the signer's key. Spec: docs/spec.md §6.1.
#pragma once

#include <cstdint>
#include <memory>

#include "psephos/crypto/blind_rsa.h"
#include "psephos/random.h"
#include "psephos/secret.h"

namespace psephos::crypto {

// How many primes the modulus has. Three make signing faster by two fifths (RFC 8017 §3.2); such a
// key cannot be stored, and is for rehearsals.
enum class RsaPrimes : std::uint8_t { two, three };

// RsaSecretKey signs blinded messages. Move-only; OpenSSL keeps and clears the numbers. OpenSSL's
// private operation is blinded and uses constant-time exponentiation. Thread-safe.
class RsaSecretKey {
 public:
  // generate makes a key of 2048, 3072 or 4096 bits with e = 65537 from OpenSSL's own generator.
  static Result<RsaSecretKey> generate(std::size_t modulus_bits, RsaPrimes primes = RsaPrimes::two);
  // decode reads what encode wrote (PKCS#8 DER), and checks the key (OpenSSL's full private check,
  // which includes primality: a tenth of a second at 3072 bits). Errc::malformed else.
  static Result<RsaSecretKey> decode(const SecretBuffer& der);
  [[nodiscard]] Result<SecretBuffer> encode() const;
  // from_numbers builds a key from big-endian n, d, p, q, for known-answer tests.
  static Result<RsaSecretKey> from_numbers_for_testing(ByteView n, ByteView d, ByteView p,
                                                       ByteView q);

  RsaSecretKey(RsaSecretKey&&) noexcept;
  RsaSecretKey& operator=(RsaSecretKey&&) noexcept;
  RsaSecretKey(const RsaSecretKey&) = delete;
  RsaSecretKey& operator=(const RsaSecretKey&) = delete;
  ~RsaSecretKey();

  [[nodiscard]] const RsaPublicKey& public_key() const { return public_key_; }

  // blind_sign returns m^d mod n (RFC 9474 §4.3). Errc::malformed if the message is not exactly
  // modulus_bytes long, not below n, or one of 0, 1, n−1, or shares a factor with n. The result s
  // is checked, s^e = m, before it is returned (a fault would give away the key):
  // Errc::environment.
  [[nodiscard]] Result<Bytes> blind_sign(ByteView blinded_message) const;

  // sign returns the variant's signature over input_message = prefix ‖ message, made without
  // blinding: RSASSA-PSS-SIGN (RFC 8017 §8.1.1) with a fresh salt. What a client unblinds has the
  // same distribution, (EMSA-PSS)^d with a uniform salt. For one who plays client and signer.
  // Errors of blind_sign.
  [[nodiscard]] Result<Bytes> sign(BlindRsaVariant variant, ByteView input_message,
                                   Random& random) const;

 private:
  struct Impl;
  // m^d mod n, checked, for a number below n of modulus_bytes.
  [[nodiscard]] Result<Bytes> private_operation(ByteView m) const;
  explicit RsaSecretKey(std::unique_ptr<Impl> impl, RsaPublicKey public_key);
  std::unique_ptr<Impl> impl_;
  RsaPublicKey public_key_;
};

}  // namespace psephos::crypto
