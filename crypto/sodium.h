// The one place where libsodium is included and initialised.
#pragma once

#include <sodium.h>

#include "psephos/error.h"

namespace psephos::crypto {

// sodium initialises libsodium once (thread-safe); every wrapper calls it before its first use.
inline void sodium() {
  static const int ready = sodium_init();
  PSEPHOS_CHECK(ready >= 0);
}

}  // namespace psephos::crypto
