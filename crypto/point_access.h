// What the library knows of a Point beyond its public face.
#pragma once

#include <array>
#include <cstdint>

#include "psephos/crypto/point.h"

namespace psephos::crypto {

class PointAccess {
 public:
  // from_valid makes a Point from bytes that were just computed and are therefore canonical.
  static Point from_valid(const std::array<std::uint8_t, 32>& bytes) {
    Point point;
    point.bytes_ = bytes;
    return point;
  }

  // The ten limbs of x and y, or nullptr if the point has not been decoded in a batch.
  static const std::uint64_t* coordinates(const Point& point) {
    return point.has_coordinates_ ? point.coordinates_.data() : nullptr;
  }
  static void set_coordinates(Point& point, const std::array<std::uint64_t, 10>& coordinates) {
    point.coordinates_ = coordinates;
    point.has_coordinates_ = true;
  }
};

}  // namespace psephos::crypto
