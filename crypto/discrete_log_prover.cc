#include "psephos/crypto/discrete_log_prover.h"

#include "crypto/discrete_log_transcript.h"

namespace psephos::crypto {

DiscreteLogProof prove(const DiscreteLogStatement& statement, const SecretScalar& secret,
                       Transcript transcript, Random& random) {
  PSEPHOS_CHECK(!statement.bases.empty() && statement.bases.size() == statement.points.size());
  absorb_statement(transcript, statement);
  // The digest stands for the whole context and statement.
  const SecretScalar nonce =
      HedgedNonces(random, secret.expose_secret(), transcript.digest()).next();

  DiscreteLogProof proof;
  for (const Point& base : statement.bases) {
    proof.commitments.push_back(multiply(nonce, base));
  }
  const Scalar c = draw_challenge(transcript, proof.commitments);
  proof.response = (nonce + c * secret).declassify();
  return proof;
}

}  // namespace psephos::crypto
