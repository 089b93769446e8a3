#include "src/store/database.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ranges>
#include <system_error>

namespace psephos::store {

namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t kApplicationId = 0x70736570;  // "psep"
constexpr std::uint32_t kVersion = 1;

// A log's entries are one range of positions: id of the log, then 52 bits of index. Uniqueness of
// keys is an index, so that the integrity check compares it with the entries.
constexpr const char* kSchema = R"(
CREATE TABLE store (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  election BLOB NOT NULL CHECK (length(election) = 32)
) STRICT;
CREATE TABLE logs (
  id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 2047),
  name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE entries (
  position INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL,
  key BLOB,
  code BLOB,
  log INTEGER GENERATED ALWAYS AS (position >> 52) VIRTUAL
) STRICT;
CREATE UNIQUE INDEX entries_key ON entries (log, key) WHERE key IS NOT NULL;
CREATE INDEX entries_code ON entries (log, code) WHERE code IS NOT NULL;
CREATE TABLE checkpoints (
  id INTEGER PRIMARY KEY,
  log INTEGER NOT NULL REFERENCES logs (id),
  size INTEGER NOT NULL,
  note TEXT NOT NULL
) STRICT;
CREATE INDEX checkpoints_size ON checkpoints (log, size);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE imports (
  number INTEGER PRIMARY KEY,
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
  message BLOB NOT NULL,
  active INTEGER NOT NULL CHECK (active IN (0, 1))
) STRICT;
CREATE TABLE voters (
  voter TEXT PRIMARY KEY,
  style INTEGER NOT NULL,
  code_hash BLOB CHECK (length(code_hash) = 32),
  import INTEGER NOT NULL REFERENCES imports (number)
) STRICT, WITHOUT ROWID;
)";

constexpr std::string_view kListSchema =
    "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema "
    "ORDER BY name";

constexpr std::size_t kMaxProblemsShown = 3;

std::unexpected<Error> system_error(const fs::path& path, std::string_view doing) {
  const int code = errno;
  return fail(Errc::environment, path.string() + ": cannot " + std::string(doing) + ": " +
                                     std::generic_category().message(code));
}

// Descriptor closes a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

fs::path directory_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

Result<void> sync(const fs::path& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) {
    return system_error(path, "sync");
  }
  return {};
}

// An absolute path: one that the working directory does not change, and that SQLite takes for a
// file whatever its name is.
Result<fs::path> whole_path(const fs::path& path) {
  std::error_code error;
  fs::path whole = fs::absolute(path, error);
  if (error || !whole.has_filename()) {
    return fail(Errc::misuse, "\"" + path.string() + "\" is no path of a file");
  }
  return whole;
}

// TemporaryFile is a file beside its later place, owner-only, that disappears unless it is
// published.
class TemporaryFile {
 public:
  static Result<TemporaryFile> create(const fs::path& place) {
    std::string name =
        (directory_of(place) / ("." + place.filename().string() + ".XXXXXX")).string();
    const Descriptor fd(::mkostemp(name.data(), O_CLOEXEC));
    if (fd.get() < 0) {
      return system_error(directory_of(place), "write in");
    }
    return TemporaryFile(std::move(name));
  }
  TemporaryFile(TemporaryFile&& other) noexcept : name_(std::exchange(other.name_, "")) {}
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!name_.empty()) {
      for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
        ::unlink((name_ + suffix).c_str());
      }
    }
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  // publish gives the file its place, durably, if nothing is there.
  Result<void> publish(const fs::path& place) {
    PSEPHOS_CHECK_OK(sync(name_));
    if (::link(name_.c_str(), place.c_str()) != 0) {
      return system_error(place, "make");
    }
    ::unlink(std::exchange(name_, "").c_str());
    return sync(directory_of(place));
  }

 private:
  explicit TemporaryFile(std::string name) : name_(std::move(name)) {}
  std::string name_;
};

Result<void> refuse_existing(const fs::path& path) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(path, error))) {
    return fail(Errc::misuse, path.string() + ": exists already; it is not written over");
  }
  return {};
}

std::uint32_t u32_at(ByteView bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (const std::uint8_t byte : bytes.subspan(at, 4)) {
    value = value << 8U | byte;
  }
  return value;
}

// Looks at the file's header before SQLite does: opening can already write.
Result<void> check_header(const fs::path& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    if (errno == ENOENT) {
      return fail(Errc::environment, path.string() +
                                         ": there is no store; check the path, or create one if "
                                         "this election has none yet");
    }
    return system_error(path, "open");
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(Errc::environment, path.string() + ": is not a file");
  }
  std::array<std::uint8_t, 100> header{};
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  if (::pread(fd.get(), header.data(), header.size(), 0) != static_cast<ssize_t>(header.size()) ||
      as_text(header).substr(0, kMagic.size()) != kMagic || u32_at(header, 68) != kApplicationId) {
    return fail(Errc::malformed, path.string() +
                                     ": is no psephos store, or its beginning is damaged; check "
                                     "the path, or restore a backup");
  }
  const std::uint32_t version = u32_at(header, 60);
  if (version != kVersion) {
    return fail(Errc::malformed, path.string() + ": is a store of version " +
                                     std::to_string(version) + ", this program knows version " +
                                     std::to_string(kVersion) + "; use the program that wrote it");
  }
  return {};
}

std::string joined(const std::vector<std::string>& problems) {
  std::string text;
  for (const std::string& problem : problems | std::views::take(kMaxProblemsShown)) {
    text += (text.empty() ? "" : "; ") + problem;
  }
  return problems.size() > kMaxProblemsShown
             ? text + "; and " + std::to_string(problems.size() - kMaxProblemsShown) + " more"
             : text;
}

// Refuses a file that SQLite finds broken, or whose tables are not those of this version.
Result<void> check_content(Session& session) {
  PSEPHOS_TRY(const std::vector<std::string> problems, problems_of(session, false));
  if (!problems.empty()) {
    return fail(Errc::environment, session.path() + ": the file is damaged (" + joined(problems) +
                                       "): put it aside and restore a backup");
  }
  PSEPHOS_TRY(const auto reference, Session::open("schema", Session::Mode::in_memory));
  PSEPHOS_CHECK_OK(reference->run(kSchema));
  PSEPHOS_TRY(const std::vector<std::string> expected, reference->column(kListSchema));
  PSEPHOS_TRY(const std::vector<std::string> found, session.column(kListSchema));
  if (found != expected) {
    return fail(Errc::malformed, session.path() +
                                     ": its tables are not those of a store: the file is damaged "
                                     "or was changed; restore a backup");
  }
  return {};
}

// SQLite reads what is missing of the last page as zeros. Only right when nothing is left in the
// write-ahead log.
Result<void> check_length(Session& session) {
  PSEPHOS_TRY(Query row, session.query("SELECT page_count * page_size "
                                       "FROM pragma_page_count, pragma_page_size"));
  PSEPHOS_TRY(const bool there, row.next());
  PSEPHOS_CHECK(there);
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(session.path(), error);
  if (error || bytes < row.integer(0)) {
    return fail(Errc::environment, session.path() +
                                       ": the file is damaged (its end is missing): "
                                       "put it aside and restore a backup");
  }
  return {};
}

Result<void> check_election(Session& session, const Digest32& election) {
  PSEPHOS_TRY(Query row, session.query("SELECT election FROM store"));
  PSEPHOS_TRY(const bool there, row.next());
  if (!there || !equal(row.blob(0), election)) {
    return fail(Errc::rejected, session.path() + ": is the store of " +
                                    (there ? "election " + hex(row.blob(0)) : "no election") +
                                    ", not of " + hex(election) + "; check the path");
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> problems_of(Session& session, bool whole) {
  PSEPHOS_TRY(std::vector<std::string> problems,
              session.column(whole ? "PRAGMA integrity_check" : "PRAGMA quick_check"));
  std::erase(problems, "ok");
  for (std::string& problem : problems) {
    problem = printable(problem);
  }
  return problems;
}

Result<FileLock> FileLock::take(const fs::path& store) {
  // A file of its own: closing any descriptor of the database would end SQLite's locks on it. It is
  // never removed, or two could hold locks on different files of this name.
  const std::string path = store.string() + ".lock";
  FileLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (lock.fd_ < 0) {
    return system_error(path, "open");
  }
  if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return system_error(path, "lock");
    }
    std::array<char, 32> text{};
    const ssize_t got = ::pread(lock.fd_, text.data(), text.size(), 0);
    long holder = 0;
    std::from_chars(text.data(), text.data() + std::max<ssize_t>(got, 0), holder);
    return fail(Errc::environment,
                store.string() + ": is in use by " +
                    (holder > 0 ? "process " + std::to_string(holder) : "another process") +
                    "; only one may write a store: end it first");
  }
  const std::string holder = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.fd_, 0) != 0 ||
      ::pwrite(lock.fd_, holder.data(), holder.size(), 0) != static_cast<ssize_t>(holder.size())) {
    return system_error(path, "write");
  }
  return lock;
}

FileLock::~FileLock() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

Result<std::unique_ptr<Database>> Database::create(const fs::path& path, const Digest32& election,
                                                   Options options) {
  PSEPHOS_TRY(const fs::path place, whole_path(path));
  PSEPHOS_CHECK_OK(refuse_existing(place));
  PSEPHOS_TRY(FileLock lock, FileLock::take(place));
  PSEPHOS_TRY(TemporaryFile file, TemporaryFile::create(place));
  {
    PSEPHOS_TRY(const auto session, Session::open(file.name(), Session::Mode::read_write));
    // Nothing to protect yet: the file is synced before it gets its name.
    PSEPHOS_CHECK_OK(
        session->run("PRAGMA page_size = 8192; PRAGMA journal_mode = MEMORY;"
                     "PRAGMA synchronous = OFF;"
                     "PRAGMA application_id = " +
                     std::to_string(kApplicationId) +
                     "; PRAGMA user_version = " + std::to_string(kVersion) + ";" + kSchema));
    PSEPHOS_TRY(Query insert, session->query("INSERT INTO store (id, election) VALUES (1, ?1)"));
    PSEPHOS_CHECK_OK(insert.bind(ByteView(election)).run());
  }
  PSEPHOS_CHECK_OK(file.publish(place));
  std::unique_ptr<Database> database(
      new Database(place.string(), std::move(lock), std::move(options)));
  PSEPHOS_CHECK_OK(database->start(election));
  return database;
}

Result<std::unique_ptr<Database>> Database::open(const fs::path& path, const Digest32& election,
                                                 Options options) {
  PSEPHOS_TRY(const fs::path place, whole_path(path));
  PSEPHOS_CHECK_OK(check_header(place));
  PSEPHOS_TRY(FileLock lock, FileLock::take(place));
  std::unique_ptr<Database> database(
      new Database(place.string(), std::move(lock), std::move(options)));
  PSEPHOS_CHECK_OK(database->start(election));
  return database;
}

Result<void> Database::start(const Digest32& election) {
  PSEPHOS_TRY(writer_, Session::open(path_, Session::Mode::read_write));
  PSEPHOS_CHECK_OK(check_content(*writer_));
  PSEPHOS_CHECK_OK(check_election(*writer_, election));
  PSEPHOS_TRY(const std::vector<std::string> journal, writer_->column("PRAGMA journal_mode = WAL"));
  if (journal != std::vector<std::string>{"wal"}) {
    return fail(Errc::environment,
                path_ + ": cannot keep a write-ahead log here; use a local file system");
  }
  // Checkpoints are maintain()'s.
  PSEPHOS_CHECK_OK(writer_->run(
      "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -32768;"
      "PRAGMA journal_size_limit = " +
      std::to_string(options_.max_wal_bytes)));
  PSEPHOS_CHECK_OK(writer_->checkpoint(Session::Checkpoint::truncate));
  PSEPHOS_CHECK_OK(check_length(*writer_));
  PSEPHOS_TRY(maintenance_, Session::open(path_, Session::Mode::read_write));
  return maintenance_->run("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0");
}

Database::~Database() {
  // Nobody is left to be told; what was committed is safe in the write-ahead log.
  [[maybe_unused]] const auto closed = close();
}

Result<void> Database::close() {
  const std::scoped_lock locks(write_mutex_, maintenance_mutex_, readers_mutex_);
  if (writer_ == nullptr) {
    return {};
  }
  readers_.clear();
  maintenance_.reset();
  auto emptied = writer_->checkpoint(Session::Checkpoint::truncate);
  writer_.reset();
  if (!emptied.has_value()) {
    return std::unexpected(emptied.error());
  }
  return {};
}

Result<void> Database::write(const Change& change) {
  const std::lock_guard lock(write_mutex_);
  if (writer_ == nullptr) {
    return fail(Errc::misuse, path_ + ": the store is closed");
  }
  if (failed_) {
    return fail(Errc::environment,
                path_ + ": an earlier change could not be stored; open the store again");
  }
  const auto attempt = [&]() -> Result<void> {
    PSEPHOS_TRY(Query begin, writer_->query("BEGIN IMMEDIATE"));
    PSEPHOS_CHECK_OK(begin.run());
    PSEPHOS_CHECK_OK(change(*writer_));
    PSEPHOS_TRY(Query commit, writer_->query("COMMIT"));
    return commit.run();
  };
  // Until it is known how it ends: also if `change` throws.
  failed_ = true;
  const auto result = attempt();
  if (result.has_value()) {
    failed_ = false;
    return {};
  }
  // SQLite has ended the transaction by itself after some errors.
  if (writer_->in_transaction()) {
    PSEPHOS_TRY(Query rollback, writer_->query("ROLLBACK"));
    PSEPHOS_CHECK_OK(rollback.run());
  }
  failed_ = result.error().code == Errc::environment;
  return result;
}

Result<std::unique_ptr<Session>> Database::borrow() const {
  {
    const std::lock_guard lock(readers_mutex_);
    if (!readers_.empty()) {
      std::unique_ptr<Session> session = std::move(readers_.back());
      readers_.pop_back();
      return session;
    }
  }
  return Session::open(path_, Session::Mode::read_only);
}

void Database::give_back(std::unique_ptr<Session> session) const {
  const std::lock_guard lock(readers_mutex_);
  if (readers_.size() < options_.readers) {
    readers_.push_back(std::move(session));
  }
}

Result<void> Database::maintain() {
  const std::lock_guard lock(maintenance_mutex_);
  if (maintenance_ == nullptr) {
    return fail(Errc::misuse, path_ + ": the store is closed");
  }
  PSEPHOS_CHECK_OK(maintenance_->checkpoint(Session::Checkpoint::passive));
  // The log starts over when a commit finds all of it copied. Commits that never pause would let it
  // grow for ever: what they wrote in the meantime is copied while they wait.
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(path_ + "-wal", error);
  if (!error && bytes > options_.max_wal_bytes) {
    const std::lock_guard writing(write_mutex_);
    PSEPHOS_CHECK_OK(maintenance_->checkpoint(Session::Checkpoint::passive));
  }
  return {};
}

Result<void> Database::backup(const fs::path& path, const Digest32& election,
                              const fs::path& destination) {
  PSEPHOS_CHECK_OK(check_header(path));
  PSEPHOS_TRY(const fs::path place, whole_path(destination));
  PSEPHOS_CHECK_OK(refuse_existing(place));
  PSEPHOS_TRY(TemporaryFile file, TemporaryFile::create(place));
  {
    PSEPHOS_TRY(const auto source, Session::open(path.string(), Session::Mode::read_only));
    PSEPHOS_CHECK_OK(check_election(*source, election));
    PSEPHOS_TRY(const auto copy, Session::open(file.name(), Session::Mode::read_write));
    PSEPHOS_CHECK_OK(copy->run("PRAGMA synchronous = OFF"));
    PSEPHOS_CHECK_OK(source->copy_to(*copy));
    // One file that needs no others beside it.
    PSEPHOS_CHECK_OK(copy->run("PRAGMA journal_mode = DELETE"));
    PSEPHOS_CHECK_OK(check_content(*copy));
  }
  return file.publish(place);
}

}  // namespace psephos::store
