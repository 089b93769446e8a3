// GF(2^255 − 19) in five limbs of 51 bits, one element at a time. Variable time: public data only.
#pragma once

#include <cstdint>

#include "crypto/vartime/coordinates.h"

namespace psephos::crypto::vartime {
namespace {

class PortableField {
 public:
  static constexpr unsigned kLanes = 1;

  PortableField() = default;
  static PortableField constant(const Limbs& value) {
    PortableField r;
    for (unsigned i = 0; i < 5; ++i) {
      r.l_[i] = value.l[i];
    }
    return r;
  }
  // A product, and sums of products: limbs are not carried, for there is room. A product's limbs
  // are below 2^51 + 2^12; those of a factor may reach 2^53.
  class Wide {
   public:
    Wide() = default;
    explicit Wide(const PortableField& a) {
      for (unsigned i = 0; i < 5; ++i) {
        l_[i] = a.l_[i];
      }
    }
    Wide operator+(const Wide& b) const {
      Wide r;
      for (unsigned i = 0; i < 5; ++i) {
        r.l_[i] = l_[i] + b.l_[i];
      }
      return r;
    }
    Wide operator-(const Wide& b) const {
      // + 2p
      Wide r;
      for (unsigned i = 0; i < 5; ++i) {
        r.l_[i] = l_[i] + 2 * (i == 0 ? kMask - 18 : kMask) - b.l_[i];
      }
      return r;
    }
    [[nodiscard]] PortableField reduced() const {
      PortableField r;
      for (unsigned i = 0; i < 5; ++i) {
        r.l_[i] = l_[i];
      }
      return r;
    }

   private:
    std::uint64_t l_[5];
  };
  static Wide product(const PortableField& a, const PortableField& b) { return Wide(a * b); }
  static Wide square(const PortableField& a) { return Wide(a.squared()); }

  // load reads kFields consecutive elements.
  template <unsigned kFields>
  static void load(const std::uint64_t* const* lanes, PortableField* fields) {
    for (unsigned i = 0; i < 5 * kFields; ++i) {
      fields[i / 5].l_[i % 5] = lanes[0][i];
    }
  }
  template <unsigned kFields>
  static void store(std::uint64_t* const* lanes, const PortableField* fields) {
    for (unsigned i = 0; i < 5 * kFields; ++i) {
      lanes[0][i] = fields[i / 5].l_[i % 5];
    }
  }

  friend PortableField operator+(const PortableField& a, const PortableField& b) {
    PortableField r;
    for (unsigned i = 0; i < 5; ++i) {
      r.l_[i] = a.l_[i] + b.l_[i];
    }
    return r.carried();
  }
  friend PortableField operator-(const PortableField& a, const PortableField& b) {
    // a + 4p − b
    PortableField r;
    r.l_[0] = a.l_[0] + 4 * (kMask - 18) - b.l_[0];
    for (unsigned i = 1; i < 5; ++i) {
      r.l_[i] = a.l_[i] + 4 * kMask - b.l_[i];
    }
    return r.carried();
  }
  friend PortableField operator*(const PortableField& a, const PortableField& b) {
    const std::uint64_t* x = a.l_;
    const std::uint64_t* y = b.l_;
    const std::uint64_t y1 = 19 * y[1];
    const std::uint64_t y2 = 19 * y[2];
    const std::uint64_t y3 = 19 * y[3];
    const std::uint64_t y4 = 19 * y[4];
    return folded(
        wide(x[0], y[0]) + wide(x[1], y4) + wide(x[2], y3) + wide(x[3], y2) + wide(x[4], y1),
        wide(x[0], y[1]) + wide(x[1], y[0]) + wide(x[2], y4) + wide(x[3], y3) + wide(x[4], y2),
        wide(x[0], y[2]) + wide(x[1], y[1]) + wide(x[2], y[0]) + wide(x[3], y4) + wide(x[4], y3),
        wide(x[0], y[3]) + wide(x[1], y[2]) + wide(x[2], y[1]) + wide(x[3], y[0]) + wide(x[4], y4),
        wide(x[0], y[4]) + wide(x[1], y[3]) + wide(x[2], y[2]) + wide(x[3], y[1]) +
            wide(x[4], y[0]));
  }
  [[nodiscard]] PortableField squared() const {
    const std::uint64_t* x = l_;
    const std::uint64_t d0 = 2 * x[0];
    const std::uint64_t d1 = 2 * x[1];
    const std::uint64_t d2 = 2 * x[2];
    const std::uint64_t x3 = 19 * x[3];
    const std::uint64_t x4 = 19 * x[4];
    return folded(wide(x[0], x[0]) + wide(d1, x4) + wide(d2, x3),
                  wide(d0, x[1]) + wide(d2, x4) + wide(x[3], x3),
                  wide(d0, x[2]) + wide(x[1], x[1]) + wide(2 * x[3], x4),
                  wide(d0, x[3]) + wide(d1, x[2]) + wide(x[4], x4),
                  wide(d0, x[4]) + wide(d1, x[3]) + wide(x[2], x[2]));
  }
  static PortableField select(Mask which, const PortableField& yes, const PortableField& no) {
    return which != 0 ? yes : no;
  }
  // −a where the mask is set, as 2p − a: a factor.
  static PortableField negative_where(Mask which, const PortableField& a) {
    return select(which, (Wide(constant(kZero)) - Wide(a)).reduced(), a);
  }

  // canonical returns the representative below p, limbs below 2^51.
  [[nodiscard]] PortableField canonical() const {
    PortableField r = carried().carried();
    // r < 2p now; subtract p if that leaves a nonnegative number.
    std::uint64_t q = (r.l_[0] + 19) >> 51;
    for (unsigned i = 1; i < 5; ++i) {
      q = (r.l_[i] + q) >> 51;
    }
    r.l_[0] += 19 * q;
    for (unsigned i = 0; i < 4; ++i) {
      r.l_[i + 1] += r.l_[i] >> 51;
      r.l_[i] &= kMask;
    }
    r.l_[4] &= kMask;
    return r;
  }
  [[nodiscard]] Mask is_zero() const {
    const PortableField r = canonical();
    return (r.l_[0] | r.l_[1] | r.l_[2] | r.l_[3] | r.l_[4]) == 0 ? 1 : 0;
  }
  // is_negative: the canonical representative is odd (RFC 9496 §3.1).
  [[nodiscard]] Mask is_negative() const { return static_cast<Mask>(canonical().l_[0] & 1); }

 private:
  static constexpr std::uint64_t kMask = (std::uint64_t{1} << 51) - 1;
  __extension__ using Uint128 = unsigned __int128;

  static Uint128 wide(std::uint64_t a, std::uint64_t b) { return Uint128{a} * b; }
  static PortableField folded(Uint128 t0, Uint128 t1, Uint128 t2, Uint128 t3, Uint128 t4) {
    t1 += static_cast<std::uint64_t>(t0 >> 51);
    t2 += static_cast<std::uint64_t>(t1 >> 51);
    t3 += static_cast<std::uint64_t>(t2 >> 51);
    t4 += static_cast<std::uint64_t>(t3 >> 51);
    PortableField r;
    r.l_[0] = (static_cast<std::uint64_t>(t0) & kMask) + 19 * static_cast<std::uint64_t>(t4 >> 51);
    r.l_[1] = (static_cast<std::uint64_t>(t1) & kMask) + (r.l_[0] >> 51);
    r.l_[0] &= kMask;
    r.l_[2] = static_cast<std::uint64_t>(t2) & kMask;
    r.l_[3] = static_cast<std::uint64_t>(t3) & kMask;
    r.l_[4] = static_cast<std::uint64_t>(t4) & kMask;
    return r;
  }
  [[nodiscard]] PortableField carried() const {
    PortableField r;
    r.l_[0] = (l_[0] & kMask) + 19 * (l_[4] >> 51);
    for (unsigned i = 1; i < 5; ++i) {
      r.l_[i] = (l_[i] & kMask) + (l_[i - 1] >> 51);
    }
    return r;
  }

  std::uint64_t l_[5];
};

}  // namespace
}  // namespace psephos::crypto::vartime
