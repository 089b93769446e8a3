// Many relations judged as one random linear combination (Bellare, Garay, Rabin 1998, small
// exponents), by variable-time arithmetic for public data. Spec: docs/spec.md §3.2, §4.8.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "psephos/crypto/relation.h"
#include "psephos/random.h"

namespace psephos::crypto {

// CurveBackend is the code that computes with points, by the CPU it needs. All give the same
// results.
enum class CurveBackend : std::uint8_t { portable, avx2, ifma };
inline constexpr std::array kCurveBackends = {CurveBackend::portable, CurveBackend::avx2,
                                              CurveBackend::ifma};
[[nodiscard]] std::string_view name(CurveBackend backend);
// Whether this build has it and this CPU can run it; portable always.
[[nodiscard]] bool is_supported(CurveBackend backend);
[[nodiscard]] CurveBackend fastest_curve_backend();

// BatchEvaluator weighs each relation with 128 random bits, drawn for each call after everything it
// judges is fixed, and evaluates their sum. If that is not the identity, halves are judged until
// the relations that fail are found. A relation that does not hold passes with probability 2^−128.
class BatchEvaluator final : public Evaluator {
 public:
  // `random` must stay, be unpredictable, and may be asked from several threads at once.
  explicit BatchEvaluator(Random& random, CurveBackend backend = fastest_curve_backend());

  [[nodiscard]] std::vector<std::size_t> failing(
      std::span<const Point> bases, std::span<const LinearRelation> relations) const override;
  [[nodiscard]] std::vector<std::size_t> not_elements(
      std::span<Point* const> points) const override;
  [[nodiscard]] Point sum(std::span<const Point* const> points) const override;
  [[nodiscard]] std::vector<std::size_t> not_signed(
      const RsaPublicKey& key, BlindRsaVariant variant,
      std::span<const RsaPublicKey::Signed> signatures) const override;

 private:
  Random* random_;
  CurveBackend backend_;
};

}  // namespace psephos::crypto
