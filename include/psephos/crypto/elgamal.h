// Exponential ElGamal over ristretto255 (Cramer, Gennaro, Schoenmakers 1997), public half.
//
//   Enc_K(v; r) = (α, β) = (r·G, r·K + v·G)
//
// The sum of ciphertexts is a ciphertext of the sum. Encryption itself handles a secret and stands
// in ballot_prover.h. Spec: docs/spec.md §3.1.
#pragma once

#include <vector>

#include "psephos/codec.h"
#include "psephos/crypto/point.h"

namespace psephos::crypto {

struct Ciphertext {
  static constexpr std::size_t kSize = 64;

  Point alpha;
  Point beta;

  // decode reads α ‖ β. A single encryption refuses the identity as α (its randomness would be
  // known); a sum may hold any points.
  static Result<Ciphertext> decode(Reader& in, Identity alpha_identity, std::string_view field);
  void encode(Writer& out) const;

  friend Ciphertext operator+(const Ciphertext& a, const Ciphertext& b);
  friend Ciphertext operator-(const Ciphertext& a, const Ciphertext& b);
  friend bool operator==(const Ciphertext&, const Ciphertext&) = default;
};

// encode_all writes α_1 ‖ β_1 ‖ α_2 ‖ …, as ballots carry and transcripts absorb them.
[[nodiscard]] Bytes encode_all(const std::vector<Ciphertext>& ciphertexts);

}  // namespace psephos::crypto
