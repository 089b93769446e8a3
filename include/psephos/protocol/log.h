// Log: the end of a log whose entries a LogStore keeps. Spec: docs/spec.md §7.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "psephos/crypto/merkle.h"
#include "psephos/crypto/note_signer.h"
#include "psephos/protocol/storage.h"

namespace psephos::protocol {

// Log knows a log's whole tree, appends to it and signs its checkpoints. It writes nothing: what it
// has appended leaves as a LogBatch, which its owner commits before anyone hears of it. If the
// commit fails, the Log is ahead of its store and must be opened again.
class Log {
 public:
  // create is the batch that makes an empty log, with its first checkpoint. For logs that have
  // never existed: a second beginning under the same key is a fork.
  static Result<LogBatch> create(std::string log, const crypto::NoteSigner& signer);

  // open rebuilds the log from its store: entries' chain and tree are computed anew and must be
  // what the newest checkpoint says, which must be signed by this signer. Shows each entry's type ‖
  // body on the way. Errc::misuse: no such log; Errc::rejected: the store does not hold what was
  // signed.
  using Visit = std::function<Result<void>(std::uint64_t index, ByteView payload)>;
  static Result<Log> open(const LogStore& store, std::string log,
                          std::shared_ptr<const crypto::NoteSigner> signer, const Visit& visit);

  // check does the same without a secret key, and looks at the older checkpoints too, which
  // receipts are under. It keeps nothing: for who only wants to know.
  static Result<crypto::TreeHead> check(const LogStore& store, const std::string& log,
                                        const crypto::NoteVerifier& key);

  // append takes type ‖ body and returns the entry's index; key and code as in LogEntry.
  Result<std::uint64_t> append(ByteView payload, Bytes key = {}, std::optional<Digest32> code = {});
  // seal signs the checkpoint over everything appended and returns what came since the last seal.
  [[nodiscard]] Result<LogBatch> seal();

  // The tlog-proof of a whole entry under a checkpoint of this log, with the entry as `extra`.
  // Errc::misuse if the checkpoint's tree does not hold it or is larger than the log;
  // Errc::rejected if the log has another entry at `index`, or never had this tree: the store was
  // damaged or changed. So it is if the checkpoint's signature is bad.
  [[nodiscard]] Result<crypto::LogProof> proof(std::uint64_t index, ByteView entry,
                                               std::string checkpoint) const;
  // The same under a checkpoint that is known to be this log's over `tree_size` entries: its seal.
  [[nodiscard]] Result<crypto::LogProof> proof_under(std::uint64_t tree_size, std::uint64_t index,
                                                     ByteView entry, std::string checkpoint) const;

  [[nodiscard]] const std::string& name() const { return log_; }
  [[nodiscard]] std::uint64_t size() const { return tree_.size(); }
  [[nodiscard]] crypto::TreeHead tree() const { return tree_.head(); }
  [[nodiscard]] const crypto::NoteSigner& signer() const { return *signer_; }

 private:
  Log(std::string log, std::shared_ptr<const crypto::NoteSigner> signer);
  void take(ByteView entry);

  std::string log_;
  std::shared_ptr<const crypto::NoteSigner> signer_;
  Digest32 previous_;
  crypto::MerkleTree tree_;
  std::vector<LogEntry> unsealed_;
};

}  // namespace psephos::protocol
