// Cards: what a party hands to the authority before the election, as a JSON file a person can read.
// They carry public keys only, and the digest of the manifest they were made for.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "psephos/crypto/ed25519.h"
#include "psephos/protocol/manifest.h"
#include "psephos/protocol/message.h"
#include "psephos/protocol/opening.h"

#include "cli/common.h"

namespace psephos::cli {

struct TrusteeCard {
  std::uint32_t trustee = 0;  // 1 … n
  protocol::TrusteeKeys keys;
};

struct RegistrarCard {
  std::uint32_t registrar = 0;
  crypto::Ed25519PublicKey log_key{};
  std::vector<protocol::Message> credential_keys;  // one for each style, signed by log_key
};

struct BoxCard {
  std::vector<crypto::Ed25519PublicKey> log_keys;  // one for each shard
};

[[nodiscard]] std::string print(const protocol::Manifest& manifest, const TrusteeCard& card);
[[nodiscard]] std::string print(const protocol::Manifest& manifest, const RegistrarCard& card);
[[nodiscard]] std::string print(const protocol::Manifest& manifest, const BoxCard& card);

// The readers are strict: a key that is unknown, missing or there twice is Errc::malformed; a card
// of another manifest, or one whose parts do not fit it, is Errc::rejected.
[[nodiscard]] Result<BoxCard> read_box_card(const fs::path& path,
                                            const protocol::Manifest& manifest);

// All trustees' or registrars' cards, each exactly once, in the order of the manifest whatever the
// order of the files. Errc::misuse names the party whose card is missing or there twice.
[[nodiscard]] Result<std::vector<TrusteeCard>> read_trustee_cards(
    std::span<const std::string> paths, const protocol::Manifest& manifest);
[[nodiscard]] Result<std::vector<RegistrarCard>> read_registrar_cards(
    std::span<const std::string> paths, const protocol::Manifest& manifest);

}  // namespace psephos::cli
