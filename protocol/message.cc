#include "psephos/protocol/message.h"

#include <algorithm>
#include <string>

#include "psephos/codec.h"

#include "protocol/labels.h"

namespace psephos::protocol {

namespace {

constexpr std::uint8_t kFirstType = static_cast<std::uint8_t>(MessageType::roster);
constexpr std::uint8_t kLastType = static_cast<std::uint8_t>(MessageType::roll);

void write_unsigned(Writer& out, const Message& message) {
  out.u8(static_cast<std::uint8_t>(message.type))
      .raw(message.context)
      .u32(message.sender)
      .raw(message.payload);
}

}  // namespace

std::string_view name(MessageType type) {
  switch (type) {
    case MessageType::roster:
      return "roster";
    case MessageType::commit:
      return "commit";
    case MessageType::reveal:
      return "reveal";
    case MessageType::shares:
      return "shares";
    case MessageType::confirm:
      return "confirm";
    case MessageType::complaint:
      return "complaint";
    case MessageType::credential_key:
      return "credential key";
    case MessageType::opening:
      return "opening";
    case MessageType::open:
      return "open";
    case MessageType::close:
      return "close";
    case MessageType::tally:
      return "tally";
    case MessageType::decryption:
      return "decryption";
    case MessageType::result:
      return "result";
    case MessageType::roll:
      return "roll";
  }
  return "unknown";
}

Result<Message> Message::decode(ByteView bytes) {
  Reader in(bytes);
  PSEPHOS_TRY(const std::uint8_t type, in.u8("message type"));
  if (type < kFirstType || type > kLastType) {
    return fail(Errc::malformed, "message of unknown type " + std::to_string(type));
  }
  Message message{.type = MessageType{type}, .context = {}, .payload = {}};
  PSEPHOS_TRY(message.context, in.digest("message context"));
  PSEPHOS_TRY(message.sender, in.u32("message sender"));
  if (in.remaining() < message.signature.size()) {
    return fail(Errc::malformed, "message is too short for a signature");
  }
  PSEPHOS_TRY(const ByteView payload,
              in.raw(in.remaining() - message.signature.size(), "message payload"));
  message.payload.assign(payload.begin(), payload.end());
  std::ranges::copy(in.rest(), message.signature.begin());
  return message;
}

Bytes Message::encode() const {
  Writer out;
  write_unsigned(out, *this);
  out.raw(signature);
  return std::move(out).take();
}

Bytes Message::signed_bytes() const {
  Writer out;
  out.raw(as_bytes(labels::kMessage));
  write_unsigned(out, *this);
  return std::move(out).take();
}

Result<void> Message::verify(const crypto::Ed25519PublicKey& key) const {
  return key.verify(signed_bytes(), signature);
}

}  // namespace psephos::protocol
