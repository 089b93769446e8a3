#include "psephos/protocol/box.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <utility>

#include "psephos/codec.h"
#include "psephos/crypto/hash.h"
#include "psephos/protocol/log_reader.h"

#include "protocol/labels.h"
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

Digest32 tracking_code_of(const Election& election, const BoxEntry& entry) {
  return tracking_code(election.id(), style_of(entry), encrypted_of(entry));
}

// What no two entries of a shard's log share: a credential's sequence, or the credential where it
// has one ballot only.
Bytes unique_key(const Manifest& manifest, const CredentialUse& use) {
  Writer out;
  out.raw(use.pk);
  if (!use.is_ballot || manifest.revote != Revote::first) {
    out.u32(use.sequence);
  }
  return std::move(out).take();
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

std::vector<std::uint32_t> all_shards(const Manifest& manifest) {
  std::vector<std::uint32_t> shards(manifest.shards);
  std::iota(shards.begin(), shards.end(), 0U);
  return shards;
}

Result<std::vector<LogBatch>> Box::empty_logs(const Election& election, const BoxKeys& keys,
                                              std::span<const std::uint32_t> shards) {
  PSEPHOS_CHECK_OK(keys.serves(election));
  std::vector<LogBatch> batches;
  for (const std::uint32_t shard : shards) {
    PSEPHOS_TRY(const auto signer, keys.log_signer(election.manifest(), shard));
    PSEPHOS_TRY(LogBatch batch, Log::create(Manifest::box_log(shard), *signer));
    batches.push_back(std::move(batch));
  }
  return batches;
}

Result<Box> Box::open(std::shared_ptr<const Election> election, const LogStore& store,
                      const BoxKeys& keys, std::span<const std::uint32_t> shards) {
  const Manifest& manifest = election->manifest();
  PSEPHOS_CHECK_OK(keys.serves(*election));
  if (shards.empty()) {
    return fail(Errc::misuse, "a box keeps one shard or more; name those of this one");
  }
  Box box;
  for (const std::uint32_t shard : shards) {
    const std::string name = Manifest::box_log(shard);
    PSEPHOS_TRY(auto signer, keys.log_signer(manifest, shard));
    auto state = std::make_unique<BoxState>(manifest, shard);
    const auto fold = [&](std::uint64_t index, ByteView payload) -> Result<void> {
      const auto entry = decode_box_entry(payload, *election);
      if (!entry.has_value()) {
        return fail(Errc::rejected, entry_place(name, index) + ": " + entry.error().message);
      }
      if (auto taken = state->append(index, credential_use(manifest, *entry)); !taken.has_value()) {
        taken.error().place = entry_place(name, index);
        return std::unexpected(to_error(taken.error()));
      }
      return {};
    };
    PSEPHOS_TRY(Log log, Log::open(store, name, std::move(signer), fold));
    box.shards_.emplace(shard, Shard{.state = std::move(state), .log = std::move(log)});
  }
  box.store_ = &store;
  box.election_ = std::move(election);
  return box;
}

std::vector<Box::Judged> Box::judge(const Election& election, std::span<const ByteView> batch,
                                    const crypto::Evaluator& evaluator) {
  std::vector<Judged> judged;
  judged.reserve(batch.size());
  for (JudgedEntry& entry : judge_box_entries(election, batch, evaluator)) {
    if (entry.faults.empty()) {
      judged.emplace_back(std::move(*entry.entry));
    } else {
      judged.emplace_back(std::unexpected(std::move(entry.faults.front())));
    }
  }
  return judged;
}

Result<Box::Decision> Box::decide(std::span<const Bytes> batch, std::span<const Judged> judged,
                                  Random& random) {
  if (pending_) {
    return fail(Errc::misuse, "an earlier batch was not committed: open the box again");
  }
  if (batch.size() != judged.size()) {
    return fail(Errc::misuse, "not every entry of the batch was judged");
  }
  pending_ = true;
  const Manifest& manifest = election_->manifest();
  std::vector<std::optional<Outcome>> outcomes(batch.size());
  std::map<Place, std::size_t> taken;  // of this batch: place in the logs, position in the batch
  for (const std::size_t i : shuffled(batch.size(), random)) {
    if (!judged[i].has_value()) {
      outcomes[i].emplace(std::unexpected(judged[i].error()));
      continue;
    }
    const CredentialUse use = credential_use(manifest, *judged[i]);
    const std::uint32_t number = shard_of(use.pk, manifest.shards);
    const auto found = shards_.find(number);
    if (found == shards_.end()) {
      outcomes[i].emplace(
          std::unexpected(Fault{.check = Check::one_ballot,
                                .place = {},
                                .message = "this credential belongs in " +
                                           Manifest::box_log(number) + ", which another box keeps",
                                .equation = {}}));
      continue;
    }
    Shard& shard = found->second;

    // A client that lost the answer sends the same entry again, and gets the same answer.
    if (const auto index = shard.state->find_like(use)) {
      const auto here = taken.find({number, *index});
      if (here != taken.end()) {
        if (batch[here->second] == batch[i]) {
          outcomes[i].emplace(Accepted{.shard = number, .index = *index});
          continue;
        }
      } else {
        PSEPHOS_TRY(const Bytes before, store_->entry(shard.log.name(), *index));
        PSEPHOS_TRY(const ByteView payload, payload_of(before));
        if (equal(payload, batch[i])) {
          outcomes[i].emplace(Accepted{.shard = number, .index = *index});
          continue;
        }
      }
    }
    const std::uint64_t index = shard.log.size();
    if (auto fit = shard.state->append(index, use); !fit.has_value()) {
      outcomes[i].emplace(std::unexpected(std::move(fit.error())));
      continue;
    }
    PSEPHOS_CHECK_OK(shard.log.append(batch[i], unique_key(manifest, use),
                                      tracking_code_of(*election_, *judged[i])));
    taken.emplace(Place(number, index), i);
    outcomes[i].emplace(Accepted{.shard = number, .index = index});
  }

  Decision decision;
  // `taken` is in the order of shards.
  for (auto next = taken.begin(); next != taken.end();) {
    const std::uint32_t number = next->first.first;
    PSEPHOS_TRY(LogBatch sealed, shards_.at(number).log.seal());
    decision.batches.push_back(std::move(sealed));
    next = taken.lower_bound({number + 1, 0});
  }
  decision.outcomes.reserve(outcomes.size());
  for (std::optional<Outcome>& outcome : outcomes) {
    decision.outcomes.push_back(*std::move(outcome));
  }
  pending_ = !decision.batches.empty();
  return decision;
}

Result<std::string> Box::receipt(const Accepted& accepted) const {
  const auto found = shards_.find(accepted.shard);
  if (found == shards_.end()) {
    return fail(Errc::misuse, "this box does not keep " + Manifest::box_log(accepted.shard));
  }
  const Log& log = found->second.log;
  PSEPHOS_TRY(const Bytes entry, store_->entry(log.name(), accepted.index));
  PSEPHOS_TRY(std::string checkpoint, store_->checkpoint_over(log.name(), accepted.index));
  PSEPHOS_TRY(const crypto::LogProof proof,
              log.proof(accepted.index, entry, std::move(checkpoint)));
  return proof.print();
}

std::vector<Result<std::string>> Box::receipts(const Decision& decision) const {
  std::map<std::uint32_t, const LogBatch*> new_entries;
  for (const auto& [number, shard] : shards_) {
    const auto batch = std::ranges::find(decision.batches, shard.log.name(), &LogBatch::log);
    if (batch != decision.batches.end()) {
      new_entries.emplace(number, &*batch);
    }
  }
  const auto receipt_of = [&](const Accepted& accepted) -> Result<std::string> {
    if (pending_) {
      return fail(Errc::misuse, "a receipt is a promise: commit what was decided first");
    }
    const auto found = new_entries.find(accepted.shard);
    if (found == new_entries.end() || accepted.index < found->second->first) {
      return receipt(accepted);
    }
    const LogBatch& batch = *found->second;
    const LogEntry& entry = batch.entries[accepted.index - batch.first];
    PSEPHOS_TRY(const crypto::LogProof proof,
                shards_.at(accepted.shard)
                    .log.proof_under(batch.first + batch.entries.size(), accepted.index,
                                     entry.bytes, batch.checkpoint));
    return proof.print();
  };
  std::vector<Result<std::string>> receipts;
  receipts.reserve(decision.outcomes.size());
  for (const Outcome& outcome : decision.outcomes) {
    receipts.push_back(outcome.has_value() ? receipt_of(*outcome) : Result<std::string>(""));
  }
  return receipts;
}

Result<std::string> Box::refusal(ByteView entry, const Fault& fault) const {
  if (pending_) {
    return fail(Errc::misuse, "a refusal names a tree: commit what was decided first");
  }
  // The shard of the bytes that should be the credential; the box's first where there are none.
  const Shard* shard = &shards_.begin()->second;
  constexpr std::size_t kCredentialAt = 1 + 4;  // type, style
  CredentialPk pk{};
  if (entry.size() >= kCredentialAt + pk.size()) {
    std::ranges::copy(entry.subspan(kCredentialAt, pk.size()), pk.begin());
    const auto found = shards_.find(shard_of(pk, election_->manifest().shards));
    shard = found != shards_.end() ? &found->second : shard;
  }
  const crypto::NoteSigner& signer = shard->log.signer();
  const crypto::TreeHead tree = shard->log.tree();
  return signer.sign(std::string(labels::kRefusal) + signer.verifier().name() + "\n" +
                     base64(crypto::sha256({entry})) + "\n" + std::to_string(tree.size) + "\n" +
                     base64(tree.root) + "\n" + printable(to_error(fault).message) + "\n");
}

Result<Refusal> parse_refusal(std::string_view note, const crypto::NoteVerifier& log_key) {
  PSEPHOS_TRY(const crypto::Note parsed, crypto::Note::parse(note));
  PSEPHOS_CHECK_OK(parsed.verified_by(std::span(&log_key, 1)));
  std::vector<std::string_view> lines;
  std::string_view rest = parsed.text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    lines.push_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);  // a note's text ends with a newline
  }
  constexpr std::size_t kNumLines = 5;
  if (lines.size() != kNumLines || lines[0] != std::string(labels::kRefusal) + log_key.name()) {
    return fail(Errc::rejected, "the note is not a refusal of " + log_key.name());
  }
  // Size and root are read as a checkpoint's: one parser for trees.
  PSEPHOS_TRY(const crypto::Checkpoint tree,
              crypto::Checkpoint::parse(log_key.name() + "\n" + std::string(lines[2]) + "\n" +
                                        std::string(lines[3]) + "\n"));
  PSEPHOS_TRY(const Bytes digest, unbase64(lines[1]));
  Refusal refusal{.entry = {}, .tree = tree.tree, .reason = std::string(lines[4])};
  if (digest.size() != refusal.entry.size()) {
    return fail(Errc::malformed, "the refusal's digest has not 32 bytes");
  }
  std::ranges::copy(digest, refusal.entry.begin());
  return refusal;
}

const BoxState* Box::state(std::uint32_t shard) const {
  const auto found = shards_.find(shard);
  return found == shards_.end() ? nullptr : found->second.state.get();
}

Result<std::vector<Box::Outcome>> accept(Box& box, const Election& election, LogStore& store,
                                         std::span<const Bytes> batch,
                                         const crypto::Evaluator& evaluator, Executor& executor,
                                         Random& random) {
  // Parts, so that every core has work and a part's equations are judged together.
  constexpr std::size_t kMostTogether = 1024;
  const std::vector<ByteView> views(batch.begin(), batch.end());
  const std::size_t part = std::clamp<std::size_t>(
      (batch.size() + executor.concurrency() - 1) / executor.concurrency(), 1, kMostTogether);
  std::vector<std::vector<Box::Judged>> parts((batch.size() + part - 1) / part);
  executor.run(parts.size(), [&](std::size_t i) {
    parts[i] = Box::judge(
        election, std::span(views).subspan(i * part, std::min(part, views.size() - i * part)),
        evaluator);
  });
  std::vector<Box::Judged> judged;
  judged.reserve(batch.size());
  for (std::vector<Box::Judged>& some : parts) {
    std::ranges::move(some, std::back_inserter(judged));
  }
  PSEPHOS_TRY(Box::Decision decision, box.decide(batch, judged, random));
  PSEPHOS_CHECK_OK(store.commit(decision.batches));
  box.committed();
  return std::move(decision.outcomes);
}

}  // namespace psephos::protocol
