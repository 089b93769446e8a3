// Generators without known relations. Spec: docs/spec.md §2.4.
//
//   gen(i) = ristretto255_from_hash(SHA-512("psephos/v1/generator" ‖ u32be(i)))
//   H = gen(0), G_i = gen(i) for i ≥ 1
//
// A verifier computes them; none is read from a record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "psephos/crypto/point.h"

namespace psephos::crypto {

[[nodiscard]] Point generator(std::uint32_t index);

// Generators holds H and G_1 … G_count, computed once and shared read-only between threads.
class Generators {
 public:
  explicit Generators(std::size_t count);
  [[nodiscard]] std::size_t count() const { return g_.size(); }
  [[nodiscard]] const Point& h() const { return h_; }
  // g(k) is G_{k+1}: k counts from 0, as coordinates of a committed vector do.
  [[nodiscard]] const Point& g(std::size_t k) const { return g_[k]; }

 private:
  Point h_;
  std::vector<Point> g_;
};

}  // namespace psephos::crypto
