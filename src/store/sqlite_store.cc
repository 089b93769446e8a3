#include "src/store/sqlite_store.h"

#include <chrono>
#include <utility>

#include "src/store/database.h"

namespace psephos::store {

using protocol::LogBatch;
using protocol::LogEntry;

namespace {

constexpr unsigned kIndexBits = 52;
constexpr std::uint64_t kMaxEntries = std::uint64_t{1} << kIndexBits;
constexpr std::uint64_t kMaxLogs = 2047;
// How much for_each_entry reads at a time.
constexpr std::size_t kChunkBytes = std::size_t{1} << 20;

std::uint64_t position(std::uint64_t log, std::uint64_t index) { return log << kIndexBits | index; }

// The first column of the only row, if there is one.
Result<std::optional<std::uint64_t>> number(Query query) {
  PSEPHOS_TRY(const bool found, query.next());
  return found && !query.is_null(0) ? std::optional(query.integer(0)) : std::nullopt;
}

Result<std::optional<std::string>> text(Query query) {
  PSEPHOS_TRY(const bool found, query.next());
  return found ? std::optional(std::string(query.text(0))) : std::nullopt;
}

Result<std::optional<std::uint64_t>> log_id(Session& session, const std::string& log) {
  PSEPHOS_TRY(Query find, session.query("SELECT id FROM logs WHERE name = ?1"));
  find.bind(log);
  return number(std::move(find));
}

Result<std::uint64_t> make_log(Session& session, const std::string& log) {
  PSEPHOS_TRY(const auto known, log_id(session, log));
  if (known.has_value()) {
    return *known;
  }
  PSEPHOS_TRY(Query newest, session.query("SELECT max(id) FROM logs"));
  PSEPHOS_TRY(const auto last, number(std::move(newest)));
  const std::uint64_t id = last.value_or(0) + 1;
  if (id > kMaxLogs) {
    return fail(Errc::misuse,
                log + ": a store holds at most " + std::to_string(kMaxLogs) + " logs");
  }
  PSEPHOS_TRY(Query insert, session.query("INSERT INTO logs (id, name) VALUES (?1, ?2)"));
  PSEPHOS_CHECK_OK(insert.bind(id).bind(log).run());
  return id;
}

// The number of entries of a log: one above the index of the last.
Result<std::uint64_t> size_of(Session& session, std::uint64_t log) {
  PSEPHOS_TRY(Query last, session.query("SELECT max(position) FROM entries "
                                        "WHERE position BETWEEN ?1 AND ?2"));
  last.bind(position(log, 0)).bind(position(log, kMaxEntries - 1));
  PSEPHOS_TRY(const auto found, number(std::move(last)));
  return found.has_value() ? *found % kMaxEntries + 1 : 0;
}

Result<void> append(Session& session, std::uint64_t log, std::uint64_t index,
                    const LogEntry& entry) {
  PSEPHOS_TRY(Query insert, session.query("INSERT INTO entries (position, bytes, key, code) "
                                          "VALUES (?1, ?2, ?3, ?4)"));
  insert.bind(position(log, index)).bind(ByteView(entry.bytes));
  entry.key.empty() ? insert.bind(std::nullopt) : insert.bind(ByteView(entry.key));
  entry.code.has_value() ? insert.bind(ByteView(*entry.code)) : insert.bind(std::nullopt);
  return insert.run();
}

Result<void> append_batch(Session& session, const LogBatch& batch) {
  PSEPHOS_TRY(const std::uint64_t log, make_log(session, batch.log));
  PSEPHOS_TRY(const std::uint64_t size, size_of(session, log));
  if (batch.first != size) {
    return fail(Errc::misuse, batch.log + ": the batch begins at entry " +
                                  std::to_string(batch.first) + ", the log ends at " +
                                  std::to_string(size));
  }
  if (batch.entries.size() > kMaxEntries - size) {
    return fail(Errc::misuse, batch.log + ": the log is full");
  }
  std::uint64_t index = size;
  for (const LogEntry& entry : batch.entries) {
    if (auto taken = append(session, log, index, entry); !taken.has_value()) {
      if (taken.error().code != Errc::misuse) {
        return taken;
      }
      return fail(Errc::misuse, batch.log + " entry " + std::to_string(index) +
                                    ": its key stands in the log already");
    }
    ++index;
  }
  PSEPHOS_TRY(Query insert,
              session.query("INSERT INTO checkpoints (log, size, note) VALUES (?1, ?2, ?3)"));
  return insert.bind(log).bind(index).bind(batch.checkpoint).run();
}

// Some entries in one piece.
struct Chunk {
  Bytes bytes;
  std::vector<std::size_t> ends;
};

Result<Chunk> read_chunk(Session& session, const std::string& log, std::uint64_t first) {
  PSEPHOS_TRY(const auto id, log_id(session, log));
  Chunk chunk;
  if (!id.has_value() || first >= kMaxEntries) {
    return chunk;
  }
  PSEPHOS_TRY(Query rows, session.query("SELECT position, bytes FROM entries "
                                        "WHERE position BETWEEN ?1 AND ?2 ORDER BY position"));
  rows.bind(position(*id, first)).bind(position(*id, kMaxEntries - 1));
  while (chunk.bytes.size() < kChunkBytes) {
    PSEPHOS_TRY(const bool more, rows.next());
    if (!more) {
      break;
    }
    const std::uint64_t index = first + chunk.ends.size();
    if (rows.integer(0) != position(*id, index)) {
      return fail(Errc::environment, session.path() + ": " + log + " entry " +
                                         std::to_string(index) +
                                         " is missing: the file is damaged; restore a backup");
    }
    const ByteView bytes = rows.blob(1);
    chunk.bytes.insert(chunk.bytes.end(), bytes.begin(), bytes.end());
    chunk.ends.push_back(chunk.bytes.size());
  }
  return chunk;
}

// What every log must be besides what SQLite checks.
Result<void> check_logs(Session& session, std::vector<std::string>& problems) {
  PSEPHOS_TRY(Query logs, session.query("SELECT name, id FROM logs"));
  for (;;) {
    PSEPHOS_TRY(const bool more, logs.next());
    if (!more) {
      break;
    }
    const std::string log(logs.text(0));
    const std::uint64_t id = logs.integer(1);
    PSEPHOS_TRY(const std::uint64_t size, size_of(session, id));
    PSEPHOS_TRY(Query count, session.query("SELECT count(*) FROM entries "
                                           "WHERE position BETWEEN ?1 AND ?2"));
    count.bind(position(id, 0)).bind(position(id, kMaxEntries - 1));
    PSEPHOS_TRY(const auto entries, number(std::move(count)));
    if (entries != size) {
      problems.push_back(log + ": " + std::to_string(size - entries.value_or(0)) +
                         " entries are missing before entry " + std::to_string(size));
    }
    PSEPHOS_TRY(Query newest, session.query("SELECT max(size) FROM checkpoints WHERE log = ?1"));
    newest.bind(id);
    PSEPHOS_TRY(const auto covered, number(std::move(newest)));
    if (covered != size) {
      problems.push_back(log + ": the newest checkpoint is over " +
                         std::to_string(covered.value_or(0)) + " entries, the log has " +
                         std::to_string(size));
    }
  }
  PSEPHOS_TRY(Query stray, session.query("SELECT count(*) FROM entries "
                                         "WHERE position >> 52 NOT IN (SELECT id FROM logs)"));
  PSEPHOS_TRY(const auto strays, number(std::move(stray)));
  if (strays != 0) {
    problems.push_back(std::to_string(strays.value_or(0)) + " entries belong to no log");
  }
  PSEPHOS_TRY(const auto dangling, session.column("PRAGMA foreign_key_check"));
  for (const std::string& table : dangling) {
    problems.push_back("a row of table " + printable(table) + " refers to nothing");
  }
  return {};
}

}  // namespace

SqliteStore::SqliteStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<SqliteStore>> SqliteStore::create(const std::filesystem::path& path,
                                                         const Digest32& election_id,
                                                         Options options) {
  PSEPHOS_TRY(auto database, Database::create(path, election_id, std::move(options)));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(database)));
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::create(const std::filesystem::path& path,
                                                         const Digest32& election_id) {
  return create(path, election_id, Options());
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::filesystem::path& path,
                                                       const Digest32& election_id,
                                                       Options options) {
  PSEPHOS_TRY(auto database, Database::open(path, election_id, std::move(options)));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(database)));
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::filesystem::path& path,
                                                       const Digest32& election_id) {
  return open(path, election_id, Options());
}

Result<void> SqliteStore::commit(std::span<const LogBatch> batches) {
  const auto start = std::chrono::steady_clock::now();
  auto committed = database_->write([&](Session& session) -> Result<void> {
    for (const LogBatch& batch : batches) {
      PSEPHOS_CHECK_OK(append_batch(session, batch));
    }
    return {};
  });
  if (committed.has_value() && database_->options().on_commit) {
    database_->options().on_commit(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return committed;
}

Result<std::optional<std::string>> SqliteStore::checkpoint(const std::string& log) const {
  return database_->read([&](Session& session) -> Result<std::optional<std::string>> {
    PSEPHOS_TRY(Query find,
                session.query("SELECT c.note FROM logs l JOIN checkpoints c ON c.log = l.id "
                              "WHERE l.name = ?1 ORDER BY c.size DESC, c.id DESC LIMIT 1"));
    find.bind(log);
    return text(std::move(find));
  });
}

Result<std::string> SqliteStore::checkpoint_over(const std::string& log,
                                                 std::uint64_t index) const {
  std::optional<std::string> note;
  if (index < kMaxEntries) {
    PSEPHOS_TRY(note, database_->read([&](Session& session) -> Result<std::optional<std::string>> {
      PSEPHOS_TRY(Query find,
                  session.query("SELECT c.note FROM logs l JOIN checkpoints c ON c.log = l.id "
                                "WHERE l.name = ?1 AND c.size > ?2 ORDER BY c.size, c.id LIMIT 1"));
      find.bind(log).bind(index);
      return text(std::move(find));
    }));
  }
  if (!note.has_value()) {
    return fail(Errc::misuse, log + ": no checkpoint is over entry " + std::to_string(index));
  }
  return *note;
}

Result<Bytes> SqliteStore::entry(const std::string& log, std::uint64_t index) const {
  const auto none = [&] {
    return fail(Errc::misuse, log + ": there is no entry " + std::to_string(index));
  };
  if (index >= kMaxEntries) {
    return none();
  }
  return database_->read([&](Session& session) -> Result<Bytes> {
    PSEPHOS_TRY(Query find, session.query("SELECT e.bytes FROM logs l JOIN entries e "
                                          "ON e.position = (l.id << 52 | ?2) WHERE l.name = ?1"));
    PSEPHOS_TRY(const bool found, find.bind(log).bind(index).next());
    if (!found) {
      return none();
    }
    const ByteView bytes = find.blob(0);
    return Bytes(bytes.begin(), bytes.end());
  });
}

Result<void> SqliteStore::for_each_entry(const std::string& log, std::uint64_t first,
                                         std::uint64_t end_index, const Visit& visit) const {
  // Nothing is held while `visit` works: the write-ahead log could not be emptied.
  for (std::uint64_t index = first; index < end_index;) {
    PSEPHOS_TRY(const Chunk chunk,
                database_->read([&](Session& session) { return read_chunk(session, log, index); }));
    if (chunk.ends.empty()) {
      return {};
    }
    std::size_t begin = 0;
    for (const std::size_t end : chunk.ends) {
      if (index == end_index) {
        return {};
      }
      PSEPHOS_CHECK_OK(visit(index, ByteView(chunk.bytes).subspan(begin, end - begin)));
      begin = end;
      ++index;
    }
  }
  return {};
}

Result<std::optional<std::uint64_t>> SqliteStore::find(const std::string& log,
                                                       const Digest32& code) const {
  return database_->read([&](Session& session) -> Result<std::optional<std::uint64_t>> {
    PSEPHOS_TRY(Query find, session.query("SELECT e.position & ((1 << 52) - 1) FROM logs l "
                                          "JOIN entries e ON e.log = l.id AND e.code = ?2 "
                                          "WHERE l.name = ?1 ORDER BY e.position LIMIT 1"));
    find.bind(log).bind(ByteView(code));
    return number(std::move(find));
  });
}

Result<void> SqliteStore::set(std::string_view name, std::string_view value) {
  return database_->write([&](Session& session) -> Result<void> {
    PSEPHOS_TRY(Query insert, session.query("INSERT OR REPLACE INTO settings (name, value) "
                                            "VALUES (?1, ?2)"));
    return insert.bind(name).bind(value).run();
  });
}

Result<std::optional<std::string>> SqliteStore::get(std::string_view name) const {
  return database_->read([&](Session& session) -> Result<std::optional<std::string>> {
    PSEPHOS_TRY(Query find, session.query("SELECT value FROM settings WHERE name = ?1"));
    find.bind(name);
    return text(std::move(find));
  });
}

Result<void> SqliteStore::maintain() { return database_->maintain(); }

Result<void> SqliteStore::backup(const std::filesystem::path& path, const Digest32& election_id,
                                 const std::filesystem::path& destination) {
  return Database::backup(path, election_id, destination);
}

Result<std::vector<std::string>> SqliteStore::integrity() const {
  return database_->read([](Session& session) -> Result<std::vector<std::string>> {
    PSEPHOS_TRY(std::vector<std::string> problems, problems_of(session, true));
    PSEPHOS_CHECK_OK(check_logs(session, problems));
    return problems;
  });
}

Result<void> SqliteStore::close() { return database_->close(); }

}  // namespace psephos::store
