// Two elements of a field in every lane. A power is a chain in which each product waits for the one
// before; with a second chain beside it the CPU has work meanwhile.
#pragma once

#include <cstdint>

#include "crypto/vartime/coordinates.h"

namespace psephos::crypto::vartime {
namespace {

template <class F>
class Pair {
 public:
  static constexpr unsigned kLanes = 2 * F::kLanes;

  Pair() = default;
  static Pair constant(const Limbs& value) { return {F::constant(value), F::constant(value)}; }

  template <unsigned kFields>
  static void load(const std::uint64_t* const* lanes, Pair* fields) {
    F first[kFields];
    F second[kFields];
    F::template load<kFields>(lanes, first);
    F::template load<kFields>(lanes + F::kLanes, second);
    for (unsigned i = 0; i < kFields; ++i) {
      fields[i] = {first[i], second[i]};
    }
  }
  template <unsigned kFields>
  static void store(std::uint64_t* const* lanes, const Pair* fields) {
    F first[kFields];
    F second[kFields];
    for (unsigned i = 0; i < kFields; ++i) {
      first[i] = fields[i].first_;
      second[i] = fields[i].second_;
    }
    F::template store<kFields>(lanes, first);
    F::template store<kFields>(lanes + F::kLanes, second);
  }

  friend Pair operator+(const Pair& a, const Pair& b) {
    return {a.first_ + b.first_, a.second_ + b.second_};
  }
  friend Pair operator-(const Pair& a, const Pair& b) {
    return {a.first_ - b.first_, a.second_ - b.second_};
  }
  friend Pair operator*(const Pair& a, const Pair& b) {
    return {a.first_ * b.first_, a.second_ * b.second_};
  }
  [[nodiscard]] Pair squared() const { return {first_.squared(), second_.squared()}; }
  static Pair select(Mask which, const Pair& yes, const Pair& no) {
    return {F::select(which & kFirst, yes.first_, no.first_),
            F::select(which >> F::kLanes, yes.second_, no.second_)};
  }
  [[nodiscard]] Pair canonical() const { return {first_.canonical(), second_.canonical()}; }
  [[nodiscard]] Mask is_zero() const { return first_.is_zero() | second_.is_zero() << F::kLanes; }
  [[nodiscard]] Mask is_negative() const {
    return first_.is_negative() | second_.is_negative() << F::kLanes;
  }

 private:
  static constexpr Mask kFirst = (Mask{1} << F::kLanes) - 1;
  Pair(const F& first, const F& second) : first_(first), second_(second) {}
  F first_;
  F second_;
};

}  // namespace
}  // namespace psephos::crypto::vartime
