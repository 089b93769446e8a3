// Multi-scalar multiplication Σ sᵢ·Pᵢ over edwards25519, for public scalars and points. Straus 1964
// for few terms; Pippenger 1976 (buckets, as in Bernstein, Doumen, Lange, Oosterwijk 2012, §4) for
// many; signed windows, whose width is chosen by the number of terms.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "crypto/scalar_words.h"
#include "crypto/vartime/backend.h"

namespace psephos::crypto::vartime {

// The method for `size` terms whose magnitudes have so many bits together: windows of 4 bits and
// Straus, or buckets.
struct MsmPlan {
  bool straus;
  unsigned window_bits;
};
[[nodiscard]] MsmPlan plan_msm(const Backend& backend, std::size_t size, std::size_t bits);

// The windows of c bits for magnitudes of so many bits: signed digits need one bit more.
inline constexpr unsigned kMagnitudeBits = 252;  // of a magnitude up to q/2
[[nodiscard]] constexpr unsigned num_windows(unsigned window_bits, unsigned bits = kMagnitudeBits) {
  return (bits + window_bits) / window_bits;
}

// AlignedWords is memory in whole cache lines, not initialised.
class AlignedWords {
 public:
  // reserve makes room for so many words; what was there is lost.
  void reserve(std::size_t words);
  [[nodiscard]] std::uint64_t* data() { return words_.get(); }

 private:
  static constexpr std::size_t kAlignment = 64;
  struct Free {
    void operator()(std::uint64_t* words) const {
      ::operator delete(words, std::align_val_t{kAlignment});
    }
  };
  std::unique_ptr<std::uint64_t, Free> words_;
  std::size_t size_ = 0;
};

// Msm keeps its working memory from one sum to the next. Not for several threads at once.
class Msm {
 public:
  explicit Msm(const Backend& backend) : backend_(&backend) {}

  // clear forgets the terms and makes room for so many; add takes one, whose point must stay where
  // it is; sum adds them up, by the plan for them or by the given one.
  void clear(std::size_t terms = 0);
  void add(const SignedScalar& scalar, Coordinates point);
  [[nodiscard]] std::size_t size() const { return points_.size(); }
  [[nodiscard]] ExtendedPoint sum_vartime();
  [[nodiscard]] ExtendedPoint sum_vartime(const MsmPlan& plan);

 private:
  const Backend* backend_;
  std::vector<SignedScalar> scalars_;
  std::vector<Coordinates> points_;
  std::size_t bits_ = 0;
  std::vector<Digit> digits_;
  std::vector<std::uint32_t> indices_;
  AlignedWords memory_;
};

// Whether a sum is the identity of ristretto255, and its encoding (RFC 9496 §4.3.2).
[[nodiscard]] bool is_identity_vartime(const ExtendedPoint& point);
[[nodiscard]] std::array<std::uint8_t, 32> encode_vartime(const ExtendedPoint& point);
[[nodiscard]] ExtendedPoint difference_vartime(const ExtendedPoint& a, const ExtendedPoint& b);

}  // namespace psephos::crypto::vartime
