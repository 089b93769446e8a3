// SHA-256, SHA-384 and SHA-512 over public data (FIPS 180-4; OpenSSL for SHA-256 and SHA-384,
// libsodium for the few SHA-512 outside transcripts).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "psephos/bytes.h"

namespace psephos::crypto {

using Digest48 = std::array<std::uint8_t, 48>;
using Digest64 = std::array<std::uint8_t, 64>;

// Each hashes the concatenation of its parts.
[[nodiscard]] Digest32 sha256(std::initializer_list<ByteView> parts);
[[nodiscard]] Digest48 sha384(std::initializer_list<ByteView> parts);
[[nodiscard]] Digest64 sha512(std::initializer_list<ByteView> parts);

}  // namespace psephos::crypto
