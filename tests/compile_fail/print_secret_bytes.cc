#include <ostream>

#include "psephos/secret.h"

void print(std::ostream& out, const psephos::SecretBytes<32>& secret);

void print(std::ostream& out, const psephos::SecretBytes<32>& secret) {
#ifdef PSEPHOS_MISUSE
  out << secret;
#else
  out << secret.size();
#endif
}
