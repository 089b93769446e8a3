// A whole main log played step by step, with every party's key at hand, so that a test can go to
// any phase and say there what no honest party would.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "psephos/crypto/ed25519_signer.h"
#include "psephos/crypto/relation.h"
#include "psephos/crypto/secret_scalar.h"
#include "psephos/protocol/authority.h"
#include "psephos/protocol/main_log.h"
#include "psephos/protocol/trustee.h"

#include "tests/support/seeded_random.h"

namespace psephos::test {

// must returns the value, or fails the test by throwing.
template <class T>
T must(Result<T> result) {
  if (!result.has_value()) {
    throw std::runtime_error(result.error().message);
  }
  if constexpr (!std::is_void_v<T>) {
    return std::move(result).value();
  }
}

// Setup describes a manifest: contests "mayor" (choose 0 to 1 of 3) and "budget" (score 0 to 3 for
// 2 options), styles "north" (both) and "south" (budget), two registrars, two shards.
struct Setup {
  std::uint32_t trustees = 3;
  std::uint32_t threshold = 2;
  std::string title = "Town election";
  std::string tally_by = "election";
  std::uint32_t tally_minimum = 1;
  std::uint64_t keys = 0;  // plays of one number have the same keys
};
[[nodiscard]] std::string manifest_text(const Setup& setup);
[[nodiscard]] std::shared_ptr<const protocol::Manifest> make_manifest(const Setup& setup);

// TrusteeSecret is what a saved trustee holds.
struct TrusteeSecret {
  crypto::Ed25519SecretKey identity;
  crypto::SecretScalar transport;
  crypto::SecretPolynomial polynomial;
};
[[nodiscard]] TrusteeSecret secret_of(const protocol::Trustee& trustee);

class Play {
 public:
  using Phase = protocol::MainLog::Phase;

  explicit Play(const Setup& setup = {});

  // say appends a message that must be taken; fault_of one that must not, and returns why not.
  void say(const protocol::Message& message);
  [[nodiscard]] protocol::Fault fault_of(const protocol::Message& message) const;

  // to goes on honestly until the log is in the phase (not: failed, resulting, decrypting). The
  // tallies are of `votes`, [tally][option], each tally of 5 ballots.
  void to(Phase phase);
  // to goes on honestly until the ceremony is in the round.
  void to(protocol::Ceremony::Round round);

  // The message of trustee `sender` in the present round of the ceremony.
  [[nodiscard]] protocol::Message of_round(std::uint32_t sender);
  // A message of any content, signed by the one whose it would be, in the right context.
  [[nodiscard]] protocol::Message signed_by_sender(protocol::MessageType type, std::uint32_t sender,
                                                   Bytes payload) const;
  [[nodiscard]] std::vector<protocol::Message> credential_keys() const;
  [[nodiscard]] protocol::Message opening() const;
  [[nodiscard]] protocol::Tally tally(std::uint32_t contest, std::uint32_t unit,
                                      const std::vector<std::uint64_t>& votes);
  [[nodiscard]] protocol::Message say_tally(const protocol::Tally& tally) const;
  [[nodiscard]] Result<protocol::Message> decryption(std::uint32_t trustee, std::uint32_t tally);
  // s_j, from what the trustee has and was sent.
  [[nodiscard]] crypto::SecretScalar share_of(std::uint32_t trustee) const;

  SeededRandom random;
  crypto::IndividualEvaluator evaluator;
  std::shared_ptr<const protocol::Manifest> manifest;
  protocol::Authority authority;
  std::vector<protocol::Trustee> trustees;
  std::vector<TrusteeSecret> secrets;
  std::vector<crypto::Ed25519SecretKey> registrar_logs;
  std::vector<crypto::Ed25519PublicKey> box_logs;
  std::vector<std::vector<std::uint64_t>> votes = {{3, 0, 2}, {15, 7}};
  protocol::MainLog log;
  std::vector<protocol::Message> said;
};

}  // namespace psephos::test
