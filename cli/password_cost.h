// What a password's derivation costs in new key files and wallets.
#pragma once

#include "psephos/crypto/key_file.h"

namespace psephos::cli {

// In a file of its own: a tool for tests, which make many keys, has another version of it.
[[nodiscard]] crypto::PasswordCost password_cost();

}  // namespace psephos::cli
