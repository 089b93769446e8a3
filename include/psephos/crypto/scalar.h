// Public integers modulo q = 2^252 + 27742317777372353535851937790883648493, the order of
// ristretto255 (RFC 9496 §4.4). A scalar that must stay secret is a SecretScalar, another type.
#pragma once

#include <array>
#include <cstdint>

#include "psephos/bytes.h"
#include "psephos/codec.h"
#include "psephos/error.h"

namespace psephos::crypto {

class Scalar {
 public:
  static constexpr std::size_t kSize = 32;

  // The default is zero.
  Scalar() : bytes_{} {}
  static Scalar from_u64(std::uint64_t value);
  static Scalar one() { return from_u64(1); }

  // decode accepts exactly 32 bytes, little-endian, below q; Errc::malformed else.
  static Result<Scalar> decode(ByteView bytes);
  static Result<Scalar> decode(Reader& in, std::string_view field);
  // reduce takes 64 uniform bytes, little-endian, modulo q.
  static Scalar reduce(const std::array<std::uint8_t, 64>& bytes);

  [[nodiscard]] const std::array<std::uint8_t, kSize>& bytes() const { return bytes_; }
  void encode(Writer& out) const { out.raw(bytes_); }

  [[nodiscard]] bool is_zero() const;
  // inverse of a nonzero scalar; the inverse of zero is zero.
  [[nodiscard]] Scalar inverse() const;

  friend Scalar operator+(const Scalar& a, const Scalar& b);
  friend Scalar operator-(const Scalar& a, const Scalar& b);
  friend Scalar operator*(const Scalar& a, const Scalar& b);
  friend Scalar operator-(const Scalar& a);
  friend bool operator==(const Scalar&, const Scalar&) = default;

 private:
  friend class ScalarAccess;
  std::array<std::uint8_t, kSize> bytes_;
};

}  // namespace psephos::crypto
