// The batch verifier's arithmetic, each back end beside the one-by-one evaluator: products in the
// field, points decoded, sums of points, ballots. Rates count the thing named. Run all in one go:
// only ratios within one run mean anything. A ballot's floor is the time of the products in the
// field that it cannot do without.

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <functional>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "psephos/crypto/batch_evaluator.h"

#include "bench/shapes.h"
#include "crypto/vartime/msm.h"

namespace psephos::crypto {
namespace {

using bench::random_point;
using bench::random_scalar;
using bench::Shape;
using bench::system_random;
using bench::Voter;

void field_product(benchmark::State& state, const vartime::Backend& backend) {
  constexpr std::size_t kTimes = 1000;
  const vartime::Limbs a = {{1, 2, 3, 4, 5}};
  vartime::Limbs result;
  for (auto _ : state) {
    backend.multiply_repeatedly(a, kTimes, &result);
    benchmark::DoNotOptimize(result);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kTimes) *
                          vartime::kIndependentProducts * backend.lanes);
}

double processor_seconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// The time of a product in one lane, the least of many.
double product_seconds(const vartime::Backend& backend) {
  constexpr std::size_t kTimes = 10'000;
  const vartime::Limbs a = {{1, 2, 3, 4, 5}};
  vartime::Limbs result;
  double least = 1;
  for (int i = 0; i < 50; ++i) {
    const double start = processor_seconds();
    backend.multiply_repeatedly(a, kTimes, &result);
    benchmark::DoNotOptimize(result);
    least = std::min(least, processor_seconds() - start);
  }
  return least / static_cast<double>(kTimes * vartime::kIndependentProducts * backend.lanes);
}

// One of the evaluators; no back end: one by one.
struct Judge {
  const char* name;
  const Evaluator* evaluator;
  const vartime::Backend* backend;
  double product_seconds;
};

// The products in the field that decoding so many points and judging these relations takes: 292 for
// a point's square root and the formulas around it, 7 to add a term to a bucket in each window that
// its scalar reaches.
double products_needed(const vartime::Backend& backend, std::size_t points,
                       std::span<const LinearRelation> relations) {
  constexpr unsigned kWeightBits = 128;
  std::size_t weighted = 0;
  std::size_t multiplied = 0;
  for (const LinearRelation& relation : relations) {
    for (const LinearRelation::Own& term : relation.own) {
      const bool bare = term.scalar == Scalar::one() || term.scalar == -Scalar::one();
      ++(bare ? weighted : multiplied);
    }
  }
  const unsigned window_bits =
      vartime::plan_msm(backend, weighted + multiplied,
                        weighted * kWeightBits + multiplied * vartime::kMagnitudeBits)
          .window_bits;
  return 292.0 * static_cast<double>(points) +
         7.0 * static_cast<double>(weighted * vartime::num_windows(window_bits, kWeightBits) +
                                   multiplied * vartime::num_windows(window_bits));
}

void point_decode(benchmark::State& state, const vartime::Backend& backend) {
  constexpr std::size_t kPoints = 4096;
  Bytes encodings;
  for (std::size_t i = 0; i < kPoints; ++i) {
    const Point point = random_point();
    encodings.insert(encodings.end(), point.bytes().begin(), point.bytes().end());
  }
  std::vector<vartime::AffinePoint> points(kPoints);
  std::vector<std::uint8_t> valid(kPoints);
  for (auto _ : state) {
    backend.decode(encodings.data(), kPoints, points.data(), valid.data());
    benchmark::DoNotOptimize(points.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kPoints));
}

void point_decode_libsodium(benchmark::State& state) {
  const Point p = random_point();
  for (auto _ : state) {
    benchmark::DoNotOptimize(Point::decode(p.bytes(), Identity::refused));
  }
  state.SetItemsProcessed(state.iterations());
}

void sum(benchmark::State& state, const vartime::Backend& backend) {
  const auto size = static_cast<std::size_t>(state.range(0));
  constexpr std::size_t kDistinct = 256;
  std::vector<vartime::AffinePoint> points(kDistinct);
  std::vector<SignedScalar> scalars(kDistinct);
  for (std::size_t i = 0; i < kDistinct; ++i) {
    const Point point = random_point();
    std::uint8_t valid = 0;
    backend.decode(point.bytes().data(), 1, &points[i], &valid);
    scalars[i] = to_signed_vartime(ScalarAccess::words(random_scalar()));
  }
  vartime::Msm msm(backend);
  for (std::size_t i = 0; i < size; ++i) {
    msm.add(scalars[(i + i / kDistinct) % kDistinct], points[i % kDistinct].x.l);
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(msm.sum_vartime());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void sum_libsodium(benchmark::State& state) {
  const Scalar s = random_scalar();
  const Point p = random_point();
  Point total;
  for (auto _ : state) {
    benchmark::DoNotOptimize(total = total + s * p);
  }
  state.SetItemsProcessed(state.iterations());
}

// Decoding, challenges and equations of many ballots: what is left of a verification without
// credentials, hashes and files.
void ballots(benchmark::State& state, const Shape& shape, const Judge& judge, std::size_t at_once) {
  const Evaluator& evaluator = *judge.evaluator;
  const Voter voter(shape);
  constexpr std::size_t kDistinct = 16;
  struct Encoded {
    Bytes ciphertexts;
    Bytes proof;
  };
  std::vector<Encoded> encoded;
  for (std::size_t i = 0; i < std::min(kDistinct, at_once); ++i) {
    const BallotOpening opening = voter.vote();
    Writer out;
    prove(voter.context, opening, voter.sk, system_random())->encode(out);
    encoded.push_back({encode_all(opening.ballot.ciphertexts), out.bytes()});
  }
  double products = 0;
  const double start = processor_seconds();
  for (auto _ : state) {
    struct Decoded {
      EncryptedBallot ballot;
      BallotProof proof;
    };
    std::vector<Decoded> decoded(at_once);
    std::vector<Point*> points;
    for (std::size_t i = 0; i < at_once; ++i) {
      const Encoded& from = encoded[i % encoded.size()];
      Reader ciphertexts_in(from.ciphertexts, Reader::Points::later);
      Reader proof_in(from.proof, Reader::Points::later);
      EncryptedBallot& ballot = decoded[i].ballot;
      BallotProof& proof = decoded[i].proof;
      ballot.credential = voter.pk;
      ballot.ciphertexts = decode_ciphertexts(ciphertexts_in, voter.context.form).value();
      proof = BallotProof::decode(proof_in, voter.context.form).value();
      points.push_back(&ballot.credential);
      for (Ciphertext& c : ballot.ciphertexts) {
        points.insert(points.end(), {&c.alpha, &c.beta});
      }
      points.insert(points.end(), {&proof.B, &proof.A, &proof.C, &proof.D, &proof.E_alpha,
                                   &proof.E_beta, &proof.R});
    }
    bool good = evaluator.not_elements(points).empty();
    std::vector<LinearRelation> relations;
    for (const Decoded& one : decoded) {
      auto stated = equations(voter.context, one.ballot, one.proof).value();
      good = good && stated.constraint_holds;
      std::ranges::move(stated.relations, std::back_inserter(relations));
    }
    if (!good || !evaluator.failing(voter.context.bases->points(), relations).empty()) {
      state.SkipWithError("a ballot does not verify");
      break;
    }
    if (judge.backend != nullptr && products == 0) {
      state.PauseTiming();
      products = products_needed(*judge.backend, points.size(), relations);
      state.ResumeTiming();
    }
  }
  if (judge.backend != nullptr) {
    const double seconds = (processor_seconds() - start) / static_cast<double>(state.iterations());
    const double floor = products * judge.product_seconds;
    state.counters["floor_us"] = 1e6 * floor / static_cast<double>(at_once);
    state.counters["times_floor"] = seconds / floor;
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(at_once));
}

const bool kRegistered = [] {
  static const IndividualEvaluator individually;
  static std::vector<std::unique_ptr<BatchEvaluator>> batched;
  static std::vector<Judge> judges = {{"individually", &individually, nullptr, 0}};
  for (const auto& [curve, backend] : {
           std::pair{CurveBackend::portable, &vartime::kPortable},
#ifdef __x86_64__
           std::pair{CurveBackend::avx2, &vartime::kAvx2},
           std::pair{CurveBackend::ifma, &vartime::kIfma},
#endif
       }) {
    if (is_supported(curve)) {
      batched.push_back(std::make_unique<BatchEvaluator>(system_random(), curve));
      judges.push_back(
          {name(curve).data(), batched.back().get(), backend, product_seconds(*backend)});
    }
  }
  benchmark::RegisterBenchmark("point_decode/libsodium", point_decode_libsodium);
  benchmark::RegisterBenchmark("sum/libsodium", sum_libsodium);
  for (const Judge& judge : judges) {
    if (judge.backend == nullptr) {
      continue;
    }
    const std::string suffix = std::string("/") + judge.name;
    benchmark::RegisterBenchmark(("field_product" + suffix).c_str(), field_product,
                                 std::cref(*judge.backend));
    benchmark::RegisterBenchmark(("point_decode" + suffix).c_str(), point_decode,
                                 std::cref(*judge.backend));
    benchmark::RegisterBenchmark(("sum" + suffix).c_str(), sum, std::cref(*judge.backend))
        ->RangeMultiplier(4)
        ->Range(1 << 4, 1 << 20);
  }
  for (const Shape& shape : bench::kShapes) {
    for (const Judge& judge : judges) {
      const std::size_t at_once = judge.backend == nullptr   ? 4
                                  : shape.rule.options > 100 ? 64
                                                             : 2048;
      benchmark::RegisterBenchmark(
          (std::string("ballots/") + shape.name + "/" + judge.name).c_str(), ballots, shape,
          std::cref(judge), at_once)
          ->Unit(benchmark::kMillisecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace psephos::crypto
