// The ballot box: admits ballots and challenges or refuses them with a reason, keeps the shards'
// logs, hands out receipts. It can read no vote. Spec: docs/spec.md §7.5, §8.5.
#pragma once

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "psephos/crypto/note_signer.h"
#include "psephos/crypto/relation.h"
#include "psephos/protocol/box_state.h"
#include "psephos/protocol/executor.h"
#include "psephos/protocol/log.h"
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
  // empty_logs are the batches that make the logs of these shards, to be committed once, before the
  // first open. Errc::misuse if the keys do not serve this election.
  static Result<std::vector<LogBatch>> empty_logs(const Election& election, const BoxKeys& keys,
                                                  std::span<const std::uint32_t> shards);

  // open rebuilds the state of these shards, one or more, from the store's logs, which must be
  // there. Errc::misuse if the keys do not serve this election; Errc::rejected if the store does
  // not hold what the newest checkpoints sign, or not in an order the box would have taken;
  // signatures and proofs were judged when they were taken and are not judged again. The store must
  // outlive the box.
  static Result<Box> open(std::shared_ptr<const Election> election, const LogStore& store,
                          const BoxKeys& keys, std::span<const std::uint32_t> shards);

  // judge looks at each entry (type ‖ body) of a batch by itself (V6, V7, V8, V11). It touches no
  // box, and may run on many threads.
  using Judged = std::expected<BoxEntry, Fault>;
  [[nodiscard]] static std::vector<Judged> judge(const Election& election,
                                                 std::span<const ByteView> batch,
                                                 const crypto::Evaluator& evaluator);

  // decide takes judged entries one after another, in an order drawn at random, so that the log
  // does not tell when or from where a ballot came (V9, V11). The outcomes stand in the order of
  // the batch. An entry that was taken before gets the same answer again. What is new is in
  // `batches`, which the caller commits to the store before any outcome leaves. After an error, or
  // a commit that failed, the box is spent: open it again, and ask again about every entry.
  struct Accepted {
    std::uint32_t shard;
    std::uint64_t index;
  };
  using Outcome = std::expected<Accepted, Fault>;
  struct Decision {
    std::vector<Outcome> outcomes;
    std::vector<LogBatch> batches;
  };
  [[nodiscard]] Result<Decision> decide(std::span<const Bytes> batch,
                                        std::span<const Judged> judged, Random& random);
  void committed() { pending_ = false; }

  // receipt for an accepted and committed entry: a C2SP tlog-proof under the oldest checkpoint over
  // it that the store has.
  [[nodiscard]] Result<std::string> receipt(const Accepted& accepted) const;
  // receipts are the same for all outcomes of a committed decision, in their order; empty for those
  // refused. The store is read only for entries that were taken before. Errc::misuse before
  // committed(). The decision must be the last one.
  [[nodiscard]] std::vector<Result<std::string>> receipts(const Decision& decision) const;

  // refusal is a signed note that says which entry (type ‖ body) was refused, why, and over which
  // tree of its shard (docs/spec.md §7.6): it binds the box to its reason. Errc::misuse while
  // something decided is not committed: its tree may never be.
  [[nodiscard]] Result<std::string> refusal(ByteView entry, const Fault& fault) const;

  // The fold of a shard, if this box has it; null if not.
  [[nodiscard]] const BoxState* state(std::uint32_t shard) const;
  // The log of a shard of this box.
  [[nodiscard]] const Log& log(std::uint32_t shard) const { return shards_.at(shard).log; }

 private:
  struct Shard {
    std::unique_ptr<BoxState> state;
    Log log;
  };
  using Place = std::pair<std::uint32_t, std::uint64_t>;  // shard, index
  Box() = default;

  std::shared_ptr<const Election> election_;
  const LogStore* store_ = nullptr;
  std::map<std::uint32_t, Shard> shards_;
  bool pending_ = false;  // something was decided that may not be in the store
};

// all_shards: 0 … shards − 1.
[[nodiscard]] std::vector<std::uint32_t> all_shards(const Manifest& manifest);

// accept judges a batch in parts on all cores, decides and commits: for whoever has all shards and
// one store.
[[nodiscard]] Result<std::vector<Box::Outcome>> accept(Box& box, const Election& election,
                                                       LogStore& store,
                                                       std::span<const Bytes> batch,
                                                       const crypto::Evaluator& evaluator,
                                                       Executor& executor, Random& random);

// parse_refusal reads a refusal and checks the signature of the box log's key. Errc::rejected if it
// is not of this log.
struct Refusal {
  Digest32 entry{};  // SHA-256 of type ‖ body
  crypto::TreeHead tree;
  std::string reason;  // "V9 (one ballot per credential): …"
};
[[nodiscard]] Result<Refusal> parse_refusal(std::string_view note,
                                            const crypto::NoteVerifier& log_key);

}  // namespace psephos::protocol
