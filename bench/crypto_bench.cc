// The group, the hashes and the ballot proof. Rates count the thing named: points, terms, ballots.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "psephos/crypto/ballot_prover.h"
#include "psephos/crypto/hash.h"
#include "psephos/crypto/merkle.h"
#include "psephos/crypto/pedersen.h"
#include "psephos/crypto/relation.h"
#include "psephos/crypto/small_log.h"

namespace psephos::crypto {
namespace {

SystemRandom& system_random() {
  static SystemRandom random;
  return random;
}

Scalar random_scalar() { return SecretScalar::random(system_random()).declassify(); }
Point random_point() { return multiply_base(SecretScalar::random(system_random())); }

void scalar_multiply(benchmark::State& state) {
  Scalar a = random_scalar();
  const Scalar b = random_scalar();
  for (auto _ : state) {
    benchmark::DoNotOptimize(a = a * b);
  }
}
BENCHMARK(scalar_multiply);

void point_decode(benchmark::State& state) {
  const Point p = random_point();
  for (auto _ : state) {
    benchmark::DoNotOptimize(Point::decode(p.bytes(), Identity::refused));
  }
}
BENCHMARK(point_decode);

void point_add(benchmark::State& state) {
  Point p = random_point();
  const Point step = random_point();
  for (auto _ : state) {
    benchmark::DoNotOptimize(p = p + step);
  }
}
BENCHMARK(point_add);

void point_multiply(benchmark::State& state) {
  const SecretScalar s = SecretScalar::random(system_random());
  const Point p = random_point();
  for (auto _ : state) {
    benchmark::DoNotOptimize(multiply(s, p));
  }
}
BENCHMARK(point_multiply);

void point_multiply_base(benchmark::State& state) {
  const SecretScalar s = SecretScalar::random(system_random());
  for (auto _ : state) {
    benchmark::DoNotOptimize(multiply_base(s));
  }
}
BENCHMARK(point_multiply_base);

void pedersen_commit(benchmark::State& state) {
  const auto m = static_cast<std::size_t>(state.range(0));
  const Bases bases(random_point(), m);
  const SecretScalar r = SecretScalar::random(system_random());
  std::vector<SecretScalar> u;
  for (std::size_t k = 0; k < m; ++k) {
    u.push_back(SecretScalar::random(system_random()));
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(commit(bases, u, r));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(pedersen_commit)->Arg(5)->Arg(100);

void pedersen_commit_bits(benchmark::State& state) {
  const auto m = static_cast<std::size_t>(state.range(0));
  const Bases bases(random_point(), m);
  const SecretScalar r = SecretScalar::random(system_random());
  const Bytes bits(m, 1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(commit_bits(bases, bits, r));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(pedersen_commit_bits)->Arg(5)->Arg(100);

void individual_evaluator_terms(benchmark::State& state) {
  LinearRelation relation;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    relation.own.push_back({random_scalar(), random_point()});
  }
  const IndividualEvaluator evaluator;
  for (auto _ : state) {
    benchmark::DoNotOptimize(evaluator.holds(relation));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(individual_evaluator_terms)->Arg(32);

void sha256_leaf(benchmark::State& state) {
  const Bytes entry(static_cast<std::size_t>(state.range(0)), 0x5a);
  for (auto _ : state) {
    benchmark::DoNotOptimize(merkle_leaf(entry));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(sha256_leaf)->Arg(64)->Arg(1200);

void small_log_prepare(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(SmallLog::prepare(1000000, 10));
  }
}
BENCHMARK(small_log_prepare)->Unit(benchmark::kMillisecond);

void small_log_find(benchmark::State& state) {
  const SmallLog log = SmallLog::prepare(1000000, 10).value();
  const Point total = Scalar::from_u64(987654) * Point::base();
  for (auto _ : state) {
    benchmark::DoNotOptimize(log.find_vartime(total));
  }
}
BENCHMARK(small_log_find)->Unit(benchmark::kMillisecond);

// A ballot of one contest, and a vote for it.
struct Shape {
  const char* name;
  ContestRule rule;
};
constexpr std::array kShapes = {
    Shape{.name = "1-of-2", .rule = {.options = 2, .range = 1, .min = 1, .max = 1}},
    Shape{.name = "1-of-5", .rule = {.options = 5, .range = 1, .min = 1, .max = 1}},
    Shape{.name = "1-of-18", .rule = {.options = 18, .range = 1, .min = 1, .max = 1}},
    Shape{.name = "3-of-12", .rule = {.options = 12, .range = 1, .min = 3, .max = 3}},
    Shape{.name = "approval-40", .rule = {.options = 40, .range = 1, .min = 0, .max = 40}},
    Shape{.name = "score-0..10-x10", .rule = {.options = 10, .range = 10, .min = 0, .max = 100}},
    Shape{.name = "1-of-545", .rule = {.options = 545, .range = 1, .min = 1, .max = 1}},
};

struct Voter {
  SecretScalar sk;
  Point pk;
  BallotContext context;

  explicit Voter(const Shape& shape)
      : sk(SecretScalar::random(system_random())),
        pk(multiply_base(sk)),
        context{.election_id = {},
                .style = 0,
                .form = BallotForm::compile({&shape.rule, 1}).value(),
                .bases = nullptr} {
    context.bases = std::make_shared<const Bases>(random_point(), context.form.num_bits());
  }

  [[nodiscard]] BallotOpening vote() const {
    const ContestRule& rule = context.form.contests().front();
    std::vector<std::uint32_t> votes(rule.options);
    for (std::uint32_t j = 0; j < rule.min; ++j) {
      votes[j] = 1;
    }
    return encrypt(context, pk, 0, SecretVotes(votes), system_random()).value();
  }
};

void ballot_encrypt(benchmark::State& state, const Shape& shape) {
  const Voter voter(shape);
  for (auto _ : state) {
    benchmark::DoNotOptimize(voter.vote());
  }
}

void ballot_prove(benchmark::State& state, const Shape& shape) {
  const Voter voter(shape);
  const BallotOpening opening = voter.vote();
  for (auto _ : state) {
    benchmark::DoNotOptimize(prove(voter.context, opening, voter.sk, system_random()));
  }
}

// Decoding and all checks, one ballot at a time.
void ballot_verify(benchmark::State& state, const Shape& shape) {
  const Voter voter(shape);
  const BallotOpening opening = voter.vote();
  const BallotForm& form = voter.context.form;
  const Bytes ciphertexts = encode_all(opening.ballot.ciphertexts);
  Writer out;
  prove(voter.context, opening, voter.sk, system_random())->encode(out);
  const IndividualEvaluator evaluator;
  for (auto _ : state) {
    Reader ciphertexts_in(ciphertexts);
    Reader proof_in(out.bytes());
    const EncryptedBallot ballot{.credential = voter.pk,
                                 .sequence = 0,
                                 .ciphertexts = decode_ciphertexts(ciphertexts_in, form).value()};
    const BallotProof proof = BallotProof::decode(proof_in, form).value();
    if (!failing_checks(voter.context, ballot, proof, evaluator).empty()) {
      state.SkipWithError("the proof does not verify");
      break;
    }
  }
  state.counters["bytes"] = static_cast<double>(form.ciphertexts_size() + form.proof_size());
}

// What a batch verifier pays for each ballot before its one large sum: decoding and challenges.
void ballot_state_equations(benchmark::State& state, const Shape& shape) {
  const Voter voter(shape);
  const BallotOpening opening = voter.vote();
  const BallotProof proof = prove(voter.context, opening, voter.sk, system_random()).value();
  for (auto _ : state) {
    benchmark::DoNotOptimize(equations(voter.context, opening.ballot, proof));
  }
}

const bool kRegistered = [] {
  using Run = void (*)(benchmark::State&, const Shape&);
  const std::array<std::pair<const char*, Run>, 4> runs = {
      {{"ballot_encrypt", ballot_encrypt},
       {"ballot_prove", ballot_prove},
       {"ballot_verify", ballot_verify},
       {"ballot_state_equations", ballot_state_equations}}};
  for (const auto& [name, run] : runs) {
    for (const Shape& shape : kShapes) {
      benchmark::RegisterBenchmark((std::string(name) + '/' + shape.name).c_str(), run, shape)
          ->Unit(benchmark::kMillisecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace psephos::crypto
