// The state of one box shard as a fold over its log: which credential has said what, and which
// ballot of it counts. The box admits an entry only if the fold takes it; a verifier runs the same
// fold. Spec: docs/spec.md §8.5.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <vector>

#include "psephos/protocol/ballot.h"
#include "psephos/protocol/check.h"

namespace psephos::protocol {

// CredentialUse is what the rules of a credential look at in a box entry.
struct CredentialUse {
  CredentialPk pk{};
  std::uint32_t style = 0;
  std::uint32_t sequence = 0;
  bool is_ballot = false;  // or a challenge
  Digest32 ciphertexts{};  // SHA-256; zero in an election without challenges, which never asks
};
[[nodiscard]] CredentialUse credential_use(const Manifest& manifest, const BoxEntry& entry);

class BoxState {
 public:
  BoxState(const Manifest& manifest, std::uint32_t shard);

  // append judges the entry at `index` against all before it (V9; V11 for challenges and for
  // challenged ciphertexts cast) and takes it. On a fault the state is unchanged. The entry must
  // have passed decoding; whether it passed check_box_entry is the caller's to know.
  struct Taken {
    // The entry whose ballot this one replaces in the count.
    std::optional<std::uint64_t> superseded;
  };
  std::expected<Taken, Fault> append(std::uint64_t index, const CredentialUse& entry);

  // Number of credentials of a style that stand in this log (each once).
  [[nodiscard]] std::uint64_t credentials_used(std::uint32_t style) const { return used_[style]; }
  [[nodiscard]] std::uint64_t num_challenges() const { return num_challenges_; }
  // The last sequence of a credential, if it stands in the log: a wallet goes on above it.
  [[nodiscard]] std::optional<std::uint32_t> last_sequence(const crypto::Point& pk) const;
  // The index of the only entry that this one can be a repetition of: its credential's counted
  // ballot, or the challenge of the same ciphertexts.
  [[nodiscard]] std::optional<std::uint64_t> find_like(const CredentialUse& entry) const;

 private:
  struct Voter {
    std::uint64_t ballot_plus_one = 0;  // index + 1 of the counted ballot, 0: none
    std::uint32_t last_sequence = 0;
    std::uint16_t ballots = 0;
    std::uint16_t challenges = 0;
    std::uint16_t style = 0;
  };
  const Manifest* manifest_;
  std::uint32_t shard_;
  // An ordered map: whoever writes a record chooses the keys, and could make hashes collide.
  std::map<CredentialPk, Voter> voters_;
  // Of each challenge: pk and ciphertexts' digest, and its index.
  std::map<std::pair<CredentialPk, Digest32>, std::uint64_t> challenged_;
  std::vector<std::uint64_t> used_;
  std::uint64_t num_challenges_ = 0;
};

}  // namespace psephos::protocol
