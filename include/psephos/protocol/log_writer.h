// Appending to a log of a record, signing its checkpoints. Spec: docs/spec.md §7.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "psephos/crypto/note_signer.h"
#include "psephos/protocol/log_files.h"

namespace psephos::protocol {

// LogWriter owns the end of one log whose only store is a record's files (log_files.h tells in what
// order they are written).
class LogWriter {
 public:
  // create makes an empty log with its first checkpoint. Errc::misuse if one is there.
  static Result<LogWriter> create(RecordStore& store, std::string log,
                                  std::shared_ptr<const crypto::NoteSigner> signer);
  // open goes on from the checkpoint, which must be signed by this signer and fit its entries.
  static Result<LogWriter> open(RecordStore& store, std::string log,
                                std::shared_ptr<const crypto::NoteSigner> signer);

  // append takes type ‖ body and returns the entry's index. Not published until publish.
  Result<std::uint64_t> append(ByteView payload);
  // publish makes everything appended durable and signs the new checkpoint, which it returns.
  Result<std::string> publish();

  [[nodiscard]] std::uint64_t size() const { return files_.size(); }

 private:
  LogWriter(LogFiles files, std::shared_ptr<const crypto::NoteSigner> signer)
      : files_(std::move(files)), signer_(std::move(signer)) {}
  LogFiles files_;
  std::shared_ptr<const crypto::NoteSigner> signer_;
};

}  // namespace psephos::protocol
