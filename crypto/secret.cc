#include "psephos/secret.h"

#include "crypto/sodium.h"

namespace psephos {

void wipe(MutableByteView bytes) {
  if (!bytes.empty()) {
    sodium_memzero(bytes.data(), bytes.size());
  }
}

bool ct_equal(ByteView a, ByteView b) {
  if (a.size() != b.size()) {
    return false;
  }
  return a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace psephos
