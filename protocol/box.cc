#include "psephos/protocol/box.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "psephos/protocol/log_reader.h"

#include "protocol/log_signer.h"
#include "protocol/secret_io.h"

namespace psephos::protocol {

namespace {

constexpr std::uint32_t kMaxShards = 256;

// shuffled returns 0 … count − 1 in a uniformly random order (Fisher–Yates).
std::vector<std::size_t> shuffled(std::size_t count, Random& random) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = count; i > 1; --i) {
    std::swap(order[i - 1], order[random.below(i)]);
  }
  return order;
}

// An entry of a batch, judged alone.
using Judged = std::expected<BoxEntry, Fault>;

// Judges the batch in parts, so that every core has work and a part's equations are judged
// together.
std::vector<Judged> judge(std::span<const Bytes> batch, const Election& election,
                          const crypto::Evaluator& evaluator, Executor& executor) {
  constexpr std::size_t kMostTogether = 1024;
  const std::size_t part = std::clamp<std::size_t>(
      (batch.size() + executor.concurrency() - 1) / executor.concurrency(), 1, kMostTogether);
  const std::size_t num_parts = (batch.size() + part - 1) / part;
  std::vector<std::vector<JudgedEntry>> parts(num_parts);
  executor.run(num_parts, [&](std::size_t i) {
    const std::span<const Bytes> entries =
        batch.subspan(i * part, std::min(part, batch.size() - i * part));
    parts[i] = judge_box_entries(election, std::vector<ByteView>(entries.begin(), entries.end()),
                                 evaluator);
  });
  std::vector<Judged> judged;
  for (std::vector<JudgedEntry>& entries : parts) {
    for (JudgedEntry& entry : entries) {
      if (entry.faults.empty()) {
        judged.emplace_back(std::move(*entry.entry));
      } else {
        judged.emplace_back(std::unexpected(std::move(entry.faults.front())));
      }
    }
  }
  return judged;
}

// fold takes every entry of a published log.
Result<void> fold(BoxState& state, const LogReader& reader, const Election& election) {
  for (std::uint64_t i = 0; i < reader.num_bundles(); ++i) {
    PSEPHOS_TRY(const LogReader::Bundle bundle, reader.bundle(i));
    for (std::size_t k = 0; k < bundle.entries.size(); ++k) {
      const std::uint64_t index = bundle.first + k;
      const std::string place = entry_place(reader.log(), index);
      PSEPHOS_TRY(const ByteView payload, payload_of(bundle.entries[k]));
      const auto entry = decode_box_entry(payload, election);
      if (!entry.has_value()) {
        return fail(Errc::rejected, place + ": " + entry.error().message);
      }
      if (auto taken = state.append(index, credential_use(election.manifest(), *entry));
          !taken.has_value()) {
        taken.error().place = place;
        return std::unexpected(to_error(taken.error()));
      }
    }
  }
  return {};
}

}  // namespace

BoxKeys BoxKeys::create(const Manifest& manifest, Random& random) {
  std::vector<crypto::Ed25519SecretKey> keys;
  keys.reserve(manifest.shards);
  for (std::uint32_t shard = 0; shard < manifest.shards; ++shard) {
    keys.push_back(crypto::Ed25519SecretKey::random(random));
  }
  return {manifest.digest, std::move(keys)};
}

Result<BoxKeys> BoxKeys::load(const SecretBuffer& content) {
  SecretReader in(content);
  PSEPHOS_TRY(const Digest32 manifest_digest, in.digest("manifest digest"));
  PSEPHOS_TRY(const std::uint32_t num_keys, in.u32("number of keys"));
  if (num_keys > kMaxShards) {
    return fail(Errc::malformed, "box key file: too many keys");
  }
  std::vector<crypto::Ed25519SecretKey> keys;
  keys.reserve(num_keys);
  for (std::uint32_t shard = 0; shard < num_keys; ++shard) {
    PSEPHOS_TRY(const SecretBytes<32> seed, in.secret<32>("log key"));
    keys.push_back(crypto::Ed25519SecretKey::from_seed(seed));
  }
  PSEPHOS_TRY(const std::optional<Digest32> election, in.optional_digest("election id"));
  PSEPHOS_CHECK_OK(in.finish("box key file"));
  BoxKeys result(manifest_digest, std::move(keys));
  result.election_ = election;
  return result;
}

SecretBuffer BoxKeys::save() const {
  SecretWriter out;
  out.raw(manifest_digest_).u32(static_cast<std::uint32_t>(keys_.size()));
  for (const crypto::Ed25519SecretKey& key : keys_) {
    out.raw(key.expose_secret_seed());
  }
  out.optional_digest(election_);
  return std::move(out).take();
}

Result<void> BoxKeys::start(const Election& election) {
  if (manifest_digest_ != election.manifest().digest ||
      public_keys() != election.opening().box_logs) {
    return fail(Errc::misuse, "these box keys are not those that the election's opening lists");
  }
  if (election_.has_value() && *election_ != election.id()) {
    return fail(Errc::misuse, "these box keys serve another election of this manifest, " +
                                  hex(*election_) + "; find out why there are two openings");
  }
  election_ = election.id();
  return {};
}

Result<void> BoxKeys::serves(const Election& election) const {
  if (election_ != election.id()) {
    return fail(Errc::misuse, "these box keys have not been started for this election");
  }
  return {};
}

std::vector<crypto::Ed25519PublicKey> BoxKeys::public_keys() const {
  std::vector<crypto::Ed25519PublicKey> keys;
  keys.reserve(keys_.size());
  for (const crypto::Ed25519SecretKey& key : keys_) {
    keys.push_back(key.public_key());
  }
  return keys;
}

Result<std::shared_ptr<const crypto::NoteSigner>> BoxKeys::log_signer(const Manifest& manifest,
                                                                      std::uint32_t shard) const {
  if (manifest_digest_ != manifest.digest || keys_.size() != manifest.shards) {
    return fail(Errc::misuse, "these box keys were made for another election");
  }
  if (shard >= keys_.size()) {
    return fail(Errc::misuse, "shard " + std::to_string(shard) + ": the box has only " +
                                  std::to_string(keys_.size()));
  }
  return make_log_signer(manifest.log_origin(Manifest::box_log(shard)), keys_[shard]);
}

Result<Box> Box::open(std::shared_ptr<const Election> election, RecordStore& store,
                      const BoxKeys& keys, const crypto::Evaluator& evaluator) {
  const Manifest& manifest = election->manifest();
  PSEPHOS_CHECK_OK(keys.serves(*election));
  Box box;
  box.store_ = &store;
  box.evaluator_ = &evaluator;
  for (std::uint32_t shard = 0; shard < manifest.shards; ++shard) {
    const std::string log = Manifest::box_log(shard);
    PSEPHOS_TRY(auto signer, keys.log_signer(manifest, shard));
    PSEPHOS_TRY(LogWriter writer, LogWriter::open(store, log, std::move(signer)));
    PSEPHOS_TRY(const LogReader reader, LogReader::open(store, log, manifest.log_origin(log)));
    auto state = std::make_unique<BoxState>(manifest, shard);
    PSEPHOS_CHECK_OK(fold(*state, reader, *election));
    box.shards_.push_back({.state = std::move(state), .log = std::move(writer)});
  }
  box.election_ = std::move(election);
  return box;
}

Result<std::vector<Box::Outcome>> Box::accept(std::span<const Bytes> batch, Executor& executor,
                                              Random& random) {
  if (broken_) {
    return fail(Errc::misuse, "an earlier batch could not be stored: open the box again");
  }
  const std::vector<Judged> judged = judge(batch, *election_, *evaluator_, executor);

  // Until the end something may be in the logs and the states that is not in the store.
  broken_ = true;
  std::vector<std::optional<Outcome>> outcomes(batch.size());
  std::map<Place, std::size_t> taken;  // of this batch: place in the logs, position in the batch
  for (const std::size_t i : shuffled(batch.size(), random)) {
    if (!judged[i].has_value()) {
      outcomes[i].emplace(std::unexpected(judged[i].error()));
      continue;
    }
    const CredentialUse use = credential_use(election_->manifest(), *judged[i]);
    const std::uint32_t number = shard_of(use.pk, election_->manifest().shards);
    Shard& shard = shards_[number];

    // A client that lost the answer sends the same entry again, and gets the same answer.
    if (const auto index = shard.state->find_like(use)) {
      const auto here = taken.find({number, *index});
      PSEPHOS_TRY(const Bytes before, here != taken.end() ? Result<Bytes>(batch[here->second])
                                                          : published(number, *index));
      if (before == batch[i]) {
        outcomes[i].emplace(Accepted{.shard = number, .index = *index});
        continue;
      }
    }
    const std::uint64_t index = shard.log.size();
    if (auto fit = shard.state->append(index, use); !fit.has_value()) {
      outcomes[i].emplace(std::unexpected(std::move(fit.error())));
      continue;
    }
    PSEPHOS_CHECK_OK(shard.log.append(batch[i]));
    taken.emplace(Place(number, index), i);
    outcomes[i].emplace(Accepted{.shard = number, .index = index});
  }
  // `taken` is in the order of shards.
  for (auto next = taken.begin(); next != taken.end();) {
    const std::uint32_t number = next->first.first;
    PSEPHOS_CHECK_OK(shards_[number].log.publish());
    next = taken.lower_bound({number + 1, 0});
  }
  broken_ = false;

  std::vector<Outcome> result;
  result.reserve(outcomes.size());
  for (std::optional<Outcome>& outcome : outcomes) {
    result.push_back(std::move(*outcome));
  }
  return result;
}

Result<Bytes> Box::published(std::uint32_t shard, std::uint64_t index) const {
  const std::string log = Manifest::box_log(shard);
  PSEPHOS_TRY(const LogReader reader,
              LogReader::open(*store_, log, election_->manifest().log_origin(log)));
  PSEPHOS_TRY(const Bytes entry, reader.entry(index));
  PSEPHOS_TRY(const ByteView payload, payload_of(entry));
  return Bytes(payload.begin(), payload.end());
}

Result<std::string> Box::receipt(const Accepted& accepted) const {
  if (accepted.shard >= shards_.size()) {
    return fail(Errc::misuse, "shard " + std::to_string(accepted.shard) + ": the box has only " +
                                  std::to_string(shards_.size()));
  }
  const std::string log = Manifest::box_log(accepted.shard);
  PSEPHOS_TRY(const LogReader reader,
              LogReader::open(*store_, log, election_->manifest().log_origin(log)));
  PSEPHOS_TRY(const crypto::LogProof proof, reader.proof(accepted.index));
  return proof.print();
}

}  // namespace psephos::protocol
