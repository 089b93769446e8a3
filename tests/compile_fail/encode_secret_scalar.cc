#include "psephos/codec.h"
#include "psephos/crypto/secret_scalar.h"

void encode(psephos::Writer& out, const psephos::crypto::SecretScalar& secret);

void encode(psephos::Writer& out, const psephos::crypto::SecretScalar& secret) {
#ifdef PSEPHOS_MISUSE
  out.raw(secret);
#else
  secret.declassify().encode(out);
#endif
}
