// A small election made without its ceremony: one trustee, fixed keys, everything the same in each
// run. What is judged against an Election can be tested with it; the ceremony and the main log have
// tests of their own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "psephos/crypto/blind_rsa_signer.h"
#include "psephos/crypto/secret_scalar.h"
#include "psephos/protocol/box.h"
#include "psephos/protocol/opening.h"
#include "psephos/protocol/wallet.h"

namespace psephos::test {

// Styles: "both" (mayor: one of three; board: two candidates, 0 to 3 points each, at most 4 in
// all), and "mayor" and "island" with the first contest only.
struct ElectionOptions {
  std::string origin = "vote.example/2026";
  std::string revote = "first";
  std::uint32_t challenges = 2;
  std::uint32_t shards = 1;
  std::uint32_t registrars = 1;  // 1 or 2
  std::uint64_t voters = 1000;
};

inline constexpr std::uint32_t kBoth = 0;
inline constexpr std::uint32_t kMayor = 1;
inline constexpr std::uint32_t kIsland = 2;

// Voter does by hand what a wallet does, so that entries can be made that no wallet would make.
struct Voter {
  std::uint32_t style;
  crypto::SecretScalar sk;
  crypto::Point pk;
  protocol::Credential credential;
};

struct TestElection {
  std::shared_ptr<const protocol::Election> election;
  crypto::SecretScalar joint_secret;                           // K = joint_secret·G
  std::vector<std::vector<crypto::RsaSecretKey>> credentials;  // [registrar][style]
  protocol::BoxKeys box_keys;

  [[nodiscard]] const protocol::Manifest& manifest() const { return election->manifest(); }

  // answer signs as the registrar does, without a roll.
  [[nodiscard]] protocol::EnrolmentResponse answer(const protocol::EnrolmentRequest& request) const;
  // enrolled is a wallet with a complete credential.
  [[nodiscard]] protocol::Wallet enrolled(std::uint32_t style, Random& random) const;

  [[nodiscard]] Voter voter(std::uint32_t style, Random& random) const;
  [[nodiscard]] crypto::BallotOpening encrypt(const Voter& voter, std::uint32_t sequence,
                                              std::span<const std::uint32_t> votes,
                                              Random& random) const;
  [[nodiscard]] protocol::Ballot ballot(const Voter& voter, const crypto::BallotOpening& opening,
                                        Random& random) const;
  // challenge signs whatever the opening holds.
  [[nodiscard]] protocol::Challenge challenge(const Voter& voter,
                                              const crypto::BallotOpening& opening,
                                              Random& random) const;
};

[[nodiscard]] std::string manifest_json(const ElectionOptions& options);
[[nodiscard]] std::shared_ptr<const protocol::Manifest> manifest_of(const ElectionOptions& options);
[[nodiscard]] TestElection make_election(const ElectionOptions& options = {});

// election_with makes the opening of an election from its parties' public keys.
struct Parties {
  crypto::Point joint_key;
  std::vector<crypto::Ed25519PublicKey> registrar_logs;
  std::vector<std::vector<crypto::RsaPublicKey>> credentials;  // [registrar][style]
  std::vector<crypto::Ed25519PublicKey> box_logs;
};
[[nodiscard]] std::shared_ptr<const protocol::Election> election_with(
    std::shared_ptr<const protocol::Manifest> manifest, Parties parties);

}  // namespace psephos::test
