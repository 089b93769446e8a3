// Signed messages: what the authority, the trustees and the registrars say. Spec: docs/spec.md
// §2.6.
#pragma once

#include <cstdint>
#include <string_view>

#include "psephos/bytes.h"
#include "psephos/crypto/ed25519.h"
#include "psephos/error.h"

namespace psephos::protocol {

// The values stand in logs: they never change and are never reused.
enum class MessageType : std::uint8_t {
  roster = 1,
  commit = 2,
  reveal = 3,
  shares = 4,
  confirm = 5,
  complaint = 6,
  credential_key = 7,
  opening = 8,
  open = 9,
  close = 10,
  tally = 11,
  decryption = 12,
  result = 13,
  roll = 14,
};
[[nodiscard]] std::string_view name(MessageType type);

// The messages of the key ceremony, commit to complaint.
[[nodiscard]] constexpr bool is_of_ceremony(MessageType type) {
  return type >= MessageType::commit && type <= MessageType::complaint;
}

struct Message {
  MessageType type;
  Digest32 context;  // manifest digest, roster digest or election id: docs/spec.md §2.6
  std::uint32_t sender = 0;
  Bytes payload;
  crypto::Ed25519Signature signature{};

  // decode reads a whole message (type ‖ … ‖ signature); nothing is verified.
  static Result<Message> decode(ByteView bytes);
  [[nodiscard]] Bytes encode() const;
  // The bytes the signature covers.
  [[nodiscard]] Bytes signed_bytes() const;
  [[nodiscard]] Result<void> verify(const crypto::Ed25519PublicKey& key) const;

  friend bool operator==(const Message&, const Message&) = default;
};

}  // namespace psephos::protocol
