// The ballots that are measured: one contest each, and a vote for it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "psephos/crypto/ballot_prover.h"
#include "psephos/random.h"

namespace psephos::bench {

using crypto::Point;
using crypto::Scalar;
using crypto::SecretScalar;

inline SystemRandom& system_random() {
  static SystemRandom random;
  return random;
}

inline Scalar random_scalar() { return SecretScalar::random(system_random()).declassify(); }
inline Point random_point() { return multiply_base(SecretScalar::random(system_random())); }

struct Shape {
  const char* name;
  crypto::ContestRule rule;
};
inline constexpr std::array kShapes = {
    Shape{.name = "1-of-2", .rule = {.options = 2, .range = 1, .min = 1, .max = 1}},
    Shape{.name = "1-of-5", .rule = {.options = 5, .range = 1, .min = 1, .max = 1}},
    Shape{.name = "1-of-18", .rule = {.options = 18, .range = 1, .min = 1, .max = 1}},
    Shape{.name = "3-of-12", .rule = {.options = 12, .range = 1, .min = 3, .max = 3}},
    Shape{.name = "approval-40", .rule = {.options = 40, .range = 1, .min = 0, .max = 40}},
    Shape{.name = "score-0..10-x10", .rule = {.options = 10, .range = 10, .min = 0, .max = 100}},
    Shape{.name = "1-of-545", .rule = {.options = 545, .range = 1, .min = 1, .max = 1}},
};

struct Voter {
  SecretScalar sk;
  Point pk;
  crypto::BallotContext context;

  explicit Voter(const Shape& shape)
      : sk(SecretScalar::random(system_random())),
        pk(multiply_base(sk)),
        context{.election_id = {},
                .style = 0,
                .form = crypto::BallotForm::compile({&shape.rule, 1}).value(),
                .bases = nullptr} {
    context.bases = std::make_shared<const crypto::Bases>(random_point(), context.form.num_bits());
  }

  [[nodiscard]] crypto::BallotOpening vote(
      const crypto::Multiplier& multiplier = crypto::SodiumMultiplier()) const {
    const crypto::ContestRule& rule = context.form.contests().front();
    std::vector<std::uint32_t> votes(rule.options);
    for (std::uint32_t j = 0; j < rule.min; ++j) {
      votes[j] = 1;
    }
    return crypto::encrypt(context, pk, 0, crypto::SecretVotes(votes), system_random(), multiplier)
        .value();
  }
};

}  // namespace psephos::bench
