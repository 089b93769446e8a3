// The ballot box: admits ballots and challenges or refuses them with a reason, keeps the shards'
// logs, hands out receipts. It can read no vote. Spec: docs/spec.md §7.5, §8.5.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "psephos/crypto/note_signer.h"
#include "psephos/crypto/relation.h"
#include "psephos/protocol/box_state.h"
#include "psephos/protocol/executor.h"
#include "psephos/protocol/log_writer.h"
#include "psephos/random.h"
#include "psephos/secret.h"

namespace psephos::protocol {

// BoxKeys are the signing keys of the shards' logs. They serve one election.
class BoxKeys {
 public:
  static BoxKeys create(const Manifest& manifest, Random& random);
  static Result<BoxKeys> load(const SecretBuffer& content);
  [[nodiscard]] SecretBuffer save() const;

  // start binds these keys to an election, once; a box opens with them for that one only. Two
  // openings over one manifest could list the same keys, and two logs of one name under one key
  // look like a box that shows two faces. Save the keys before the logs are made. Errc::misuse if
  // bound to another, or not listed in it.
  Result<void> start(const Election& election);
  // serves is ok if the keys were started for this election, otherwise Errc::misuse.
  [[nodiscard]] Result<void> serves(const Election& election) const;

  [[nodiscard]] const Digest32& manifest_digest() const { return manifest_digest_; }
  [[nodiscard]] std::vector<crypto::Ed25519PublicKey> public_keys() const;
  [[nodiscard]] Result<std::shared_ptr<const crypto::NoteSigner>> log_signer(
      const Manifest& manifest, std::uint32_t shard) const;

 private:
  BoxKeys(Digest32 manifest_digest, std::vector<crypto::Ed25519SecretKey> keys)
      : manifest_digest_(manifest_digest), keys_(std::move(keys)) {}
  Digest32 manifest_digest_;
  std::vector<crypto::Ed25519SecretKey> keys_;
  std::optional<Digest32> election_;
};

class Box {
 public:
  // open reads every shard's log, which must be there (LogWriter::create makes an empty one), and
  // rebuilds its state. Errc::misuse if the keys do not serve this election; Errc::rejected if a
  // log's order of entries is not one the box would have taken; signatures and proofs were judged
  // when they were taken and are not judged again.
  static Result<Box> open(std::shared_ptr<const Election> election, RecordStore& store,
                          const BoxKeys& keys, const crypto::Evaluator& evaluator);

  // accept judges a batch of entries (type ‖ body): each alone on all cores, then one after another
  // in an order drawn at random, so that the log does not tell when or from where a ballot came.
  // What is accepted is durable when accept returns. The outcomes stand in the order of the batch.
  // An entry that was taken before gets the same answer again. After an error (the store's) nothing
  // more is accepted: open the box again, and ask again about every entry of the batch.
  struct Accepted {
    std::uint32_t shard;
    std::uint64_t index;
  };
  using Outcome = std::expected<Accepted, Fault>;
  [[nodiscard]] Result<std::vector<Outcome>> accept(std::span<const Bytes> batch,
                                                    Executor& executor, Random& random);

  // receipt for an accepted entry: a C2SP tlog-proof under the shard's newest checkpoint.
  [[nodiscard]] Result<std::string> receipt(const Accepted& accepted) const;

  [[nodiscard]] const BoxState& state(std::uint32_t shard) const { return *shards_[shard].state; }

 private:
  struct Shard {
    std::unique_ptr<BoxState> state;
    LogWriter log;
  };
  using Place = std::pair<std::uint32_t, std::uint64_t>;  // shard, index
  Box() = default;
  // An entry (type ‖ body) as the store has it.
  [[nodiscard]] Result<Bytes> published(std::uint32_t shard, std::uint64_t index) const;

  std::shared_ptr<const Election> election_;
  RecordStore* store_ = nullptr;
  const crypto::Evaluator* evaluator_ = nullptr;
  std::vector<Shard> shards_;
  bool broken_ = false;
};

}  // namespace psephos::protocol
