// RSA blind signatures, RSABSSA (RFC 9474): what needs no secret. psephos uses one variant,
// RSABSSA-SHA384-PSS-Randomized with e = 65537; the other three are here so that the RFC's vectors
// can be run against the same code. OpenSSL does the arithmetic. Spec: docs/spec.md §6.1.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"

namespace psephos::crypto {

enum class BlindRsaVariant : std::uint8_t {
  sha384_pss_randomized,  // the one psephos uses
  sha384_psszero_randomized,
  sha384_pss_deterministic,
  sha384_psszero_deterministic,
};
[[nodiscard]] std::string_view name(BlindRsaVariant variant);
[[nodiscard]] std::size_t salt_size_bytes(BlindRsaVariant variant);    // 48 or 0
[[nodiscard]] std::size_t prefix_size_bytes(BlindRsaVariant variant);  // 32 or 0

// RsaPublicKey is a modulus n of 2048, 3072 or 4096 bits (exactly, odd) with e = 65537. Copies
// share the key; verification may run in several threads.
class RsaPublicKey {
 public:
  // from_modulus takes n as fixed-width big-endian bytes without a leading zero byte.
  static Result<RsaPublicKey> from_modulus(ByteView modulus);

  [[nodiscard]] std::size_t modulus_bits() const { return modulus_.size() * 8; }
  [[nodiscard]] std::size_t modulus_bytes() const { return modulus_.size(); }
  [[nodiscard]] const Bytes& modulus() const { return modulus_; }

  // verify checks an RSASSA-PSS signature (SHA-384, MGF1-SHA-384, the variant's salt length) over
  // input_message = prefix ‖ message. The signature is exactly modulus_bytes long and below n.
  // Errc::rejected else. Variable time, public data.
  [[nodiscard]] Result<void> verify(BlindRsaVariant variant, ByteView input_message,
                                    ByteView signature) const;

  // failing judges many signatures as verify does, eight at once where `ifma` says that the CPU has
  // AVX-512 IFMA (CurveBackend::ifma is supported). It returns the positions, ascending, of those
  // that do not verify.
  struct Signed {
    ByteView input_message;
    ByteView signature;
  };
  [[nodiscard]] std::vector<std::size_t> failing(BlindRsaVariant variant,
                                                 std::span<const Signed> signatures,
                                                 bool ifma) const;

  friend bool operator==(const RsaPublicKey& a, const RsaPublicKey& b) {
    return a.modulus_ == b.modulus_;
  }

  // Key is defined in crypto/openssl.h; opaque here.
  struct Key;
  [[nodiscard]] const Key& key() const { return *key_; }

 private:
  Bytes modulus_;
  std::shared_ptr<const Key> key_;
};

}  // namespace psephos::crypto
