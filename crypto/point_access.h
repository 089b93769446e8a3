// Makes a Point from bytes that libsodium has just computed and that are therefore canonical.
#pragma once

#include <array>
#include <cstdint>

#include "psephos/crypto/point.h"

namespace psephos::crypto {

class PointAccess {
 public:
  static Point from_valid(const std::array<std::uint8_t, 32>& bytes) {
    Point point;
    point.bytes_ = bytes;
    return point;
  }
};

}  // namespace psephos::crypto
