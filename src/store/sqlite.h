// The few calls of SQLite that the store makes, with errors as Result. Only sqlite.cc includes
// sqlite3.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace psephos::store {

// Query is one use of a prepared statement, which it gives back when it ends. Parameters are bound
// in their order; what is bound must live until the last row. Errors: Errc::misuse for a uniqueness
// constraint, Errc::environment for all else.
class Query {
 public:
  Query(sqlite3_stmt* statement, const std::string& path) : statement_(statement), path_(&path) {}
  Query(Query&& other) noexcept;
  Query& operator=(Query&&) = delete;
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query();

  Query& bind(std::uint64_t value);  // below 2^63
  Query& bind(ByteView value);
  Query& bind(std::string_view value);
  Query& bind(std::nullopt_t);

  // next tells whether there is another row; run is for statements that have none.
  [[nodiscard]] Result<bool> next();
  Result<void> run();

  [[nodiscard]] std::uint64_t integer(int column) const;
  // A view is good until the next call of next().
  [[nodiscard]] ByteView blob(int column) const;
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] bool is_null(int column) const;

 private:
  void bound(int code);

  sqlite3_stmt* statement_;
  const std::string* path_;
  int parameters_ = 0;
  int bind_error_ = 0;
};

// Session is a connection to a database file, with the statements that were prepared on it. One
// thread uses it at a time.
class Session {
 public:
  enum class Mode : std::uint8_t { read_write, read_only, in_memory };
  static Result<std::unique_ptr<Session>> open(std::string path, Mode mode);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  [[nodiscard]] const std::string& path() const { return path_; }
  // query prepares a statement once and keeps it: `sql` must be a literal.
  [[nodiscard]] Result<Query> query(std::string_view sql);
  // Statements without parameters, whose rows are of no interest.
  Result<void> run(const std::string& sql);
  // The first column of every row.
  [[nodiscard]] Result<std::vector<std::string>> column(std::string_view sql);
  [[nodiscard]] bool in_transaction() const;

  // checkpoint copies what stands in the write-ahead log into the database; `truncate` waits for
  // readers and empties the log, otherwise what is in use stays. Returns the pages in the log.
  enum class Checkpoint : std::uint8_t { passive, truncate };
  Result<std::uint64_t> checkpoint(Checkpoint mode);
  // copy_to makes `destination` a copy of one state of this database, in one step.
  Result<void> copy_to(Session& destination);

 private:
  Session(sqlite3* database, std::string path) : database_(database), path_(std::move(path)) {}

  sqlite3* database_;
  std::string path_;
  std::unordered_map<std::string_view, sqlite3_stmt*> statements_;
};

}  // namespace psephos::store
