#include "psephos/crypto/secret_scalar.h"

bool same(const psephos::crypto::SecretScalar& a, const psephos::crypto::SecretScalar& b);

bool same(const psephos::crypto::SecretScalar& a, const psephos::crypto::SecretScalar& b) {
#ifdef PSEPHOS_MISUSE
  return a == b;
#else
  return psephos::ct_equal(a.expose_secret(), b.expose_secret());
#endif
}
