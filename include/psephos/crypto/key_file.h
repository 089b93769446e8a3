// Password-protected files: Argon2id (RFC 9106) derives a key, XChaCha20-Poly1305 seals the
// content; libsodium. Spec: docs/spec.md §9.
#pragma once

#include <cstdint>
#include <string_view>

#include "psephos/bytes.h"
#include "psephos/error.h"
#include "psephos/random.h"
#include "psephos/secret.h"

namespace psephos::crypto {

// PasswordCost: how much a guess costs. moderate is the default for files kept by people (256 MiB,
// 3 passes); minimal is for tests and throw-away demonstrations only (8 MiB, 1 pass).
enum class PasswordCost : std::uint8_t { moderate, minimal };

// seal_file protects content under a password. kind is a word naming what is inside ("trustee",
// "wallet"): it stands readable in the file and is authenticated. Errc::misuse unless it is 1 to
// 255 visible ASCII characters; Errc::environment if there is not enough memory for the cost.
[[nodiscard]] Result<Bytes> seal_file(std::string_view kind, const SecretBuffer& content,
                                      const SecretBuffer& password, PasswordCost cost,
                                      Random& random);

// open_file: Errc::malformed if it is no such file or of another kind (the message says which);
// Errc::rejected if the password is wrong or the file was altered, which cannot be told apart.
// Costs above 1 GiB of memory or 16 passes are refused (malformed) before any is spent.
[[nodiscard]] Result<SecretBuffer> open_file(std::string_view kind, ByteView file,
                                             const SecretBuffer& password);

}  // namespace psephos::crypto
