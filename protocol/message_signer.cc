#include "psephos/protocol/message_signer.h"

namespace psephos::protocol {

Message sign_message(MessageType type, const Digest32& context, std::uint32_t sender, Bytes payload,
                     const crypto::Ed25519SecretKey& key) {
  Message message{
      .type = type, .context = context, .sender = sender, .payload = std::move(payload)};
  message.signature = key.sign(message.signed_bytes());
  return message;
}

}  // namespace psephos::protocol
