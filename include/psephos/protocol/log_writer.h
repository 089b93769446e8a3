// Appending to a log of a record. Spec: docs/spec.md §7.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "psephos/crypto/note_signer.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/storage.h"

namespace psephos::protocol {

// LogWriter owns the end of one log. The order of writes is: full bundles and tiles as they fill,
// then, in publish, partial bundle and tiles under names of their own, then the checkpoint, then
// removal of the former partial ones. A machine that dies anywhere leaves the former checkpoint
// with all its files, and files beyond it that open clears away.
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

  [[nodiscard]] std::uint64_t size() const { return tiles_->size(); }

 private:
  LogWriter() = default;
  void start_tiles();
  Result<void> write_bundle();
  RecordStore* store_ = nullptr;
  std::string log_;
  std::shared_ptr<const crypto::NoteSigner> signer_;
  Digest32 previous_{};
  crypto::MerkleFrontier frontier_;
  std::unique_ptr<crypto::TileStream> tiles_;
  std::vector<Bytes> pending_;  // entries of the unfinished bundle
  std::vector<std::string>
      published_partials_;  // files the last checkpoint needs and the next will not
};

}  // namespace psephos::protocol
