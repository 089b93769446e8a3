// Runs everything that takes a secret on memory that valgrind holds for undefined: a branch or an
// address that depends on a secret is reported. Secrets become defined again only in
// crypto/declassify.h. Built with PSEPHOS_CT_VALGRIND.
//
//   valgrind --error-exitcode=9 --suppressions=libsodium.supp ct_test
//   valgrind --error-exitcode=9 ct_test --self-test-branch    must be reported, as must
//   valgrind --error-exitcode=9 ct_test --self-test-index

#include <valgrind/memcheck.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "psephos/crypto/ballot_prover.h"
#include "psephos/crypto/discrete_log_prover.h"
#include "psephos/crypto/hash.h"
#include "psephos/crypto/multiplier.h"
#include "psephos/crypto/pedersen.h"
#include "psephos/crypto/polynomial.h"
#include "psephos/crypto/sealed_box_secret.h"

namespace psephos::crypto {
namespace {

template <class T, std::size_t N>
void poison(std::span<T, N> memory) {
  VALGRIND_MAKE_MEM_UNDEFINED(memory.data(), memory.size_bytes());
}

// All randomness is secret.
class PoisonedRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    system_.fill(out);
    poison(out);
  }

 private:
  SystemRandom system_;
};

SecretScalar poisoned_scalar(std::uint64_t seed) {
  SystemRandom random;
  SecretScalar scalar = seed == 0 ? SecretScalar::random(random) : SecretScalar::from_u64(seed);
  poison(scalar.expose_secret());
  return scalar;
}

SecretVotes poisoned_votes(std::vector<std::uint32_t> values) {
  SecretVotes votes(values);
  poison(votes.expose_secret());
  return votes;
}

// A result is public when the caller has it: looking at it must not be reported.
void expect(bool condition) {
  if (!condition) {
    std::fputs("ct_test: wrong result\n", stderr);
    std::exit(2);
  }
}

void scalars() {
  const SecretScalar a = poisoned_scalar(0);
  const SecretScalar b = poisoned_scalar(7);
  const SecretScalar c = Scalar::from_u64(3) * (a + b) * (a - b);
  expect(!c.declassify().is_zero());
  expect(SecretScalar::decode(a.expose_secret()).has_value());
  const SecretScalar moved = a.clone();
  expect(!multiply(moved, Point::base()).is_identity());
  expect(!multiply_base(moved).is_identity());
}

void nonces() {
  PoisonedRandom random;
  const SecretScalar key = poisoned_scalar(0);
  HedgedNonces source(random, key.expose_secret(), {});
  expect(!source.next().declassify().is_zero());
}

void commitments() {
  const Bases bases(Point::base(), 4);
  std::vector<SecretScalar> u;
  for (int k = 0; k < 4; ++k) {
    u.push_back(poisoned_scalar(0));
  }
  expect(!commit(bases, u, poisoned_scalar(0)).is_identity());
  Bytes bits = {0, 1, 1, 0};
  poison(std::span(bits));
  expect(!commit_bits(bases, bits, poisoned_scalar(0)).is_identity());
}

void proofs() {
  PoisonedRandom random;
  const SecretScalar key = poisoned_scalar(0);
  DiscreteLogStatement statement;
  statement.bases = {Point::base(), generator(1)};
  for (const Point& base : statement.bases) {
    statement.points.push_back(multiply(key, base));
  }
  const DiscreteLogProof proof = prove(statement, key, Transcript("test"), random);
  expect(verify(statement, proof, Transcript("test"), IndividualEvaluator()).has_value());
}

void shares() {
  PoisonedRandom random;
  const SecretPolynomial f = SecretPolynomial::random(3, random);
  const SecretScalar share = f.share(5);
  expect(multiply_base(share) == evaluate_commitments(f.commitments(), 5));
  SecretBytes<32> content;
  std::ranges::copy(share.expose_secret(), content.expose_secret().begin());
  const SecretScalar x = poisoned_scalar(0);
  const SealedShare sealed = seal(content, multiply_base(x), as_bytes("context"), random);
  expect(open(sealed, x, as_bytes("context")).has_value());
  expect(!open(sealed, x, as_bytes("another")).has_value());
}

void ballots(const Multiplier& multiplier, const BallotContext& context) {
  PoisonedRandom random;
  const SecretScalar sk = poisoned_scalar(0);
  for (const auto& votes : {std::vector<std::uint32_t>{0, 1, 0, 4, 3}, {1, 0, 0, 0, 2}}) {
    const BallotOpening opening =
        encrypt(context, multiply_base(sk), 0, poisoned_votes(votes), random, multiplier).value();
    const BallotProof proof = prove(context, opening, sk, random, multiplier).value();
    expect(failing_checks(context, opening.ballot, proof, IndividualEvaluator()).empty());
  }
}

void ballots() {
  const std::vector<ContestRule> contests = {{.options = 3, .range = 1, .min = 1, .max = 1},
                                             {.options = 2, .range = 5, .min = 2, .max = 7}};
  BallotContext context{.election_id = {},
                        .style = 1,
                        .form = BallotForm::compile(contests).value(),
                        .bases = nullptr};
  context.bases =
      std::make_shared<const Bases>(multiply_base(poisoned_scalar(0)), context.form.num_bits());
  expect(to_bits(context.form, poisoned_votes({0, 1, 0, 4, 3})).has_value());
  expect(!to_bits(context.form, poisoned_votes({0, 1, 1, 4, 3})).has_value());
  ballots(SodiumMultiplier(), context);
  ballots(TableMultiplier(*context.bases), context);
}

// What libsodium is not asked for: secret sums that are the identity, scalars that are zero.
void table_edges() {
  const Bases bases(Point::base(), 1);
  const TableMultiplier tables(bases);
  const SecretScalar zero;
  poison(zero.expose_secret());
  const SecretScalar some = poisoned_scalar(0);
  const SecretScalar minus = SecretScalar() - some;
  Bytes bits = {0, 1};
  poison(std::span(bits));
  const std::vector<SecretSum> sums = {
      {.products = {{Bases::kH, &zero}}, .choices = {{Bases::kG, 0xffffffff, bits.data()}}},
      {.products = {{Bases::kG, &some}, {Bases::kK, &minus}}, .choices = {}},
      {.products = {{Bases::kG, &zero}}, .choices = {{Bases::kG, 9, &bits[1]}}}};
  const std::vector<Point> points = tables.sums(bases, sums);
  expect(points[0].is_identity());
  expect(points[1].is_identity());
  expect(points[2] == Scalar::from_u64(9) * Point::base());
}

// Must be reported: a branch and an index that depend on a secret.
int self_test(std::string_view kind) {
  const SecretScalar secret = poisoned_scalar(0);
  const std::uint8_t byte = secret.expose_secret()[0];
  static std::array<volatile int, 256> table = {};
  if (kind == "--self-test-branch") {
    if ((byte & 1) != 0) {
      table[0] = 1;
    }
  } else {
    table[byte] = 1;
  }
  return table[1];
}

int run_all() {
  scalars();
  nonces();
  commitments();
  proofs();
  shares();
  ballots();
  table_edges();
  std::puts("no branch and no address depended on a secret, if valgrind reported none");
  return 0;
}

}  // namespace
}  // namespace psephos::crypto

int main(int argc, char** argv) {
  if (RUNNING_ON_VALGRIND == 0) {
    std::fputs("ct_test: runs under valgrind only\n", stderr);
    return 2;
  }
  return argc == 2 ? psephos::crypto::self_test(argv[1]) : psephos::crypto::run_all();
}
