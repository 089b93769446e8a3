#include "psephos/crypto/ballot_proof.h"

#include <algorithm>

#include "crypto/labels.h"

namespace psephos::crypto {

namespace {

// y, y², …, y^count.
std::vector<Scalar> powers(const Scalar& y, std::size_t count) {
  std::vector<Scalar> result;
  result.reserve(count);
  for (std::size_t j = 0; j < count; ++j) {
    result.push_back(j == 0 ? y : result.back() * y);
  }
  return result;
}

// Σ weight·values[bit] over the entries of one row.
Scalar weighted_sum(const std::vector<BallotForm::Entry>& row, const std::vector<Scalar>& values) {
  Scalar sum;
  for (const auto& [bit, weight] : row) {
    sum = sum + (weight == 1 ? values[bit] : Scalar::from_u64(weight) * values[bit]);
  }
  return sum;
}

bool constraint_holds(const BallotForm& form, const Scalar& x, const std::vector<Scalar>& f) {
  return std::ranges::all_of(form.constraints(), [&](const BallotForm::Constraint& row) {
    return weighted_sum(row.entries, f) == x * Scalar::from_u64(row.target);
  });
}

// What decoding ensures, asked again of values that may have come another way.
bool well_shaped(const BallotContext& context, const EncryptedBallot& ballot,
                 const BallotProof& proof) {
  const BallotForm& form = context.form;
  return context.bases != nullptr && context.bases->points().size() >= Bases::g(form.num_bits()) &&
         !context.joint_key().is_identity() && !ballot.credential.is_identity() &&
         ballot.ciphertexts.size() == form.num_options() && form.num_options() > 0 &&
         std::ranges::none_of(ballot.ciphertexts,
                              [](const Ciphertext& c) { return c.alpha.is_identity(); }) &&
         proof.f.size() == form.num_bits() && !proof.R.is_identity();
}

}  // namespace

Result<BallotProof> BallotProof::decode(Reader& in, const BallotForm& form) {
  BallotProof proof;
  PSEPHOS_TRY(proof.B, Point::decode(in, Identity::accepted, "proof point B"));
  PSEPHOS_TRY(proof.A, Point::decode(in, Identity::accepted, "proof point A"));
  PSEPHOS_TRY(proof.C, Point::decode(in, Identity::accepted, "proof point C"));
  PSEPHOS_TRY(proof.D, Point::decode(in, Identity::accepted, "proof point D"));
  PSEPHOS_TRY(proof.E_alpha, Point::decode(in, Identity::accepted, "proof point E_alpha"));
  PSEPHOS_TRY(proof.E_beta, Point::decode(in, Identity::accepted, "proof point E_beta"));
  PSEPHOS_TRY(proof.R, Point::decode(in, Identity::refused, "proof point R"));
  proof.f.reserve(form.num_bits());
  for (std::size_t k = 0; k < form.num_bits(); ++k) {
    PSEPHOS_TRY(const Scalar f, Scalar::decode(in, "proof scalar f"));
    proof.f.push_back(f);
  }
  PSEPHOS_TRY(proof.z_A, Scalar::decode(in, "proof scalar z_A"));
  PSEPHOS_TRY(proof.z_C, Scalar::decode(in, "proof scalar z_C"));
  PSEPHOS_TRY(proof.z_E, Scalar::decode(in, "proof scalar z_E"));
  PSEPHOS_TRY(proof.s, Scalar::decode(in, "proof scalar s"));
  return proof;
}

void BallotProof::encode(Writer& out) const {
  for (const Point* point : {&B, &A, &C, &D, &E_alpha, &E_beta, &R}) {
    point->encode(out);
  }
  for (const Scalar& scalar : f) {
    scalar.encode(out);
  }
  for (const Scalar* scalar : {&z_A, &z_C, &z_E, &s}) {
    scalar->encode(out);
  }
}

Result<std::vector<Ciphertext>> decode_ciphertexts(Reader& in, const BallotForm& form) {
  std::vector<Ciphertext> ciphertexts;
  ciphertexts.reserve(form.num_options());
  for (std::size_t j = 0; j < form.num_options(); ++j) {
    auto ciphertext = Ciphertext::decode(in, Identity::refused, "ciphertext");
    if (!ciphertext.has_value()) {
      return within("option " + std::to_string(j + 1), ciphertext.error());
    }
    ciphertexts.push_back(*ciphertext);
  }
  return ciphertexts;
}

std::string_view name(BallotCheck check) {
  switch (check) {
    case BallotCheck::decode:
      return "decode";
    case BallotCheck::challenge:
      return "challenge";
    case BallotCheck::constraint:
      return "constraint";
    case BallotCheck::equation_1:
      return "equation 1";
    case BallotCheck::equation_2:
      return "equation 2";
    case BallotCheck::equation_3:
      return "equation 3";
    case BallotCheck::equation_4:
      return "equation 4";
    case BallotCheck::equation_5:
      return "equation 5";
  }
  return "unknown";
}

std::expected<BallotEquations, BallotCheck> equations(const BallotContext& context,
                                                      const EncryptedBallot& ballot,
                                                      const BallotProof& proof) {
  if (!well_shaped(context, ballot, proof)) {
    return std::unexpected(BallotCheck::decode);
  }
  BallotTranscript transcript(context, ballot);
  const Scalar y = transcript.y(proof.B, proof.A, proof.C, proof.D);
  const Scalar x = transcript.x(proof.E_alpha, proof.E_beta, proof.R);
  if (y.is_zero() || x.is_zero()) {
    return std::unexpected(BallotCheck::challenge);
  }

  const BallotForm& form = context.form;
  const std::vector<Scalar>& f = proof.f;
  const std::vector<Scalar> y_powers = powers(y, form.num_options());
  const Scalar one = Scalar::one();
  BallotEquations result{.constraint_holds = constraint_holds(form, x, f), .relations = {}};
  auto& [bits, squares, link_alpha, link_beta, signature] = result.relations;

  // (1) x·B + A − Com(f; z_A) and (2) x·C + D − Com(f∘(x−f); z_C)
  bits.own.reserve(2);
  bits.own.emplace_back(x, proof.B);
  bits.own.emplace_back(one, proof.A);
  bits.shared.reserve(f.size() + 1);
  bits.shared.push_back({Bases::kH, -proof.z_A});
  squares.own.reserve(2);
  squares.own.emplace_back(x, proof.C);
  squares.own.emplace_back(one, proof.D);
  squares.shared.reserve(f.size() + 1);
  squares.shared.push_back({Bases::kH, -proof.z_C});
  for (std::size_t k = 0; k < f.size(); ++k) {
    bits.shared.push_back({Bases::g(k), -f[k]});
    squares.shared.push_back({Bases::g(k), f[k] * (f[k] - x)});
  }

  // (3) x·Σ y^j·α_j + E_α − z_E·G and (4) x·Σ y^j·β_j + E_β − z_E·K − (Σ y^j·(M·f)_j)·G
  link_alpha.own.reserve(form.num_options() + 1);
  link_beta.own.reserve(form.num_options() + 1);
  Scalar votes;
  for (std::size_t j = 0; j < form.num_options(); ++j) {
    const Scalar weight = x * y_powers[j];
    link_alpha.own.emplace_back(weight, ballot.ciphertexts[j].alpha);
    link_beta.own.emplace_back(weight, ballot.ciphertexts[j].beta);
    votes = votes + y_powers[j] * weighted_sum(form.rows()[j], f);
  }
  link_alpha.own.emplace_back(one, proof.E_alpha);
  link_alpha.shared = {{Bases::kG, -proof.z_E}};
  link_beta.own.emplace_back(one, proof.E_beta);
  link_beta.shared = {{Bases::kK, -proof.z_E}, {Bases::kG, -votes}};

  // (5) s·G − R − x·pk
  signature.shared = {{Bases::kG, proof.s}};
  signature.own.reserve(2);
  signature.own.emplace_back(-one, proof.R);
  signature.own.emplace_back(-x, ballot.credential);
  return result;
}

std::vector<BallotCheck> failing_checks(const BallotContext& context, const EncryptedBallot& ballot,
                                        const BallotProof& proof, const Evaluator& evaluator) {
  static constexpr std::array kEquations = {BallotCheck::equation_1, BallotCheck::equation_2,
                                            BallotCheck::equation_3, BallotCheck::equation_4,
                                            BallotCheck::equation_5};
  const auto stated = equations(context, ballot, proof);
  if (!stated.has_value()) {
    return {stated.error()};
  }
  std::vector<BallotCheck> failing;
  if (!stated->constraint_holds) {
    failing.push_back(BallotCheck::constraint);
  }
  for (const std::size_t i : evaluator.failing(context.bases->points(), stated->relations)) {
    failing.push_back(kEquations[i]);
  }
  return failing;
}

BallotTranscript::BallotTranscript(const BallotContext& context, const EncryptedBallot& ballot)
    : transcript_(labels::kBallot) {
  transcript_.absorb(labels::kElection, context.election_id);
  transcript_.absorb_u32(labels::kStyle, context.style);
  transcript_.absorb(labels::kCredential, ballot.credential.bytes());
  transcript_.absorb_u32(labels::kSequence, ballot.sequence);
  transcript_.absorb(labels::kCiphertexts, encode_all(ballot.ciphertexts));
}

Scalar BallotTranscript::y(const Point& B, const Point& A, const Point& C, const Point& D) {
  transcript_.absorb(labels::kBits, B.bytes());
  transcript_.absorb(labels::kMasks, A.bytes());
  transcript_.absorb(labels::kCross, C.bytes());
  transcript_.absorb(labels::kSquares, D.bytes());
  return transcript_.challenge(labels::kY);
}

Scalar BallotTranscript::x(const Point& E_alpha, const Point& E_beta, const Point& R) {
  Writer link;
  E_alpha.encode(link);
  E_beta.encode(link);
  transcript_.absorb(labels::kLink, link.bytes());
  transcript_.absorb(labels::kNonceCommitment, R.bytes());
  return transcript_.challenge(labels::kX);
}

}  // namespace psephos::crypto
