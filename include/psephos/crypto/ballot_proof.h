// The ballot proof, verifying half. Spec: docs/spec.md §4.3 (statement, moves, equations), §4.5
// (soundness), §4.6 (zero knowledge); design: committed bits after Groth–Kohlweiss 2015 and Bootle
// et al. 2015, linked to the ciphertexts by a polynomial identity after Zhang, Oliynykov, Balogun
// 2019.
//
// Public:  G, K, H, G_1…G_m; election id, style, pk, sequence; the form (M, L, t); (α_j, β_j).
// Secret:  bits b, randomness r_j, credential key sk.
// Claim:   b ∈ {0,1}^m, L·b = t, α_j = r_j·G, β_j = r_j·K + (M·b)_j·G, pk = sk·G.
// Sent:    B A C D E_α E_β R, then f_1…f_m z_A z_C z_E s: 32·(m + 11) bytes, no counts.
// Checks, in this order: decode; x, y ≠ 0; L·f = x·t; then
//   (1) x·B + A = Com(f; z_A)
//   (2) x·C + D = Com(f∘(x−f); z_C)
//   (3) x·Σ_j y^j·α_j + E_α = z_E·G
//   (4) x·Σ_j y^j·β_j + E_β = z_E·K + (Σ_j y^j·(M·f)_j)·G
//   (5) s·G = R + x·pk
// The proof is also the credential's signature over the ballot, by (5).
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <string_view>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/crypto/ballot_form.h"
#include "psephos/crypto/elgamal.h"
#include "psephos/crypto/point.h"
#include "psephos/crypto/relation.h"
#include "psephos/crypto/transcript.h"

namespace psephos::crypto {

// BallotContext is what all ballots of one style are judged against. In the protocol it is made by
// Election::ballot_context only, from an opening whose bytes gave the election id, so that no part
// of it can come from beside a ballot. K is not absorbed: the election id binds it.
struct BallotContext {
  Digest32 election_id;
  std::uint32_t style;
  BallotForm form;
  std::shared_ptr<const Bases> bases;  // K, and at least form.num_bits() generators

  [[nodiscard]] const Point& joint_key() const { return bases->points()[Bases::kK]; }
};

// EncryptedBallot is the part of a ballot the proof speaks about, decoded.
struct EncryptedBallot {
  Point credential;  // pk, not the identity
  std::uint32_t sequence = 0;
  std::vector<Ciphertext> ciphertexts;  // N; no α is the identity
};

struct BallotProof {
  Point B, A, C, D, E_alpha, E_beta, R;  // R is not the identity
  std::vector<Scalar> f;                 // m
  Scalar z_A, z_C, z_E, s;

  static Result<BallotProof> decode(Reader& in, const BallotForm& form);
  void encode(Writer& out) const;
};

// decode_ciphertexts reads the form's N ciphertexts.
[[nodiscard]] Result<std::vector<Ciphertext>> decode_ciphertexts(Reader& in,
                                                                 const BallotForm& form);

// BallotCheck names the check that failed.
enum class BallotCheck : std::uint8_t {
  decode,
  challenge,
  constraint,
  equation_1,
  equation_2,
  equation_3,
  equation_4,
  equation_5,
};
[[nodiscard]] std::string_view name(BallotCheck check);

// BallotEquations is what is left to judge after the exact checks: five linear relations over
// context.bases, in the order (1)…(5).
struct BallotEquations {
  bool constraint_holds;
  std::array<LinearRelation, 5> relations;
};

// equations computes the challenges and states the five relations. The failure is
// BallotCheck::challenge (y or x is zero: nothing else is evaluated) or BallotCheck::decode (shapes
// do not fit the form).
[[nodiscard]] std::expected<BallotEquations, BallotCheck> equations(const BallotContext& context,
                                                                    const EncryptedBallot& ballot,
                                                                    const BallotProof& proof);

// failing_checks returns every check that fails, in order; empty: the proof is valid. After a
// failed challenge nothing else is evaluated.
[[nodiscard]] std::vector<BallotCheck> failing_checks(const BallotContext& context,
                                                      const EncryptedBallot& ballot,
                                                      const BallotProof& proof,
                                                      const Evaluator& evaluator);

// BallotTranscript is shared by both halves: it absorbs the statement and the first four points and
// yields y, then the link and the nonce and yields x.
class BallotTranscript {
 public:
  BallotTranscript(const BallotContext& context, const EncryptedBallot& ballot);
  [[nodiscard]] Scalar y(const Point& B, const Point& A, const Point& C, const Point& D);
  [[nodiscard]] Scalar x(const Point& E_alpha, const Point& E_beta, const Point& R);

 private:
  Transcript transcript_;
};

}  // namespace psephos::crypto
