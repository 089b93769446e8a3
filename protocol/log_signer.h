// A log's signer from a role's key. Private to the library.
#pragma once

#include <algorithm>
#include <memory>
#include <string_view>

#include "psephos/crypto/note_signer.h"

namespace psephos::protocol {

// make_log_signer copies the key: the log's writer may outlive the role.
[[nodiscard]] inline Result<std::shared_ptr<const crypto::NoteSigner>> make_log_signer(
    std::string_view origin, const crypto::Ed25519SecretKey& key) {
  SecretBytes<32> seed;
  std::ranges::copy(key.expose_secret_seed(), seed.expose_secret().begin());
  PSEPHOS_TRY(crypto::NoteSigner signer,
              crypto::NoteSigner::create(origin, crypto::Ed25519SecretKey::from_seed(seed)));
  return std::make_shared<const crypto::NoteSigner>(std::move(signer));
}

}  // namespace psephos::protocol
