// Proofs about discrete logarithms, proving half. See discrete_log_proof.h for the statement, the
// moves and the transcript.
#pragma once

#include "psephos/crypto/discrete_log_proof.h"
#include "psephos/crypto/secret_scalar.h"

namespace psephos::crypto {

// prove makes a proof that points[i] = secret·bases[i] for all i; the statement must be true. The
// nonce is hedged (HedgedNonces) and used once. Constant time in the secret.
[[nodiscard]] DiscreteLogProof prove(const DiscreteLogStatement& statement,
                                     const SecretScalar& secret, Transcript transcript,
                                     Random& random);

}  // namespace psephos::crypto
