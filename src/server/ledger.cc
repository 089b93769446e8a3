#include "src/server/ledger.h"

#include <utility>

#include "psephos/protocol/log_reader.h"

namespace psephos::server {

namespace {

constexpr std::string_view kStopped = "stopped";

}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::open(Options options,
                                             std::shared_ptr<ElectionRecord> record) {
  std::unique_ptr<Ledger> ledger(new Ledger(std::move(options), std::move(record)));
  const std::filesystem::path& path = ledger->options_.store;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    PSEPHOS_TRY(const bool started, ledger->just_started());
    if (!started) {
      return fail(Errc::rejected, path.string() +
                                      ": the store is missing, but entries were published. Restore "
                                      "it from a backup that is not older; a new one would begin a "
                                      "second history");
    }
    PSEPHOS_TRY(const auto empty, ledger->options_.empty_logs());
    PSEPHOS_TRY(const auto made,
                store::SqliteStore::create(path, ledger->record_->election()->id()));
    PSEPHOS_CHECK_OK(made->commit(empty));
  }
  const std::lock_guard lock(ledger->mutex_);
  PSEPHOS_CHECK_OK(ledger->open_store());
  return ledger;
}

Ledger::~Ledger() { finish(); }

Result<bool> Ledger::just_started() const {
  for (const std::string& log : options_.logs) {
    PSEPHOS_TRY(const auto reader, protocol::LogReader::open(record_->files(), log,
                                                             record_->manifest().log_origin(log)));
    if (reader.tree().size != 0) {
      return false;
    }
  }
  return true;
}

Result<void> Ledger::open_store() {
  store::SqliteStore::Options options;
  options.on_commit = options_.on_commit;
  PSEPHOS_TRY(store_, store::SqliteStore::open(options_.store, record_->election()->id(),
                                               std::move(options)));
  const auto go_on = [&]() -> Result<void> {
    PSEPHOS_TRY(const auto stopped, store_->get(kStopped));
    PSEPHOS_CHECK_OK(options_.rebuild(*store_));
    PSEPHOS_TRY(Exporter exporter,
                Exporter::open(record_->election(), *store_, record_->files(), options_.logs));
    const std::lock_guard exporting(export_mutex_);
    exporter_.emplace(std::move(exporter));
    stopped_ = stopped == "1";
    return {};
  };
  if (auto opened = go_on(); !opened.has_value()) {
    store_.reset();
    return opened;
  }
  healthy_ = true;
  return {};
}

Result<store::SqliteStore*> Ledger::store() const {
  if (store_ == nullptr) {
    return fail(Errc::environment, options_.store.string() + ": the store does not work");
  }
  return store_.get();
}

void Ledger::failed(const Error& error) {
  healthy_ = false;
  options_.on_store(&error);
}

bool Ledger::reopen() {
  const std::lock_guard lock(mutex_);
  {
    const std::lock_guard exporting(export_mutex_);
    exporter_.reset();
  }
  store_.reset();
  const auto opened = open_store();
  options_.on_store(opened.has_value() ? nullptr : &opened.error());
  return opened.has_value();
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
  {
    const std::shared_lock lock(mutex_);
    PSEPHOS_TRY(store::SqliteStore* const store, this->store());
    PSEPHOS_CHECK_OK(store->set(kStopped, "1"));
  }
  {
    std::unique_lock lock(settled_mutex_);
    stopped_ = true;
    settled_.wait(lock, [this] { return unanswered_ == 0; });
  }
  const std::lock_guard lock(export_mutex_);
  if (!exporter_.has_value()) {
    return fail(Errc::environment, options_.store.string() + ": the store does not work");
  }
  return exporter_->run();
}

Result<void> Ledger::resume() {
  if (record_->phase() > protocol::MainLog::Phase::voting) {
    return fail(Errc::misuse, "the polls are closed");
  }
  const std::shared_lock lock(mutex_);
  PSEPHOS_TRY(store::SqliteStore* const store, this->store());
  PSEPHOS_CHECK_OK(store->set(kStopped, "0"));
  stopped_ = false;
  return {};
}

void Ledger::start() {
  export_thread_ = std::jthread([this] { export_logs(); });
}

void Ledger::finish() {
  {
    const std::lock_guard lock(finish_mutex_);
    if (std::exchange(finishing_, true)) {
      return;
    }
  }
  finish_.notify_all();
  if (export_thread_.joinable()) {
    export_thread_.join();
  }
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
    const auto done = exporter_->run();
    options_.on_export(done.has_value() ? nullptr : &done.error());
    // The exporter is there, so the store is: both go under this lock.
    if (const auto kept = store_->maintain(); !kept.has_value()) {
      options_.on_store(&kept.error());
    } else if (healthy_) {
      options_.on_store(nullptr);
    }
  }
}

}  // namespace psephos::server
