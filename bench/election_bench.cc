// The phases of an election, each as a whole operation of the library: 1 of 5, one registrar,
// 3072-bit credentials, three trustees of whom two are needed.
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "psephos/protocol/record_log_store.h"
#include "psephos/protocol/verify.h"

#include "tests/record/forge.h"

namespace psephos {
namespace {

constexpr std::string_view kManifest = R"({
  "psephos": "manifest/v1", "title": "Bench", "origin": "bench.example/1of5",
  "opens": "2026-01-01T08:00:00Z", "closes": "2026-01-01T18:00:00Z",
  "contests": [{ "id": "q", "title": "Q", "type": "choose",
                 "options": ["A", "B", "C", "D", "E"], "min": 1, "max": 1 }],
  "styles": [{ "id": "s", "contests": ["q"] }],
  "trustees": { "names": ["A", "B", "C"], "threshold": 2 },
  "registrars": { "names": ["R"], "rsa_bits": 3072 },
  "box": { "shards": 1, "revote": "last", "challenges": 1 },
  "tally": { "minimum": 1, "by": "election" },
  "voters": 1000000
})";
constexpr std::size_t kBallots = 64;

// One closed election with kBallots ballots, made once.
test::Forge& election() {
  static const auto forge = [] {
    auto made = std::make_unique<test::Forge>(kManifest);
    for (std::size_t i = 0; i < kBallots; ++i) {
      auto wallet = made->enrol();
      made->put(made->cast(wallet, {std::to_string(1 + i % 5)}));
    }
    made->close();
    return made;
  }();
  return *forge;
}

void BM_KeyCeremonyAndOpening(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(std::make_unique<test::Forge>(kManifest));
  }
}
BENCHMARK(BM_KeyCeremonyAndOpening)->Unit(benchmark::kMillisecond)->Iterations(3);

void BM_Enrol(benchmark::State& state) {
  // Blinding, the registrar's signature and log entry, unblinding.
  for (auto _ : state) {
    benchmark::DoNotOptimize(election().enrol());
  }
}
BENCHMARK(BM_Enrol)->Unit(benchmark::kMillisecond);

void BM_EncryptAndCast(benchmark::State& state) {
  auto wallet = election().enrol();
  for (auto _ : state) {
    benchmark::DoNotOptimize(election().cast(wallet, {"2"}));
  }
}
BENCHMARK(BM_EncryptAndCast)->Unit(benchmark::kMillisecond);

void BM_BoxAccept(benchmark::State& state) {
  // A batch into an empty box: decoding, credentials, proofs, log, checkpoint. Time for the batch.
  protocol::SerialExecutor serial;
  for (auto _ : state) {
    state.PauseTiming();
    auto empty = election().boxes;
    std::swap(empty, election().boxes);
    const std::vector<Bytes> batch = empty[0];
    election().boxes[0].clear();
    test::MemoryStore store(election().publish());
    election().boxes = empty;
    protocol::RecordLogStore logs(store, *election().election);
    auto box = test::value(protocol::Box::open(election().election, logs, *election().box_keys,
                                               protocol::all_shards(*election().manifest)));
    state.ResumeTiming();
    benchmark::DoNotOptimize(protocol::accept(box, *election().election, logs, batch,
                                              election().evaluator, serial, election().random));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBallots));
}
BENCHMARK(BM_BoxAccept)->Unit(benchmark::kMillisecond);

void BM_AuditBeforeTally(benchmark::State& state) {
  const test::MemoryStore store(election().publish());
  protocol::SerialExecutor serial;
  for (auto _ : state) {
    benchmark::DoNotOptimize(protocol::audit_ballots({.record = store,
                                                      .evaluator = election().evaluator,
                                                      .executor = serial,
                                                      .receipts = {},
                                                      .checkpoints = {},
                                                      .progress = {}}));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBallots));
}
BENCHMARK(BM_AuditBeforeTally)->Unit(benchmark::kMillisecond);

void BM_TallyDecryptResult(benchmark::State& state) {
  // Includes the audit that comes before: finish() does what the committee does.
  const auto main = election().main;
  for (auto _ : state) {
    election().finish({1, 2});
    state.PauseTiming();
    election().main = main;
    state.ResumeTiming();
  }
}
BENCHMARK(BM_TallyDecryptResult)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace psephos
