// Proofs about discrete logarithms, verifying half: Schnorr's proof of knowledge and the
// Chaum–Pedersen proof of equality, one form for both. Spec: docs/spec.md §3.3.
//
// Statement:  points P_1 … P_n and bases B_1 … B_n, public.
// Claim:      the prover knows s with P_i = s·B_i for all i (n = 1: Schnorr; n ≥ 2: equality).
// Moves:      commitments T_i = k·B_i; challenge c from the transcript; response z = k + c·s.
// Equations:  z·B_i − T_i − c·P_i = 0 for each i.
// Encoding:   T_1 ‖ … ‖ T_n ‖ z, 32·(n + 1) bytes.
// Transcript: the caller's, holding the whole context; then "bases" B_1‖…, "points" P_1‖…,
//             "commitments" T_1‖…; c = challenge("c"); c = 0 is refused.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "psephos/codec.h"
#include "psephos/crypto/point.h"
#include "psephos/crypto/relation.h"
#include "psephos/crypto/scalar.h"
#include "psephos/crypto/transcript.h"

namespace psephos::crypto {

struct DiscreteLogStatement {
  std::vector<Point> bases;
  std::vector<Point> points;
};

struct DiscreteLogProof {
  std::vector<Point> commitments;
  Scalar response;

  [[nodiscard]] static std::size_t encoded_size(std::size_t num_bases) {
    return 32 * (num_bases + 1);
  }
  static Result<DiscreteLogProof> decode(Reader& in, std::size_t num_bases);
  void encode(Writer& out) const;
  friend bool operator==(const DiscreteLogProof&, const DiscreteLogProof&) = default;
};

// relations states the proof's equations, one per base; Errc::rejected if the shapes differ or the
// challenge is zero. The transcript must hold the same context as the prover's.
[[nodiscard]] Result<std::vector<LinearRelation>> relations(const DiscreteLogStatement& statement,
                                                            const DiscreteLogProof& proof,
                                                            Transcript transcript);

// verify is relations judged by the evaluator; Errc::rejected names the first failing equation.
[[nodiscard]] Result<void> verify(const DiscreteLogStatement& statement,
                                  const DiscreteLogProof& proof, Transcript transcript,
                                  const Evaluator& evaluator);

}  // namespace psephos::crypto
