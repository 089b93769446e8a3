// Sums of secret multiples of an election's bases: all the group arithmetic of encrypting a ballot
// and proving it. A prover states the sums (SecretSum), as a verifier states equations
// (LinearRelation); a Multiplier computes them. Spec: docs/spec.md §3.1, §4.1, §4.3.
//
// SodiumMultiplier is libsodium, and what a wallet uses. TableMultiplier is several times faster:
// it has multiples of the bases prepared, and field arithmetic of our own. Both give the same
// bytes. docs/side-channels.md says what each is trusted for.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "psephos/crypto/point.h"
#include "psephos/crypto/relation.h"
#include "psephos/crypto/secret_scalar.h"

namespace psephos::crypto {

// SecretSum states Σ scalar·base + Σ bit·weight·base. Bases, by their numbers in Bases, and weights
// are public; scalars and bits are secret, 0 or 1 the latter, and must outlive the sum; its value
// is public. Whether a scalar is zero may show: one that can be zero is uniform modulo q, or
// publicly zero.
struct SecretSum {
  struct Product {
    std::uint32_t base;
    const SecretScalar* scalar;
  };
  struct Choice {
    std::uint32_t base;
    std::uint32_t weight;
    const std::uint8_t* bit;
  };
  std::vector<Product> products;
  std::vector<Choice> choices;
};

// Multiplier computes sums. Implementations take constant time in scalars and bits, as SecretSum
// says, and may be called from several threads at once.
class Multiplier {
 public:
  Multiplier() = default;
  Multiplier(const Multiplier&) = delete;
  Multiplier& operator=(const Multiplier&) = delete;
  virtual ~Multiplier() = default;

  // sums returns the value of each. The terms name points of `bases`.
  [[nodiscard]] virtual std::vector<Point> sums(const Bases& bases,
                                                std::span<const SecretSum> sums) const = 0;
};

// SodiumMultiplier does everything with libsodium, one term after another.
class SodiumMultiplier final : public Multiplier {
 public:
  [[nodiscard]] std::vector<Point> sums(const Bases& bases,
                                        std::span<const SecretSum> sums) const override;
};

// TableMultiplier holds 512 multiples of each base, 64 KiB, made in a third of a millisecond.
class TableMultiplier final : public Multiplier {
 public:
  explicit TableMultiplier(const Bases& bases);
  ~TableMultiplier() override;

  // bases: those the tables were made for.
  [[nodiscard]] std::vector<Point> sums(const Bases& bases,
                                        std::span<const SecretSum> sums) const override;

 private:
  struct Tables;
  std::unique_ptr<const Tables> tables_;
};

}  // namespace psephos::crypto
