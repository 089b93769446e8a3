// A record in a directory of the file system, and the few file operations tools need.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"
#include "psephos/protocol/storage.h"

namespace psephos::runtime {

// read_file reads a whole regular file of at most max bytes; a larger one is refused before it is
// read. Errc::environment if it cannot be read, Errc::malformed if it is too large.
[[nodiscard]] Result<Bytes> read_file(const std::filesystem::path& path, std::size_t max);

// write_file replaces a file atomically and durably: temporary file in the same directory, fsync,
// rename, fsync of the directory. Directories on the way are made. mode is the permission of a new
// file.
enum class FileMode : std::uint8_t { shared, owner_only };
[[nodiscard]] Result<void> write_file(const std::filesystem::path& path, ByteView content,
                                      FileMode mode = FileMode::shared);

// DirectoryRecord is a record under a directory. Paths inside a record are checked: no "..", no
// absolute path. Symbolic links inside a record are refused: a record is files and directories.
class DirectoryRecord final : public protocol::RecordStore {
 public:
  explicit DirectoryRecord(std::filesystem::path root) : root_(std::move(root)) {}

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }
  [[nodiscard]] Result<Bytes> read(const std::string& path, std::size_t max) const override;
  [[nodiscard]] Result<std::vector<std::string>> list() const override;
  [[nodiscard]] bool exists(const std::string& path) const override;
  Result<void> write(const std::string& path, ByteView content) override;
  Result<void> remove(const std::string& path) override;

 private:
  std::filesystem::path root_;
};

}  // namespace psephos::runtime
