#include "psephos/crypto/ballot_prover.h"

#include <algorithm>
#include <bit>

#include "psephos/crypto/pedersen.h"

#include "crypto/declassify.h"

namespace psephos::crypto {

namespace {

// 1 if a < b, else 0, without a branch; both below 2^63.
std::uint64_t less(std::uint64_t a, std::uint64_t b) { return (a - b) >> 63; }

// Writes the canonical bits of value over cover(top). A value above top gives nonsense.
void split(std::uint64_t value, std::uint32_t top, MutableByteView bits) {
  const std::size_t last = bits.size() - 1;
  const std::uint64_t use_last = 1 - less(value, std::uint64_t{1} << last);
  const std::uint64_t last_weight = top - (std::uint64_t{1} << last) + 1;
  const std::uint64_t rest = value - (last_weight & (0 - use_last));
  for (std::size_t i = 0; i < last; ++i) {
    bits[i] = static_cast<std::uint8_t>(rest >> i & 1);
  }
  bits[last] = static_cast<std::uint8_t>(use_last);
}

// Σ weight·values[bit] over the entries.
SecretScalar weighted_sum(std::span<const BallotForm::Entry> entries,
                          std::span<const SecretScalar> values) {
  SecretScalar sum;
  for (const auto& [bit, weight] : entries) {
    sum = weight == 1 ? sum + values[bit] : sum + Scalar::from_u64(weight) * values[bit];
  }
  return sum;
}

// Σ_j y^j·values_j, j from 1 (Horner).
SecretScalar fold(const Scalar& y, std::span<const SecretScalar> values) {
  SecretScalar sum;
  for (std::size_t j = values.size(); j-- > 0;) {
    sum = y * (sum + values[j]);
  }
  return sum;
}

void write_statement(Writer& out, const BallotContext& context, const Point& credential,
                     std::uint32_t sequence) {
  out.raw(context.election_id).u32(context.style);
  credential.encode(out);
  out.u32(sequence);
}

bool fits(const BallotContext& context, const EncryptedBallot& ballot) {
  return context.bases != nullptr &&
         context.bases->points().size() >= Bases::g(context.form.num_bits()) &&
         ballot.ciphertexts.size() == context.form.num_options();
}

void wipe_votes(std::span<std::uint32_t> votes) {
  wipe({reinterpret_cast<std::uint8_t*>(votes.data()), votes.size_bytes()});
}

}  // namespace

SecretVotes::SecretVotes(std::size_t num_options) : values_(num_options) {}

SecretVotes::SecretVotes(std::span<const std::uint32_t> votes)
    : values_(votes.begin(), votes.end()) {}

SecretVotes& SecretVotes::operator=(SecretVotes&& other) noexcept {
  if (this != &other) {
    wipe_votes(values_);
    values_ = std::move(other.values_);
    other.values_.clear();
  }
  return *this;
}

SecretVotes::~SecretVotes() { wipe_votes(values_); }

Result<SecretBuffer> to_bits(const BallotForm& form, const SecretVotes& votes) {
  if (votes.size() != form.num_options()) {
    return fail(Errc::misuse, "the ballot has " + std::to_string(form.num_options()) +
                                  " options, the vote " + std::to_string(votes.size()));
  }
  SecretBuffer bits(form.num_bits());
  std::size_t next_bit = 0;
  const auto write = [&](std::uint64_t value, std::uint32_t top, std::size_t count) {
    split(value, top, bits.expose_secret().subspan(next_bit, count));
    next_bit += count;
  };

  std::uint64_t broken = 0;
  std::size_t option = 0;
  for (const ContestRule& rule : form.contests()) {
    std::uint64_t sum = 0;
    for (std::uint32_t j = 0; j < rule.options; ++j, ++option) {
      const std::uint64_t vote = votes.expose_secret()[option];
      broken |= less(rule.range, vote);
      sum += vote;
      write(vote, rule.range, form.rows()[option].size());
    }
    broken |= less(sum, rule.min) | less(rule.max, sum);
    if (rule.is_constrained() && rule.max > rule.min) {
      const std::uint32_t slack = rule.max - rule.min;
      write(rule.max - sum, slack, static_cast<std::size_t>(std::bit_width(slack)));
    }
  }
  PSEPHOS_CHECK(next_bit == form.num_bits());
  if (declassified(broken) != 0) {
    return fail(Errc::misuse, "the vote breaks the rules of the ballot");
  }
  return bits;
}

Result<BallotOpening> encrypt(const BallotContext& context, const Point& credential,
                              std::uint32_t sequence, SecretVotes votes, Random& random,
                              const Multiplier& multiplier) {
  PSEPHOS_TRY(const SecretBuffer bits, to_bits(context.form, votes));
  PSEPHOS_CHECK(context.bases != nullptr);

  SecretBuffer vote_bytes(4 * votes.size());
  for (std::size_t i = 0; i < vote_bytes.size(); ++i) {
    vote_bytes.expose_secret()[i] =
        static_cast<std::uint8_t>(votes.expose_secret()[i / 4] >> (8 * (3 - i % 4)));
  }
  Writer statement;
  write_statement(statement, context, credential, sequence);
  HedgedNonces nonces(random, vote_bytes.expose_secret(), statement.bytes());

  BallotOpening opening{
      .ballot = {.credential = credential, .sequence = sequence, .ciphertexts = {}},
      .votes = std::move(votes),
      .r = {}};
  const auto& rows = context.form.rows();
  for (std::size_t j = 0; j < rows.size(); ++j) {
    opening.r.push_back(nonces.next());
  }
  std::vector<SecretSum> sums;  // α = r·G, β = r·K + Σ bit·weight·G
  for (std::size_t j = 0; j < rows.size(); ++j) {
    sums.push_back({.products = {{Bases::kG, &opening.r[j]}}, .choices = {}});
    SecretSum& beta = sums.emplace_back();
    beta.products.push_back({Bases::kK, &opening.r[j]});
    for (const auto& [bit, weight] : rows[j]) {
      beta.choices.push_back(
          {.base = Bases::kG, .weight = weight, .bit = &bits.expose_secret()[bit]});
    }
  }
  const std::vector<Point> points = multiplier.sums(*context.bases, sums);
  for (std::size_t j = 0; j < rows.size(); ++j) {
    opening.ballot.ciphertexts.push_back({.alpha = points[2 * j], .beta = points[2 * j + 1]});
  }
  return opening;
}

BallotNonces BallotNonces::draw(const BallotForm& form, HedgedNonces& source) {
  BallotNonces nonces;
  nonces.r_B = source.next();
  nonces.r_A = source.next();
  nonces.r_C = source.next();
  nonces.r_D = source.next();
  std::vector<bool> solved(form.num_bits());
  for (const auto& row : form.constraints()) {
    solved[row.entries.front().bit] = true;
  }
  nonces.a.reserve(form.num_bits());
  for (std::size_t k = 0; k < form.num_bits(); ++k) {
    nonces.a.push_back(solved[k] ? SecretScalar() : source.next());
  }
  for (const auto& row : form.constraints()) {
    const std::span entries(row.entries);
    nonces.a[entries.front().bit] = SecretScalar() - weighted_sum(entries.subspan(1), nonces.a);
  }
  nonces.rho = source.next();
  nonces.k = source.next();
  return nonces;
}

Result<BallotProof> prove(const BallotContext& context, const BallotOpening& opening,
                          const SecretScalar& sk, Random& random, const Multiplier& multiplier) {
  PSEPHOS_TRY(const SecretBuffer bits, to_bits(context.form, opening.votes));
  const EncryptedBallot& ballot = opening.ballot;
  Writer statement;
  write_statement(statement, context, ballot.credential, ballot.sequence);
  statement.raw(encode_all(ballot.ciphertexts));

  SecretBuffer secret(32 + 32 * opening.r.size() + bits.size());
  auto next = std::ranges::copy(sk.expose_secret(), secret.expose_secret().begin()).out;
  for (const SecretScalar& r : opening.r) {
    next = std::ranges::copy(r.expose_secret(), next).out;
  }
  std::ranges::copy(bits.expose_secret(), next);

  HedgedNonces source(random, secret.expose_secret(), statement.bytes());
  return prove_with_nonces_for_testing(context, opening, bits, sk,
                                       BallotNonces::draw(context.form, source), multiplier);
}

Result<BallotProof> prove_with_nonces_for_testing(const BallotContext& context,
                                                  const BallotOpening& opening,
                                                  const SecretBuffer& bits, const SecretScalar& sk,
                                                  BallotNonces nonces,
                                                  const Multiplier& multiplier) {
  const BallotForm& form = context.form;
  const EncryptedBallot& ballot = opening.ballot;
  if (!fits(context, ballot) || opening.r.size() != form.num_options() ||
      bits.size() != form.num_bits() || nonces.a.size() != form.num_bits()) {
    return fail(Errc::misuse, "the opening does not fit the ballot's form");
  }
  const BallotNonces random = std::move(nonces);
  const Bases& bases = *context.bases;
  const ByteView b = bits.expose_secret();

  std::vector<SecretScalar> cross;    // a∘(1−2b)
  std::vector<SecretScalar> squares;  // −a∘a
  for (std::size_t k = 0; k < form.num_bits(); ++k) {
    const SecretScalar& a = random.a[k];
    cross.push_back(a *
                    (SecretScalar::from_u64(1) - SecretScalar::from_u64(std::uint64_t{b[k]} << 1)));
    squares.push_back(SecretScalar() - a * a);
  }
  const auto times_base = [](const SecretScalar& scalar) {
    return SecretSum{.products = {{Bases::kG, &scalar}}, .choices = {}};
  };
  std::vector<SecretSum> sums;
  sums.push_back(bits_commitment(b, random.r_B));
  sums.push_back(commitment(random.a, random.r_A));
  sums.push_back(commitment(cross, random.r_C));
  sums.push_back(commitment(squares, random.r_D));
  sums.push_back(times_base(random.rho));
  sums.push_back(times_base(random.k));
  sums.push_back(times_base(sk));
  const std::vector<Point> points = multiplier.sums(bases, sums);
  if (points[6] != ballot.credential) {
    return fail(Errc::misuse, "the ballot was encrypted for another credential");
  }
  BallotProof proof;
  proof.B = points[0];
  proof.A = points[1];
  proof.C = points[2];
  proof.D = points[3];
  proof.E_alpha = points[4];
  proof.R = points[5];

  BallotTranscript transcript(context, ballot);
  const Scalar y = transcript.y(proof.B, proof.A, proof.C, proof.D);
  std::vector<SecretScalar> masks;  // M·a
  for (const auto& row : form.rows()) {
    masks.push_back(weighted_sum(row, random.a));
  }
  const SecretScalar folded = fold(y, masks);
  const SecretSum link{.products = {{Bases::kK, &random.rho}, {Bases::kG, &folded}}, .choices = {}};
  proof.E_beta = multiplier.sums(bases, {&link, 1}).front();

  const Scalar x = transcript.x(proof.E_alpha, proof.E_beta, proof.R);
  for (std::size_t k = 0; k < form.num_bits(); ++k) {
    proof.f.push_back((x * SecretScalar::from_u64(b[k]) + random.a[k]).declassify());
  }
  proof.z_A = (x * random.r_B + random.r_A).declassify();
  proof.z_C = (x * random.r_C + random.r_D).declassify();
  proof.z_E = (x * fold(y, opening.r) + random.rho).declassify();
  proof.s = (random.k + x * sk).declassify();
  return proof;
}

}  // namespace psephos::crypto
