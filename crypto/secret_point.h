// A point that is an intermediate secret of a computation, such as a term of a commitment: its
// encoding, wiped, with constant-time addition.
//
// libsodium's functions return −1 for an invalid point, which cannot occur here, and its
// multiplications also for an identity result, which is no error; neither is looked at. Inside
// libsodium that return value costs one branch on "the product is the identity": no secret that can
// make it so may pass here. A vote or a bit can, and goes through add_selected instead.
#pragma once

#include <array>
#include <cstdint>

#include "psephos/crypto/secret_scalar.h"
#include "psephos/secret.h"

#include "crypto/declassify.h"
#include "crypto/point_access.h"
#include "crypto/sodium.h"

namespace psephos::crypto {

class SecretPoint {
 public:
  // The default is the identity, whose encoding is 32 zero bytes.
  SecretPoint() = default;
  static SecretPoint product(const SecretScalar& s, const Point& p) {
    sodium();
    SecretPoint result;
    [[maybe_unused]] const int ignored =
        crypto_scalarmult_ristretto255(result.data(), s.expose_secret().data(), p.bytes().data());
    return result;
  }
  static SecretPoint product_base(const SecretScalar& s) {
    sodium();
    SecretPoint result;
    [[maybe_unused]] const int ignored =
        crypto_scalarmult_ristretto255_base(result.data(), s.expose_secret().data());
    return result;
  }

  void add(const SecretPoint& other) { add(other.encoding_.expose_secret().data()); }
  // Adds bit·P for a secret bit of 0 or 1: P's encoding or, masked away, that of the identity.
  void add_selected(std::uint8_t bit, const Point& p) {
    const auto mask = static_cast<std::uint8_t>(-bit);
    SecretPoint term;
    for (std::size_t i = 0; i < 32; ++i) {
      term.data()[i] = static_cast<std::uint8_t>(p.bytes()[i] & mask);
    }
    add(term);
  }

  [[nodiscard]] Point declassify() const {
    return PointAccess::from_valid(declassified(encoding_.expose_secret()));
  }
  [[nodiscard]] SecretBytes<32> take() && { return std::move(encoding_); }

 private:
  std::uint8_t* data() { return encoding_.expose_secret().data(); }
  void add(const std::uint8_t* other) {
    SecretPoint sum;
    [[maybe_unused]] const int ignored = crypto_core_ristretto255_add(sum.data(), data(), other);
    encoding_ = std::move(sum.encoding_);
  }

  SecretBytes<32> encoding_;
};

}  // namespace psephos::crypto
