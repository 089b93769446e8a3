#include "psephos/crypto/point.h"

#include <algorithm>

#include "crypto/sodium.h"

namespace psephos::crypto {

namespace {

constexpr const char* kNoIdentity = "the identity may not stand here";

}  // namespace

const Point& Point::base() {
  static const Point base = [] {
    Point point;
    point.bytes_ = {0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9,
                    0x61, 0xc5, 0x00, 0x51, 0x5f, 0x58, 0xe3, 0x0b, 0x6a, 0xa5, 0x82,
                    0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76};
    return point;
  }();
  return base;
}

Point Point::from_hash(const std::array<std::uint8_t, 64>& bytes) {
  sodium();
  Point point;
  PSEPHOS_CHECK(crypto_core_ristretto255_from_hash(point.bytes_.data(), bytes.data()) == 0);
  return point;
}

Result<Point> Point::decode(ByteView bytes, Identity identity) {
  if (bytes.size() != kSize) {
    return fail(Errc::malformed, "a point is 32 bytes, not " + std::to_string(bytes.size()));
  }
  sodium();
  if ((bytes[31] & 0x80) != 0 || crypto_core_ristretto255_is_valid_point(bytes.data()) != 1) {
    return fail(Errc::malformed, "not the canonical encoding of a ristretto255 point");
  }
  Point point;
  std::ranges::copy(bytes, point.bytes_.begin());
  if (identity == Identity::refused && point.is_identity()) {
    return fail(Errc::malformed, kNoIdentity);
  }
  return point;
}

Result<Point> Point::decode(Reader& in, Identity identity, std::string_view field) {
  PSEPHOS_TRY(const ByteView bytes, in.raw(kSize, field));
  if (in.points_later()) {
    Point unjudged;
    std::ranges::copy(bytes, unjudged.bytes_.begin());
    if (identity == Identity::refused && unjudged.is_identity()) {
      return within(field, fail(Errc::malformed, kNoIdentity).error());
    }
    return unjudged;
  }
  auto point = decode(bytes, identity);
  if (!point.has_value()) {
    return within(field, point.error());
  }
  return point;
}

bool Point::is_identity() const { return *this == Point(); }

Point operator+(const Point& a, const Point& b) {
  sodium();
  Point sum;
  PSEPHOS_CHECK(crypto_core_ristretto255_add(sum.bytes_.data(), a.bytes_.data(), b.bytes_.data()) ==
                0);
  return sum;
}

Point operator-(const Point& a, const Point& b) {
  sodium();
  Point difference;
  PSEPHOS_CHECK(crypto_core_ristretto255_sub(difference.bytes_.data(), a.bytes_.data(),
                                             b.bytes_.data()) == 0);
  return difference;
}

Point operator*(const Scalar& s, const Point& p) {
  sodium();
  Point product;
  // libsodium returns −1 for an invalid point, which a Point never is, and for an identity result,
  // which is no error here: the product then is the identity.
  const int status =
      crypto_scalarmult_ristretto255(product.bytes_.data(), s.bytes().data(), p.bytes_.data());
  PSEPHOS_CHECK(status == 0 || product.is_identity());
  return product;
}

}  // namespace psephos::crypto
