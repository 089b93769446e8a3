// How the protocol reads and writes a record, without knowing where it lies. Paths are relative,
// with
// '/' between parts ("box/0/checkpoint").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"

namespace psephos::protocol {

// The largest file of a record: an entry bundle of 256 entries of 65,535 bytes with their lengths.
inline constexpr std::size_t kMaxRecordFileBytes = std::size_t{256} * (65535 + 2);

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

}  // namespace psephos::protocol
