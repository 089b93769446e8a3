// Signing a message. See message.h.
#pragma once

#include "psephos/crypto/ed25519_signer.h"
#include "psephos/protocol/message.h"

namespace psephos::protocol {

[[nodiscard]] Message sign_message(MessageType type, const Digest32& context, std::uint32_t sender,
                                   Bytes payload, const crypto::Ed25519SecretKey& key);

}  // namespace psephos::protocol
