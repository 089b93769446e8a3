#include <utility>

#include "psephos/crypto/secret_scalar.h"

psephos::crypto::SecretScalar pass_on(psephos::crypto::SecretScalar& secret);

psephos::crypto::SecretScalar pass_on(psephos::crypto::SecretScalar& secret) {
#ifdef PSEPHOS_MISUSE
  return secret;
#else
  return std::move(secret);
#endif
}
