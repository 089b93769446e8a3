// Messages of the main log and every payload: what decodes has one encoding.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "psephos/protocol/ceremony.h"
#include "psephos/protocol/main_log.h"
#include "psephos/protocol/message.h"
#include "psephos/protocol/opening.h"
#include "psephos/protocol/tally.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using namespace psephos;
using namespace psephos::protocol;

constexpr std::string_view kManifest = R"({
  "psephos": "manifest/v1", "title": "Fuzz", "origin": "vote.example",
  "opens": "2026-05-01T08:00:00Z", "closes": "2026-05-31T18:00:00Z",
  "contests": [
    {"id": "a", "title": "A", "type": "choose", "options": ["1", "2", "3"], "min": 0, "max": 1},
    {"id": "b", "title": "B", "type": "score", "options": ["1", "2"], "range": 3}
  ],
  "styles": [{"id": "a", "contests": ["a", "b"]}, {"id": "b", "contests": ["b"]}],
  "trustees": {"names": ["1", "2", "3"], "threshold": 2},
  "registrars": {"names": ["1", "2"], "rsa_bits": 2048},
  "box": {"shards": 2, "revote": "last", "challenges": 3},
  "tally": {"minimum": 1, "by": "election"},
  "voters": 1000
})";

template <class Decoded>
void check(const Decoded& decoded, ByteView payload) {
  if (decoded.has_value()) {
    PSEPHOS_CHECK(equal(decoded->encode(), payload));
  } else {
    PSEPHOS_CHECK(!decoded.error().message.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Manifest manifest = Manifest::parse(as_bytes(kManifest)).value();
  static const std::vector<Tally> tallies = {
      {.contest = 0, .unit = 0, .counted = 5, .sums = std::vector<crypto::Ciphertext>(3)},
      {.contest = 1, .unit = 0, .counted = 5, .sums = std::vector<crypto::Ciphertext>(2)}};
  const ByteView bytes(data, size);
  const auto message = Message::decode(bytes);
  check(message, bytes);
  if (!message.has_value()) {
    return 0;
  }
  const ByteView payload = message->payload;
  switch (message->type) {
    case MessageType::roster:
      check(Roster::decode(payload, manifest), payload);
      break;
    case MessageType::reveal:
      check(Reveal::decode(payload, manifest), payload);
      break;
    case MessageType::shares:
      check(Shares::decode(payload, manifest, message->sender), payload);
      break;
    case MessageType::complaint:
      check(Complaint::decode(payload, manifest), payload);
      break;
    case MessageType::credential_key:
      check(CredentialKey::decode(payload, manifest), payload);
      break;
    case MessageType::opening:
      check(Opening::decode(payload, manifest), payload);
      break;
    case MessageType::close:
      check(Close::decode(payload, manifest), payload);
      break;
    case MessageType::tally:
      check(Tally::decode(payload, manifest), payload);
      break;
    case MessageType::decryption:
      check(Decryption::decode(payload, tallies), payload);
      break;
    case MessageType::result:
      check(TallyResult::decode(payload, tallies), payload);
      break;
    case MessageType::roll:
      check(RollImport::decode(payload, manifest), payload);
      break;
    default:
      break;
  }
  return 0;
}
