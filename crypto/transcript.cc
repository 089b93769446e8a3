#include "psephos/crypto/transcript.h"

#include <bit>
#include <limits>

#include "crypto/labels.h"
#include "crypto/sodium.h"

namespace psephos::crypto {

namespace {

using State = crypto_hash_sha512_state;
using Opaque = std::array<std::uint8_t, 208>;
static_assert(sizeof(State) == sizeof(Opaque) && alignof(State) <= 16);

std::array<std::uint8_t, 4> u32be(std::uint64_t value) {
  PSEPHOS_CHECK(value <= std::numeric_limits<std::uint32_t>::max());
  return {static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
          static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

void update(State& state, ByteView bytes) {
  if (!bytes.empty()) {
    crypto_hash_sha512_update(&state, bytes.data(), bytes.size());
  }
}

}  // namespace

Transcript::Transcript(std::string_view name) {
  State state;
  crypto_hash_sha512_init(&state);
  state_ = std::bit_cast<Opaque>(state);
  absorb(labels::kTranscript, as_bytes(name));
}

void Transcript::absorb(std::string_view label, ByteView bytes) {
  auto state = std::bit_cast<State>(state_);
  update(state, u32be(label.size()));
  update(state, as_bytes(label));
  update(state, u32be(bytes.size()));
  update(state, bytes);
  state_ = std::bit_cast<Opaque>(state);
}

void Transcript::absorb_u32(std::string_view label, std::uint32_t value) {
  absorb(label, u32be(value));
}

Scalar Transcript::challenge(std::string_view label) {
  absorb(label, {});
  const auto drawn = digest();
  absorb(labels::kChallenge, drawn);
  return Scalar::reduce(drawn);
}

std::array<std::uint8_t, 64> Transcript::digest() const {
  auto state = std::bit_cast<State>(state_);
  std::array<std::uint8_t, 64> out;
  crypto_hash_sha512_final(&state, out.data());
  return out;
}

}  // namespace psephos::crypto
