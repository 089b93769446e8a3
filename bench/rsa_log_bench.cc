// Credentials (blind RSA), the log's Merkle tree, and sealed files. Key generation is excluded.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "psephos/crypto/batch_evaluator.h"
#include "psephos/crypto/blind_rsa_client.h"
#include "psephos/crypto/blind_rsa_signer.h"
#include "psephos/crypto/key_file.h"
#include "psephos/crypto/merkle.h"
#include "psephos/crypto/tile.h"

namespace {

using namespace psephos;
using namespace psephos::crypto;

constexpr BlindRsaVariant kVariant = BlindRsaVariant::sha384_pss_randomized;

// One credential from prefix to signature.
struct Issuance {
  explicit Issuance(std::size_t bits) : key(RsaSecretKey::generate(bits).value()) {
    input = prepare(kVariant, as_bytes(std::string(113, 'm')), random);
    blinded = blind(key.public_key(), kVariant, input, random).value();
    answer = key.blind_sign(blinded.blinded_message).value();
    signature = finalize(key.public_key(), kVariant, input, answer, blinded.inverse).value();
  }

  SystemRandom random;
  RsaSecretKey key;
  Bytes input;
  BlindedMessage blinded;
  Bytes answer;
  Bytes signature;
};

Issuance& issuance(const benchmark::State& state) {
  static std::map<std::int64_t, Issuance> made;
  const auto bits = state.range(0);
  return made.try_emplace(bits, static_cast<std::size_t>(bits)).first->second;
}

void rsa_blind(benchmark::State& state) {
  Issuance& with = issuance(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(blind(with.key.public_key(), kVariant, with.input, with.random));
  }
}
BENCHMARK(rsa_blind)->Arg(2048)->Arg(3072)->Arg(4096)->Unit(benchmark::kMicrosecond);

void rsa_blind_sign(benchmark::State& state) {
  const Issuance& with = issuance(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(with.key.blind_sign(with.blinded.blinded_message));
  }
}
BENCHMARK(rsa_blind_sign)->Arg(2048)->Arg(3072)->Arg(4096)->Unit(benchmark::kMicrosecond);

void rsa_finalize(benchmark::State& state) {
  const Issuance& with = issuance(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        finalize(with.key.public_key(), kVariant, with.input, with.answer, with.blinded.inverse));
  }
}
BENCHMARK(rsa_finalize)->Arg(2048)->Arg(3072)->Arg(4096)->Unit(benchmark::kMicrosecond);

void rsa_verify(benchmark::State& state) {
  const Issuance& with = issuance(state);
  const RsaPublicKey& key = with.key.public_key();
  for (auto _ : state) {
    if (!key.verify(kVariant, with.input, with.signature).has_value()) {
      state.SkipWithError("does not verify");
    }
  }
  state.counters["verifications"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(rsa_verify)->Arg(2048)->Arg(3072)->Arg(4096)->Unit(benchmark::kMicrosecond);
BENCHMARK(rsa_verify)->Arg(3072)->Threads(2)->UseRealTime()->Unit(benchmark::kMicrosecond);

// Many signatures under one key: one after another, and eight at once.
void rsa_verify_many(benchmark::State& state, bool ifma) {
  const Issuance& with = issuance(state);
  const RsaPublicKey& key = with.key.public_key();
  const std::vector<RsaPublicKey::Signed> many(256, {with.input, with.signature});
  for (auto _ : state) {
    if (!key.failing(kVariant, many, ifma).empty()) {
      state.SkipWithError("does not verify");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(many.size()));
}
BENCHMARK_CAPTURE(rsa_verify_many, openssl, false)->Arg(3072)->Unit(benchmark::kMicrosecond);
const bool kHasIfma = [] {
  const bool has = is_supported(CurveBackend::ifma);
  if (has) {
    benchmark::RegisterBenchmark("rsa_verify_many/ifma", rsa_verify_many, true)
        ->Arg(3072)
        ->Unit(benchmark::kMicrosecond);
  }
  return has;
}();

void merkle_append(benchmark::State& state) {
  const Bytes entry(static_cast<std::size_t>(state.range(0)), 7);
  MerkleFrontier frontier;
  for (auto _ : state) {
    frontier.append(merkle_leaf(entry));
  }
  benchmark::DoNotOptimize(frontier.head());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(merkle_append)->Arg(100)->Arg(1500);

// A log of this many entries in tiles, held in memory.
class TiledLog {
 public:
  explicit TiledLog(std::uint64_t size) {
    TileStream stream([this](unsigned level, const TileId& id, ByteView hashes) -> Result<void> {
      files_[tile_path(level, id)] = Bytes(hashes.begin(), hashes.end());
      return {};
    });
    for (std::uint64_t i = 0; i < size; ++i) {
      leaves.push_back(merkle_leaf(as_bytes(std::to_string(i))));
      stream.append(leaves.back()).value();
    }
    stream.partials().value();
    nodes = nodes_from_tiles(size, [this](unsigned level, const TileId& id) -> Result<Bytes> {
      return files_.at(tile_path(level, id));
    });
    head = {size, root_of(size, nodes).value()};
  }
  TiledLog(const TiledLog&) = delete;
  TiledLog& operator=(const TiledLog&) = delete;

  std::vector<Digest32> leaves;
  NodeReader nodes;
  TreeHead head;

 private:
  std::map<std::string, Bytes> files_;
};

const TiledLog& tiled_log() {
  static const TiledLog log(100'003);
  return log;
}

void merkle_inclusion_proof(benchmark::State& state) {
  const TiledLog& log = tiled_log();
  std::uint64_t index = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(inclusion_proof(index, log.head.size, log.nodes));
    index = (index + 7919) % log.head.size;
  }
}
BENCHMARK(merkle_inclusion_proof)->Unit(benchmark::kMicrosecond);

void merkle_verify_inclusion(benchmark::State& state) {
  const TiledLog& log = tiled_log();
  const std::uint64_t index = 12345;
  const auto proof = inclusion_proof(index, log.head.size, log.nodes).value();
  for (auto _ : state) {
    if (!verify_inclusion(index, log.leaves[index], log.head, proof).has_value()) {
      state.SkipWithError("does not verify");
    }
  }
}
BENCHMARK(merkle_verify_inclusion)->Unit(benchmark::kMicrosecond);

void seal_file_moderate(benchmark::State& state) {
  SystemRandom random;
  const SecretBuffer content(1000);
  const SecretBuffer password(as_bytes("correct horse battery staple"));
  for (auto _ : state) {
    benchmark::DoNotOptimize(seal_file("bench", content, password, PasswordCost::moderate, random));
  }
}
BENCHMARK(seal_file_moderate)->Unit(benchmark::kMillisecond);

}  // namespace
