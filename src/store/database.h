// The file under a store: its lock, its schema, one connection that writes, several that read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"

#include "src/store/sqlite.h"
#include "src/store/sqlite_store.h"

namespace psephos::store {

// FileLock keeps other processes, and other stores of this one, away from a store's file.
class FileLock {
 public:
  static Result<FileLock> take(const std::filesystem::path& store);
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

class Database {
 public:
  using Options = SqliteStore::Options;
  static Result<std::unique_ptr<Database>> create(const std::filesystem::path& path,
                                                  const Digest32& election, Options options);
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& path,
                                                const Digest32& election, Options options);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  // write makes one transaction of what `change` does: durable when it returns, or undone. After
  // Errc::environment what became of it is unknown, and nothing more is written.
  using Change = std::function<Result<void>(Session&)>;
  Result<void> write(const Change& change);

  // read lends a connection that sees all that was committed before. Each statement sees one state
  // of the database; two may see different ones.
  template <class Use>
  auto read(Use&& use) const -> std::invoke_result_t<Use, Session&> {
    PSEPHOS_TRY(std::unique_ptr<Session> session, borrow());
    auto result = std::forward<Use>(use)(*session);
    give_back(std::move(session));
    return result;
  }

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  Result<void> maintain();
  static Result<void> backup(const std::filesystem::path& path, const Digest32& election,
                             const std::filesystem::path& destination);
  Result<void> close();

 private:
  Database(std::string path, FileLock lock, Options options)
      : path_(std::move(path)), options_(std::move(options)), lock_(std::move(lock)) {}
  Result<void> start(const Digest32& election);
  [[nodiscard]] Result<std::unique_ptr<Session>> borrow() const;
  void give_back(std::unique_ptr<Session> session) const;

  std::string path_;
  Options options_;
  FileLock lock_;  // released last

  std::mutex write_mutex_;
  std::unique_ptr<Session> writer_;
  bool failed_ = false;

  std::mutex maintenance_mutex_;
  std::unique_ptr<Session> maintenance_;

  mutable std::mutex readers_mutex_;
  mutable std::vector<std::unique_ptr<Session>> readers_;
};

// problems_of asks SQLite for what is wrong with a file; empty: nothing it could notice. `whole`
// also compares the indices with their tables.
[[nodiscard]] Result<std::vector<std::string>> problems_of(Session& session, bool whole);

}  // namespace psephos::store
