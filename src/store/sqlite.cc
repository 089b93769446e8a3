#include "src/store/sqlite.h"

#include <sqlite3.h>

#include <cstring>
#include <limits>
#include <system_error>
#include <utility>

namespace psephos::store {

namespace {

std::string advice(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "; free space on the disk and start again";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "; the file is damaged: put it aside and restore a backup";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "; another program uses the file: end it";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return "; check the permissions of the file and of its directory";
    default:
      return "";
  }
}

std::unexpected<Error> sqlite_error(sqlite3* database, int code, const std::string& path) {
  const int extended = database == nullptr ? code : sqlite3_extended_errcode(database);
  const bool duplicate =
      extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY;
  std::string message = path + ": ";
  message += database == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(database);
  message += " (SQLite error " + std::to_string(extended);
  const int system = database == nullptr ? 0 : sqlite3_system_errno(database);
  const int primary = extended & 0xff;
  if (system != 0 && (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN)) {
    message += ": " + std::generic_category().message(system);
  }
  return fail(duplicate ? Errc::misuse : Errc::environment, message + ")" + advice(extended));
}

}  // namespace

Query::Query(Query&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)),
      path_(other.path_),
      parameters_(other.parameters_),
      bind_error_(other.bind_error_) {}

Query::~Query() {
  if (statement_ != nullptr) {
    sqlite3_reset(statement_);  // an error was reported when it happened
    sqlite3_clear_bindings(statement_);
  }
}

void Query::bound(int code) {
  if (bind_error_ == SQLITE_OK) {
    bind_error_ = code;
  }
}

Query& Query::bind(std::uint64_t value) {
  PSEPHOS_CHECK(value <= std::uint64_t{std::numeric_limits<std::int64_t>::max()});
  bound(sqlite3_bind_int64(statement_, ++parameters_, static_cast<std::int64_t>(value)));
  return *this;
}

Query& Query::bind(ByteView value) {
  // A null pointer would be bound as NULL.
  const void* data = value.empty() ? "" : static_cast<const void*>(value.data());
  bound(sqlite3_bind_blob64(statement_, ++parameters_, data, value.size(), nullptr));
  return *this;
}

Query& Query::bind(std::string_view value) {
  const char* data = value.empty() ? "" : value.data();
  bound(sqlite3_bind_text64(statement_, ++parameters_, data, value.size(), nullptr, SQLITE_UTF8));
  return *this;
}

Query& Query::bind(std::nullopt_t) {
  bound(sqlite3_bind_null(statement_, ++parameters_));
  return *this;
}

Result<bool> Query::next() {
  if (bind_error_ != SQLITE_OK) {
    return sqlite_error(nullptr, bind_error_, *path_);
  }
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) {
    return true;
  }
  if (code == SQLITE_DONE) {
    return false;
  }
  return sqlite_error(sqlite3_db_handle(statement_), code, *path_);
}

Result<void> Query::run() {
  PSEPHOS_TRY(const bool row, next());
  PSEPHOS_CHECK(!row);
  return {};
}

std::uint64_t Query::integer(int column) const {
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, column));
}

ByteView Query::blob(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return {static_cast<const std::uint8_t*>(data), static_cast<std::size_t>(size)};
}

std::string_view Query::text(int column) const { return as_text(blob(column)); }

bool Query::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Result<std::unique_ptr<Session>> Session::open(std::string path, Mode mode) {
  const int access = mode == Mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  const int place = mode == Mode::in_memory ? SQLITE_OPEN_MEMORY : 0;
  sqlite3* database = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &database,
                      access | place | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  if (code != SQLITE_OK) {
    auto error = sqlite_error(database, code, path);
    sqlite3_close(database);
    return error;
  }
  std::unique_ptr<Session> session(new Session(database, std::move(path)));
  sqlite3_busy_timeout(database, 5000);
  sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  // The file is not trusted to be what this program wrote.
  PSEPHOS_CHECK_OK(
      session->run("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
                   "PRAGMA mmap_size = 0; PRAGMA foreign_keys = ON;"));
  return session;
}

Session::~Session() {
  for (const auto& [sql, statement] : statements_) {
    sqlite3_finalize(statement);
  }
  sqlite3_close(database_);
}

Result<Query> Session::query(std::string_view sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) {
      return sqlite_error(database_, code, path_);
    }
    found = statements_.emplace(sql, statement).first;
  }
  return Query(found->second, path_);
}

Result<void> Session::run(const std::string& sql) {
  const int code = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) {
    return sqlite_error(database_, code, path_);
  }
  return {};
}

Result<std::vector<std::string>> Session::column(std::string_view sql) {
  PSEPHOS_TRY(Query rows, query(sql));
  std::vector<std::string> values;
  for (;;) {
    PSEPHOS_TRY(const bool more, rows.next());
    if (!more) {
      return values;
    }
    values.emplace_back(rows.text(0));
  }
}

bool Session::in_transaction() const { return sqlite3_get_autocommit(database_) == 0; }

Result<std::uint64_t> Session::checkpoint(Checkpoint mode) {
  int in_log = 0;
  const int code = sqlite3_wal_checkpoint_v2(
      database_, nullptr,
      mode == Checkpoint::passive ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE, &in_log,
      nullptr);
  // Busy: another connection does it, or reads; the rest is copied next time.
  const bool passed_over = mode == Checkpoint::passive && (code & 0xff) == SQLITE_BUSY;
  if (code != SQLITE_OK && !passed_over) {
    return sqlite_error(database_, code, path_);
  }
  return in_log < 0 ? 0 : static_cast<std::uint64_t>(in_log);
}

Result<void> Session::copy_to(Session& destination) {
  sqlite3_backup* backup = sqlite3_backup_init(destination.database_, "main", database_, "main");
  if (backup == nullptr) {
    return sqlite_error(destination.database_, SQLITE_ERROR, destination.path_);
  }
  // All pages in one step are one read transaction: writers go on beside it and nothing starts
  // over.
  const int step = sqlite3_backup_step(backup, -1);
  const int finish = sqlite3_backup_finish(backup);
  if (step != SQLITE_DONE || finish != SQLITE_OK) {
    // The error is left in the destination, unless reading failed.
    return sqlite_error(finish != SQLITE_OK ? destination.database_ : nullptr, step,
                        finish != SQLITE_OK ? destination.path_ : path_);
  }
  return {};
}

}  // namespace psephos::store
