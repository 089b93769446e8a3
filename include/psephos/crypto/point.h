// Elements of ristretto255 (RFC 9496), held as their canonical 32 bytes. Arithmetic is libsodium's.
//
// A Point is always a valid element: the only way in from bytes is decode, which also refuses a set
// bit 255 (libsodium 1.0.18 ignores it, and would give each element two encodings). A reader made
// with Points::later leaves that to an Evaluator.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "psephos/bytes.h"
#include "psephos/codec.h"
#include "psephos/crypto/scalar.h"
#include "psephos/error.h"

namespace psephos::crypto {

// Whether a decoder lets the identity through (docs/spec.md §2.2 says where it may stand).
enum class Identity : std::uint8_t { refused, accepted };

class Point {
 public:
  static constexpr std::size_t kSize = 32;

  // The default is the identity.
  Point() : bytes_{}, coordinates_{} {}
  // base is G, the generator of RFC 9496 §4.
  static const Point& base();
  // from_hash maps 64 uniform bytes to an element (RFC 9496 §4.3.4, one-way map).
  static Point from_hash(const std::array<std::uint8_t, 64>& bytes);

  // decode accepts exactly the canonical encoding; Errc::malformed else.
  static Result<Point> decode(ByteView bytes, Identity identity);
  static Result<Point> decode(Reader& in, Identity identity, std::string_view field);

  [[nodiscard]] const std::array<std::uint8_t, kSize>& bytes() const { return bytes_; }
  void encode(Writer& out) const { out.raw(bytes_); }
  [[nodiscard]] bool is_identity() const;

  friend Point operator+(const Point& a, const Point& b);
  friend Point operator-(const Point& a, const Point& b);
  // s·P, the identity included on either side.
  friend Point operator*(const Scalar& s, const Point& p);
  friend bool operator==(const Point& a, const Point& b) { return a.bytes_ == b.bytes_; }

 private:
  friend class PointAccess;
  std::array<std::uint8_t, kSize> bytes_;
  // x and y on edwards25519 in limbs of 51 bits, where a batch decoding left them, so that what
  // computes with many points need not decode them again. They follow from the bytes.
  bool has_coordinates_ = false;
  std::array<std::uint64_t, 10> coordinates_;
};

}  // namespace psephos::crypto
