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
#include "psephos/crypto/multiplier.h"
#include "psephos/crypto/pedersen.h"
#include "psephos/crypto/relation.h"
#include "psephos/crypto/small_log.h"

#include "bench/shapes.h"

namespace psephos::crypto {
namespace {

using bench::random_point;
using bench::random_scalar;
using bench::Shape;
using bench::system_random;
using bench::Voter;

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

void table_multiplier_prepare(benchmark::State& state) {
  const Bases bases(random_point(), static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(TableMultiplier(bases));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(bases.points().size()));
}
BENCHMARK(table_multiplier_prepare)->Arg(5)->Unit(benchmark::kMillisecond);

void encrypt_with(benchmark::State& state, const Voter& voter, const Multiplier& multiplier) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(voter.vote(multiplier));
  }
}
void ballot_encrypt(benchmark::State& state, const Shape& shape) {
  encrypt_with(state, Voter(shape), SodiumMultiplier());
}
void ballot_encrypt_tables(benchmark::State& state, const Shape& shape) {
  const Voter voter(shape);
  encrypt_with(state, voter, TableMultiplier(*voter.context.bases));
}

void prove_with(benchmark::State& state, const Voter& voter, const Multiplier& multiplier) {
  const BallotOpening opening = voter.vote();
  for (auto _ : state) {
    benchmark::DoNotOptimize(prove(voter.context, opening, voter.sk, system_random(), multiplier));
  }
}
void ballot_prove(benchmark::State& state, const Shape& shape) {
  prove_with(state, Voter(shape), SodiumMultiplier());
}
void ballot_prove_tables(benchmark::State& state, const Shape& shape) {
  const Voter voter(shape);
  prove_with(state, voter, TableMultiplier(*voter.context.bases));
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
  const std::array<std::pair<const char*, Run>, 6> runs = {
      {{"ballot_encrypt", ballot_encrypt},
       {"ballot_encrypt_tables", ballot_encrypt_tables},
       {"ballot_prove", ballot_prove},
       {"ballot_prove_tables", ballot_prove_tables},
       {"ballot_verify", ballot_verify},
       {"ballot_state_equations", ballot_state_equations}}};
  for (const auto& [name, run] : runs) {
    for (const Shape& shape : bench::kShapes) {
      benchmark::RegisterBenchmark((std::string(name) + '/' + shape.name).c_str(), run, shape)
          ->Unit(benchmark::kMillisecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace psephos::crypto
