// The logs of one role in one election, in one SQLite file, beside what else this role must not
// forget. docs/architecture.md says where it stands.
//
// SQLite notices a file that is cut or whose structure is broken, and compares indices with tables
// (integrity). It has no checksum over content: a changed bit inside an entry is found by Log::open
// (psephos/protocol/log.h) against the signed checkpoint. Neither can notice that the newest
// commits are missing as a whole, as after restoring an old backup: compare with a published
// checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"
#include "psephos/protocol/storage.h"

namespace psephos::store {

class Database;

// SqliteStore: reading may be done from several threads at once, and beside writing; writing from
// several threads is done one after another. One store object at a time has a file.
class SqliteStore final : public protocol::LogStore {
 public:
  struct Options {
    // Connections kept for reading: as many as threads read at once.
    std::size_t readers = 4;
    // maintain() holds up commits when the write-ahead log is larger than this.
    std::uint64_t max_wal_bytes = std::uint64_t{64} << 20;
    // Told of each commit that succeeded, after it.
    std::function<void(double seconds)> on_commit;
  };

  // create makes a new file, readable by its owner only. Errc::misuse if the path exists.
  static Result<std::unique_ptr<SqliteStore>> create(const std::filesystem::path& path,
                                                     const Digest32& election_id, Options options);
  static Result<std::unique_ptr<SqliteStore>> create(const std::filesystem::path& path,
                                                     const Digest32& election_id);
  // open refuses what is no store or of a newer version (Errc::malformed), another election's
  // (Errc::rejected), missing, damaged as far as a quick check shows, or in use
  // (Errc::environment).
  static Result<std::unique_ptr<SqliteStore>> open(const std::filesystem::path& path,
                                                   const Digest32& election_id, Options options);
  static Result<std::unique_ptr<SqliteStore>> open(const std::filesystem::path& path,
                                                   const Digest32& election_id);
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;
  ~SqliteStore() override;

  // After Errc::environment, nothing more is committed until the store is opened again.
  Result<void> commit(std::span<const protocol::LogBatch> batches) override;
  [[nodiscard]] Result<std::optional<std::string>> checkpoint(
      const std::string& log) const override;
  [[nodiscard]] Result<std::string> checkpoint_over(const std::string& log,
                                                    std::uint64_t index) const override;
  [[nodiscard]] Result<Bytes> entry(const std::string& log, std::uint64_t index) const override;
  [[nodiscard]] Result<void> for_each_entry(const std::string& log, std::uint64_t first,
                                            std::uint64_t end, const Visit& visit) const override;
  [[nodiscard]] Result<std::optional<std::uint64_t>> find(const std::string& log,
                                                          const Digest32& code) const override;

  // Settings that must survive: one text per name. set is durable when it returns.
  Result<void> set(std::string_view name, std::string_view value);
  [[nodiscard]] Result<std::optional<std::string>> get(std::string_view name) const;

  // maintain moves committed pages from the write-ahead log to their places, so that no commit has
  // to. To be called every second or so, by one thread of its own.
  Result<void> maintain();
  // backup writes a consistent copy of a store, also while another process or thread uses it. The
  // copy is checked, readable by its owner only, and appears whole or not at all; Errc::misuse if
  // the destination exists. Errors otherwise as of open.
  static Result<void> backup(const std::filesystem::path& path, const Digest32& election_id,
                             const std::filesystem::path& destination);
  // What is wrong with the file, in words; empty: nothing was found. It checks what open does, and
  // compares indices with tables and logs with their checkpoints' sizes.
  [[nodiscard]] Result<std::vector<std::string>> integrity() const;
  // close is what the destructor does, with a report. Nobody else may be using the store.
  Result<void> close();

  // For what else lies in the same file (roll_store.h).
  [[nodiscard]] Database& database() { return *database_; }

 private:
  explicit SqliteStore(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

}  // namespace psephos::store
