#include "src/server/ledger.h"

#include <algorithm>
#include <utility>

#include "psephos/protocol/log_reader.h"
#include "psephos/runtime/directory.h"

namespace psephos::server {

namespace {

constexpr std::string_view kStopped = "stopped";
constexpr std::chrono::seconds kMaintenance{1};
constexpr std::size_t kMaxMarkBytes = 256;

}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::open(Options options,
                                             std::shared_ptr<ElectionRecord> record) {
  std::unique_ptr<Ledger> ledger(new Ledger(std::move(options), std::move(record)));
  const std::filesystem::path& path = ledger->options_.store;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    for (const std::string& log : ledger->options_.logs) {
      PSEPHOS_CHECK_OK(ledger->never_begun(log, "the store is missing"));
    }
    PSEPHOS_CHECK_OK(store::SqliteStore::create(path, ledger->record_->election()->id()));
  }
  PSEPHOS_TRY(Opened opened, ledger->open_store());
  ledger->put_in_place(std::move(opened));
  return ledger;
}

Ledger::~Ledger() { finish(); }

std::filesystem::path Ledger::mark(const std::string& log) const {
  std::string name = log;
  std::ranges::replace(name, '/', '-');
  const std::filesystem::path& root = record_->files().root();
  std::filesystem::path path = root.has_filename() ? root : root.parent_path();  // "record/"
  path += "." + name + ".begun";
  return path;
}

Result<bool> Ledger::is_marked(const std::string& log) const {
  std::error_code error;
  if (!std::filesystem::exists(mark(log), error) && !error) {
    return false;
  }
  PSEPHOS_TRY(const Bytes content, runtime::read_file(mark(log), kMaxMarkBytes));
  return as_text(content) == record_->id() + "\n";
}

Result<void> Ledger::never_begun(const std::string& log, std::string_view lost) const {
  const protocol::Manifest& manifest = record_->manifest();
  PSEPHOS_TRY(const auto reader,
              protocol::LogReader::open(record_->files(), log, manifest.log_origin(log)));
  const std::string what = options_.store.string() + ": " + std::string(lost) + ", but ";
  constexpr std::string_view kRestore =
      ". Restore a backup that is not older; a new beginning would be a second history";
  if (reader.tree().size != 0) {
    return fail(Errc::rejected,
                what + "entries of " + log + " were published" + std::string(kRestore));
  }
  PSEPHOS_TRY(const bool marked, is_marked(log));
  if (marked) {
    return fail(Errc::rejected, what + log + " was begun before, and what was answered since is " +
                                    "promised" + std::string(kRestore) +
                                    ". Only if nothing was answered, remove " + mark(log).string());
  }
  return {};
}

Result<void> Ledger::begin_logs(store::SqliteStore& store) const {
  std::vector<protocol::LogBatch> batches;
  for (const std::string& log : options_.logs) {
    PSEPHOS_TRY(const auto checkpoint, store.checkpoint(log));
    if (!checkpoint.has_value()) {
      PSEPHOS_CHECK_OK(never_begun(log, "the store has no log " + log));
      PSEPHOS_TRY(protocol::LogBatch empty, options_.empty_log(log));
      batches.push_back(std::move(empty));
    }
  }
  if (!batches.empty()) {
    PSEPHOS_CHECK_OK(store.commit(batches));
  }
  // After the logs, and before anything is taken: who dies between begins once more.
  for (const std::string& log : options_.logs) {
    PSEPHOS_TRY(const bool marked, is_marked(log));
    if (!marked) {
      PSEPHOS_CHECK_OK(runtime::write_file(mark(log), as_bytes(record_->id() + "\n")));
    }
  }
  return {};
}

Result<Ledger::Opened> Ledger::open_store() const {
  store::SqliteStore::Options options;
  options.on_commit = options_.on_commit;
  PSEPHOS_TRY(auto store, store::SqliteStore::open(options_.store, record_->election()->id(),
                                                   std::move(options)));
  PSEPHOS_CHECK_OK(begin_logs(*store));
  PSEPHOS_TRY(const auto stopped, store->get(kStopped));
  PSEPHOS_TRY(Install install, options_.rebuild(*store));
  PSEPHOS_TRY(Exporter exporter,
              Exporter::open(record_->election(), *store, record_->files(), options_.logs));
  return Opened{.store = std::move(store),
                .exporter = std::move(exporter),
                .install = std::move(install),
                .stopped = stopped == "1"};
}

void Ledger::put_in_place(Opened opened) {
  {
    const std::lock_guard lock(export_mutex_);
    exporter_.emplace(std::move(opened.exporter));
  }
  {
    const std::lock_guard lock(maintenance_mutex_);
    maintained_ = opened.store.get();
  }
  const std::lock_guard lock(mutex_);
  opened.install();
  store_ = std::move(opened.store);
  stopped_ = opened.stopped;
  healthy_ = true;
}

Result<store::SqliteStore*> Ledger::store() const {
  if (store_ == nullptr) {
    return fail(Errc::environment, options_.store.string() + ": the store does not work");
  }
  return store_.get();
}

Result<void> Ledger::change(const Change& change) {
  const std::shared_lock lock(mutex_);
  PSEPHOS_TRY(store::SqliteStore* const store, this->store());
  auto done = change(*store);
  if (!done.has_value() && done.error().code == Errc::environment) {
    failed(done.error());
  }
  return done;
}

void Ledger::failed(const Error& error) {
  healthy_ = false;
  options_.on_store(&error);
}

bool Ledger::reopen() {
  {
    const std::lock_guard lock(export_mutex_);
    exporter_.reset();
  }
  {
    const std::lock_guard lock(maintenance_mutex_);
    maintained_ = nullptr;
  }
  std::unique_ptr<store::SqliteStore> old;
  {
    const std::lock_guard lock(mutex_);
    old = std::move(store_);
  }
  old.reset();
  // Nobody waits while the store is read: until it is there again, it is said not to work.
  auto opened = open_store();
  if (opened.has_value()) {
    put_in_place(*std::move(opened));
    options_.on_store(nullptr);
    return true;
  }
  options_.on_store(&opened.error());
  return false;
}

bool Ledger::admit() {
  // Under one lock with stop, so that nothing slips in after it.
  const std::lock_guard lock(settled_mutex_);
  if (stopped_) {
    return false;
  }
  ++unanswered_;
  return true;
}

void Ledger::settle() {
  const std::lock_guard lock(settled_mutex_);
  if (--unanswered_ == 0) {
    settled_.notify_all();
  }
}

Result<void> Ledger::stop() {
  PSEPHOS_CHECK_OK(change([](store::SqliteStore& store) { return store.set(kStopped, "1"); }));
  {
    std::unique_lock lock(settled_mutex_);
    stopped_ = true;
    settled_.wait(lock, [this] { return unanswered_ == 0; });
  }
  const std::lock_guard lock(export_mutex_);
  if (!exporter_.has_value()) {
    return fail(Errc::environment, options_.store.string() + ": the store does not work");
  }
  return exporter_->run(Exporter::Pace::now);
}

Result<void> Ledger::resume() {
  return record_->while_open([this]() -> Result<void> {
    PSEPHOS_CHECK_OK(change([](store::SqliteStore& store) { return store.set(kStopped, "0"); }));
    stopped_ = false;
    return {};
  });
}

bool Ledger::at_rest() const {
  const std::lock_guard lock(settled_mutex_);
  return stopped_ && unanswered_ == 0 && healthy_;
}

void Ledger::start() {
  export_thread_ = std::jthread([this] { export_logs(); });
  maintenance_thread_ = std::jthread([this] { maintain(); });
}

void Ledger::finish() {
  {
    const std::lock_guard lock(finish_mutex_);
    if (std::exchange(finishing_, true)) {
      return;
    }
  }
  finish_.notify_all();
  export_thread_ = {};  // joins
  maintenance_thread_ = {};
}

void Ledger::export_logs() {
  for (bool last = false; !last;) {
    {
      std::unique_lock lock(finish_mutex_);
      finish_.wait_for(lock, options_.export_interval, [this] { return finishing_; });
      last = finishing_;
    }
    const std::lock_guard lock(export_mutex_);
    if (!exporter_.has_value()) {
      continue;  // the store is being opened again
    }
    const auto done = exporter_->run(last ? Exporter::Pace::now : Exporter::Pace::patient);
    options_.on_export(done.has_value() ? nullptr : &done.error());
  }
}

void Ledger::maintain() {
  bool failing = false;
  while (true) {
    {
      std::unique_lock lock(finish_mutex_);
      if (finish_.wait_for(lock, kMaintenance, [this] { return finishing_; })) {
        return;
      }
    }
    const std::lock_guard lock(maintenance_mutex_);
    if (maintained_ == nullptr) {
      continue;  // the store is being opened again
    }
    const auto kept = maintained_->maintain();
    if (!kept.has_value()) {
      options_.on_store(&kept.error());
    } else if (failing && healthy_) {
      options_.on_store(nullptr);
    }
    failing = !kept.has_value();
  }
}

}  // namespace psephos::server
