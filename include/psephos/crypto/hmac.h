// HMAC-SHA-256 (RFC 2104, FIPS 198-1) under a secret key; libsodium, constant time in the key.
#pragma once

#include <initializer_list>

#include "psephos/bytes.h"
#include "psephos/secret.h"

namespace psephos::crypto {

// hmac_sha256 authenticates the concatenation of its parts. The result is public.
[[nodiscard]] Digest32 hmac_sha256(const SecretBytes<32>& key,
                                   std::initializer_list<ByteView> parts);

}  // namespace psephos::crypto
