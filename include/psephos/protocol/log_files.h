// A log's files in a record: writing them so that they are whole at every moment. Spec:
// docs/spec.md §7.3, §7.4.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "psephos/crypto/merkle.h"
#include "psephos/crypto/note.h"
#include "psephos/crypto/tile.h"
#include "psephos/protocol/storage.h"

namespace psephos::protocol {

// LogFiles turns a log's entries, and checkpoints that somebody has signed over them, into files.
// The order of writes is: full bundles and tiles as they fill, then, in publish, partial bundle and
// tiles under names of their own, then the checkpoint, then removal of the former partial ones. A
// machine that dies anywhere leaves the former checkpoint with all its files, and files beyond it
// that open clears away.
class LogFiles {
 public:
  // create prepares a log that has no files yet; its first checkpoint comes with publish.
  // Errc::misuse if one is there. Files without a checkpoint count as left behind by a machine that
  // died; the log is written over them.
  static Result<LogFiles> create(RecordStore& store, std::string log, std::string origin);
  // open goes on from the checkpoint in the store. The whole log is read and checked: the
  // checkpoint's signature, chain, tiles, root. Whoever went on from damaged files would publish
  // them again.
  static Result<LogFiles> open(RecordStore& store, std::string log,
                               const crypto::NoteVerifier& log_key);

  // append takes the next entry, whole, and returns its index. Errc::rejected if it does not begin
  // with the hash of the one before; Errc::misuse if it is too short or too long. After an error of
  // the store the object is spent: open the log again.
  Result<std::uint64_t> append(Bytes entry);
  // publish makes everything appended durable, and then visible: the checkpoint, a signed note.
  // Errc::rejected unless its text is this log's, its tree that of the entries, and nothing
  // follows; who signed it is the caller's to know.
  Result<void> publish(std::string_view checkpoint);

  [[nodiscard]] std::uint64_t size() const { return tiles_->size(); }
  // The tree over everything appended.
  [[nodiscard]] crypto::TreeHead tree() const { return frontier_.head(); }
  // The SHA-256 of the last entry: what the next must begin with.
  [[nodiscard]] const Digest32& previous() const { return previous_; }
  [[nodiscard]] const std::string& origin() const { return origin_; }

 private:
  LogFiles(RecordStore& store, std::string log, std::string origin);
  Result<void> write_bundle();
  [[nodiscard]] std::string path(const std::string& file) const { return log_ + "/" + file; }

  RecordStore* store_;
  std::string log_;
  std::string origin_;
  Digest32 previous_;
  crypto::MerkleFrontier frontier_;
  std::unique_ptr<crypto::TileStream> tiles_;
  std::vector<Bytes> pending_;  // entries of the unfinished bundle
  // Files the last checkpoint needs and the next will not.
  std::vector<std::string> published_partials_;
};

}  // namespace psephos::protocol
