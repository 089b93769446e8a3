// How the protocol reads and writes a record, without knowing where it lies, and how a server keeps
// its logs. Paths are relative, with '/' between parts ("box/0/checkpoint").
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"

namespace psephos::protocol {

// The largest file of a record: an entry bundle of 256 entries of 65,535 bytes with their lengths.
inline constexpr std::size_t kMaxRecordFileBytes = std::size_t{256} * (65535 + 2);
// A checkpoint with all the signatures a note may have: far below this.
inline constexpr std::size_t kMaxCheckpointBytes = std::size_t{1} << 16;

// RecordSource reads a record. Implementations may be called from several threads at once.
class RecordSource {
 public:
  RecordSource() = default;
  RecordSource(const RecordSource&) = delete;
  RecordSource& operator=(const RecordSource&) = delete;
  virtual ~RecordSource() = default;

  // read a whole file. Errc::environment if it is not there or cannot be read, Errc::malformed if
  // it is larger than max bytes (refused before it is read).
  [[nodiscard]] virtual Result<Bytes> read(const std::string& path, std::size_t max) const = 0;
  // list every file, sorted. Anything that is neither a file nor a directory is an error.
  [[nodiscard]] virtual Result<std::vector<std::string>> list() const = 0;
  [[nodiscard]] virtual bool exists(const std::string& path) const = 0;
};

// RecordStore also writes. A write is atomic (the old content or the new, never a mixture) and
// durable when it returns.
class RecordStore : public RecordSource {
 public:
  virtual Result<void> write(const std::string& path, ByteView content) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
};

// LogEntry is an entry of a log as a LogStore is given it.
struct LogEntry {
  Bytes bytes;  // the whole entry, from the hash in front
  // What no two entries of a log may share; empty: nothing. The folds decide who may say what; a
  // store that refuses a second key is the net below them.
  Bytes key;
  // What the entry is looked up by (a tracking code); not unique.
  std::optional<Digest32> code;
};

// LogBatch is what a log gets at once: entries, and the checkpoint over the log that ends with
// them.
struct LogBatch {
  std::string log;          // "box/0"
  std::uint64_t first = 0;  // index of the first entry: the size of the log before
  std::vector<LogEntry> entries;
  std::string checkpoint;  // a signed note
};

// LogStore keeps the logs of one election and every checkpoint that was committed. It trusts its
// caller in what is signed and is trusted in nothing: Log::open (log.h) compares what it returns
// with the signed checkpoint. Reading may be done from several threads at once, beside one commit.
class LogStore {
 public:
  LogStore() = default;
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;
  virtual ~LogStore() = default;

  // commit takes all batches, or none of them: durable when it returns. Errc::misuse: a batch does
  // not begin where its log ends, or a key stands in its log already; Errc::environment: the store
  // could not write, and whether it did is unknown: open the log again.
  virtual Result<void> commit(std::span<const LogBatch> batches) = 0;
  // The newest checkpoint of a log; nothing if the log does not exist.
  [[nodiscard]] virtual Result<std::optional<std::string>> checkpoint(
      const std::string& log) const = 0;
  // The oldest checkpoint whose tree holds the entry at `index`; Errc::misuse if none does.
  [[nodiscard]] virtual Result<std::string> checkpoint_over(const std::string& log,
                                                            std::uint64_t index) const = 0;
  // One entry, whole; Errc::misuse if the log has none at `index`.
  [[nodiscard]] virtual Result<Bytes> entry(const std::string& log, std::uint64_t index) const = 0;
  // Shows the entries from `first` on and before `end`, in order, until the log ends or `visit` has
  // an error.
  using Visit = std::function<Result<void>(std::uint64_t index, ByteView entry)>;
  [[nodiscard]] virtual Result<void> for_each_entry(const std::string& log, std::uint64_t first,
                                                    std::uint64_t end,
                                                    const Visit& visit) const = 0;
  // The index of the first entry with this code.
  [[nodiscard]] virtual Result<std::optional<std::uint64_t>> find(const std::string& log,
                                                                  const Digest32& code) const = 0;
};

}  // namespace psephos::protocol
