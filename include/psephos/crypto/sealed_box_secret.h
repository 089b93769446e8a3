// Sealing and opening a share with the secret keys. See sealed_box.h.
#pragma once

#include "psephos/crypto/sealed_box.h"
#include "psephos/crypto/secret_scalar.h"

namespace psephos::crypto {

[[nodiscard]] SealedShare seal(const SecretBytes<32>& content, const Point& receiver,
                               ByteView context, Random& random);

// open: Errc::rejected if the tag fails.
[[nodiscard]] Result<SecretBytes<32>> open(const SealedShare& sealed,
                                           const SecretScalar& receiver_key, ByteView context);

}  // namespace psephos::crypto
