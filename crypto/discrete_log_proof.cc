#include "psephos/crypto/discrete_log_proof.h"

#include <utility>

#include "crypto/discrete_log_transcript.h"

namespace psephos::crypto {

Result<DiscreteLogProof> DiscreteLogProof::decode(Reader& in, std::size_t num_bases) {
  DiscreteLogProof proof;
  if (num_bases > in.remaining() / Point::kSize) {
    return fail(Errc::malformed, "discrete logarithm proof is too short");
  }
  proof.commitments.reserve(num_bases);
  for (std::size_t i = 0; i < num_bases; ++i) {
    PSEPHOS_TRY(const Point commitment, Point::decode(in, Identity::accepted, "commitment"));
    proof.commitments.push_back(commitment);
  }
  PSEPHOS_TRY(proof.response, Scalar::decode(in, "response"));
  return proof;
}

void DiscreteLogProof::encode(Writer& out) const {
  for (const Point& commitment : commitments) {
    commitment.encode(out);
  }
  response.encode(out);
}

Result<std::vector<LinearRelation>> relations(const DiscreteLogStatement& statement,
                                              const DiscreteLogProof& proof,
                                              Transcript transcript) {
  const std::size_t n = statement.bases.size();
  if (n == 0 || statement.points.size() != n || proof.commitments.size() != n) {
    return fail(Errc::rejected, "discrete logarithm proof does not have its statement's shape");
  }
  absorb_statement(transcript, statement);
  const Scalar c = draw_challenge(transcript, proof.commitments);
  if (c.is_zero()) {
    return fail(Errc::rejected, "discrete logarithm proof has a zero challenge");
  }

  std::vector<LinearRelation> result(n);
  for (std::size_t i = 0; i < n; ++i) {
    result[i].own = {{proof.response, statement.bases[i]},
                     {-Scalar::one(), proof.commitments[i]},
                     {-c, statement.points[i]}};
  }
  return result;
}

Result<void> verify(const DiscreteLogStatement& statement, const DiscreteLogProof& proof,
                    Transcript transcript, const Evaluator& evaluator) {
  PSEPHOS_TRY(const std::vector<LinearRelation> equations,
              relations(statement, proof, std::move(transcript)));
  const std::vector<std::size_t> failing = evaluator.failing({}, equations);
  if (!failing.empty()) {
    return fail(Errc::rejected, "discrete logarithm proof: equation " +
                                    std::to_string(failing.front() + 1) + " does not hold");
  }
  return {};
}

}  // namespace psephos::crypto
