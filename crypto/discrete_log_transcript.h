// The transcript of proofs about discrete logarithms, shared by prover and verifier
// (docs/spec.md §3.3).
#pragma once

#include <vector>

#include "psephos/codec.h"
#include "psephos/crypto/discrete_log_proof.h"

#include "crypto/labels.h"

namespace psephos::crypto {

inline void absorb_points(Transcript& transcript, std::string_view label,
                          const std::vector<Point>& points) {
  Writer encoded;
  for (const Point& point : points) {
    point.encode(encoded);
  }
  transcript.absorb(label, encoded.bytes());
}

inline void absorb_statement(Transcript& transcript, const DiscreteLogStatement& statement) {
  absorb_points(transcript, labels::kBases, statement.bases);
  absorb_points(transcript, labels::kPoints, statement.points);
}

inline Scalar draw_challenge(Transcript& transcript, const std::vector<Point>& commitments) {
  absorb_points(transcript, labels::kCommitments, commitments);
  return transcript.challenge(labels::kC);
}

}  // namespace psephos::crypto
