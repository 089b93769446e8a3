// The ballot proof, proving half, and the encryption it speaks about. See ballot_proof.h.
//
// Constant time in the votes, the bits, all randomness and sk; the form and everything else of the
// context are public.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "psephos/crypto/ballot_proof.h"
#include "psephos/crypto/multiplier.h"
#include "psephos/crypto/secret_scalar.h"
#include "psephos/secret.h"

namespace psephos::crypto {

// SecretVotes holds one value per option, N of them, 4 bytes each; wiped.
class SecretVotes {
 public:
  explicit SecretVotes(std::size_t num_options);
  explicit SecretVotes(std::span<const std::uint32_t> votes);
  SecretVotes(SecretVotes&&) noexcept = default;
  SecretVotes& operator=(SecretVotes&& other) noexcept;
  SecretVotes(const SecretVotes&) = delete;
  SecretVotes& operator=(const SecretVotes&) = delete;
  ~SecretVotes();

  [[nodiscard]] std::size_t size() const { return values_.size(); }
  [[nodiscard]] std::span<const std::uint32_t> expose_secret() const { return values_; }
  [[nodiscard]] std::span<std::uint32_t> expose_secret() { return values_; }

 private:
  std::vector<std::uint32_t> values_;
};

// to_bits returns the canonical bits of a vote (0 or 1 each, m of them): an option's last weight is
// used only when the others do not reach. Errc::misuse if the votes break the form's rules; which
// option broke them is not told. Constant time for valid votes.
[[nodiscard]] Result<SecretBuffer> to_bits(const BallotForm& form, const SecretVotes& votes);

// BallotOpening is a voter's encrypted ballot with all it takes to open it: kept by the wallet
// between encrypting and casting, and published (votes and r only) by a challenge.
struct BallotOpening {
  EncryptedBallot ballot;
  SecretVotes votes;
  std::vector<SecretScalar> r;  // N
};

// encrypt draws fresh randomness and encrypts the votes. Errc::misuse if they break the rules. Here
// and below the result does not depend on the multiplier.
[[nodiscard]] Result<BallotOpening> encrypt(const BallotContext& context, const Point& credential,
                                            std::uint32_t sequence, SecretVotes votes,
                                            Random& random,
                                            const Multiplier& multiplier = SodiumMultiplier());

// BallotNonces is everything random in a proof; drawn fresh by prove, given explicitly only by
// known-answer tests.
struct BallotNonces {
  SecretScalar r_B, r_A, r_C, r_D, rho, k;
  std::vector<SecretScalar> a;  // m, with L·a = 0

  // draw: the order is r_B, r_A, r_C, r_D, the free coordinates of a ascending (each row of L is
  // solved for its first bit), rho, k.
  static BallotNonces draw(const BallotForm& form, HedgedNonces& source);
};

// prove makes the proof for an opening under sk, pk = sk·G. The nonces are used up.
[[nodiscard]] Result<BallotProof> prove(const BallotContext& context, const BallotOpening& opening,
                                        const SecretScalar& sk, Random& random,
                                        const Multiplier& multiplier = SodiumMultiplier());
[[nodiscard]] Result<BallotProof> prove_with_nonces_for_testing(
    const BallotContext& context, const BallotOpening& opening, const SecretBuffer& bits,
    const SecretScalar& sk, BallotNonces nonces, const Multiplier& multiplier = SodiumMultiplier());

}  // namespace psephos::crypto
