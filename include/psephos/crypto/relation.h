// Every equation a verifier checks is a linear relation Σ sᵢ·Pᵢ = 0 over ristretto255, stated here
// and judged by an Evaluator. The protocol only states; another evaluator (a batch with random
// weights) can take this one's place without touching it. Spec: docs/spec.md §3.2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "psephos/crypto/blind_rsa.h"
#include "psephos/crypto/generators.h"
#include "psephos/crypto/point.h"
#include "psephos/crypto/scalar.h"

namespace psephos::crypto {

// Bases are the points common to many relations: an election's G, K, H and G_1 … G_m. A relation
// names them by number, so that an evaluator can gather their scalars over many relations.
class Bases {
 public:
  static constexpr std::uint32_t kG = 0;
  static constexpr std::uint32_t kK = 1;
  static constexpr std::uint32_t kH = 2;

  Bases(const Point& joint_key, std::size_t num_generators);
  // g is the number of G_{k+1}, k from 0.
  static std::uint32_t g(std::size_t k) { return static_cast<std::uint32_t>(3 + k); }
  [[nodiscard]] std::span<const Point> points() const { return points_; }

 private:
  std::vector<Point> points_;
};

// LinearRelation states Σ shared + Σ own = identity.
struct LinearRelation {
  struct Shared {
    std::uint32_t base;
    Scalar scalar;
  };
  struct Own {
    Scalar scalar;
    Point point;
  };
  std::vector<Shared> shared;
  std::vector<Own> own;
};

// Evaluator does a verifier's public-key arithmetic: it judges relations, encodings of points and
// RSA signatures, and adds points. Implementations take public data only and may be called from
// several threads at once.
class Evaluator {
 public:
  Evaluator() = default;
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;
  virtual ~Evaluator() = default;

  // failing returns the positions, ascending, of the relations that do not hold; empty: all hold. A
  // relation that names a base that is not there, or has no term at all, does not hold.
  [[nodiscard]] virtual std::vector<std::size_t> failing(
      std::span<const Point> bases, std::span<const LinearRelation> relations) const = 0;

  // not_elements judges points read with Reader::Points::later: it returns the positions,
  // ascending, of those that are not the canonical encoding of an element. Those must not be used;
  // the others are as if decoded at once.
  [[nodiscard]] virtual std::vector<std::size_t> not_elements(
      std::span<Point* const> points) const = 0;

  // sum of any number of points.
  [[nodiscard]] virtual Point sum(std::span<const Point* const> points) const = 0;

  // not_signed judges RSA signatures under one key; it returns the positions, ascending, of those
  // that do not verify.
  [[nodiscard]] virtual std::vector<std::size_t> not_signed(
      const RsaPublicKey& key, BlindRsaVariant variant,
      std::span<const RsaPublicKey::Signed> signatures) const = 0;

  // holds judges one relation over its own points alone.
  [[nodiscard]] bool holds(const LinearRelation& relation) const;
};

// IndividualEvaluator does everything with libsodium and OpenSSL, one thing after another.
class IndividualEvaluator final : public Evaluator {
 public:
  [[nodiscard]] std::vector<std::size_t> failing(
      std::span<const Point> bases, std::span<const LinearRelation> relations) const override;
  [[nodiscard]] std::vector<std::size_t> not_elements(
      std::span<Point* const> points) const override;
  [[nodiscard]] Point sum(std::span<const Point* const> points) const override;
  [[nodiscard]] std::vector<std::size_t> not_signed(
      const RsaPublicKey& key, BlindRsaVariant variant,
      std::span<const RsaPublicKey::Signed> signatures) const override;
};

}  // namespace psephos::crypto
