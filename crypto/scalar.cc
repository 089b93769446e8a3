#include "psephos/crypto/scalar.h"

#include <algorithm>

#include "crypto/scalar_words.h"
#include "crypto/sodium.h"

namespace psephos::crypto {

namespace {

// q, little-endian.
constexpr std::array<std::uint8_t, 32> kOrder = {
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10};

}  // namespace

Scalar Scalar::from_u64(std::uint64_t value) {
  Scalar scalar;
  for (std::size_t i = 0; i < 8; ++i) {
    scalar.bytes_[i] = static_cast<std::uint8_t>(value >> (8 * i));
  }
  return scalar;
}

Result<Scalar> Scalar::decode(ByteView bytes) {
  if (bytes.size() != kSize) {
    return fail(Errc::malformed, "a scalar is 32 bytes, not " + std::to_string(bytes.size()));
  }
  if (!std::lexicographical_compare(bytes.rbegin(), bytes.rend(), kOrder.rbegin(), kOrder.rend())) {
    return fail(Errc::malformed, "scalar is not below the group's order");
  }
  Scalar scalar;
  std::ranges::copy(bytes, scalar.bytes_.begin());
  return scalar;
}

Result<Scalar> Scalar::decode(Reader& in, std::string_view field) {
  PSEPHOS_TRY(const ByteView bytes, in.raw(kSize, field));
  auto scalar = decode(bytes);
  if (!scalar.has_value()) {
    return within(field, scalar.error());
  }
  return scalar;
}

Scalar Scalar::reduce(const std::array<std::uint8_t, 64>& bytes) {
  Scalar low;
  Scalar high;
  std::copy_n(bytes.begin(), kSize, low.bytes_.begin());
  std::copy_n(bytes.begin() + kSize, kSize, high.bytes_.begin());
  constexpr ScalarWords kRadix = {0xd6ec31748d98951d, 0xc6ef5bf4737dcf70, 0xfffffffffffffffe,
                                  0x0fffffffffffffff};  // 2^256 mod q
  return ScalarAccess::scalar(add_scalars(montgomery_product(ScalarAccess::words(low), kRadix),
                                          to_montgomery(ScalarAccess::words(high))));
}

bool Scalar::is_zero() const { return *this == Scalar(); }

Scalar Scalar::inverse() const {
  Scalar result;
  if (is_zero()) {
    return result;
  }
  PSEPHOS_CHECK(crypto_core_ristretto255_scalar_invert(result.bytes_.data(), bytes_.data()) == 0);
  return result;
}

Scalar operator+(const Scalar& a, const Scalar& b) {
  return ScalarAccess::scalar(add_scalars(ScalarAccess::words(a), ScalarAccess::words(b)));
}

Scalar operator-(const Scalar& a, const Scalar& b) {
  return ScalarAccess::scalar(subtract_scalars(ScalarAccess::words(a), ScalarAccess::words(b)));
}

Scalar operator*(const Scalar& a, const Scalar& b) {
  return ScalarAccess::scalar(
      montgomery_product(to_montgomery(ScalarAccess::words(a)), ScalarAccess::words(b)));
}

Scalar operator-(const Scalar& a) { return Scalar() - a; }

}  // namespace psephos::crypto
