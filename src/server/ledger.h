// What box and registrar have in common: a store of logs, what was rebuilt from it, its export as
// files, and the switch that stops the taking.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "psephos/protocol/storage.h"

#include "src/server/election_record.h"
#include "src/server/exporter.h"
#include "src/store/sqlite_store.h"

namespace psephos::server {

class Ledger {
 public:
  struct Options {
    std::filesystem::path store;
    std::vector<std::string> logs;
    std::chrono::milliseconds export_interval{1000};
    // The batches that make the empty logs of a new store.
    std::function<Result<std::vector<protocol::LogBatch>>()> empty_logs;
    // Makes what is kept in memory anew from a store that was opened; under the lock.
    std::function<Result<void>(store::SqliteStore&)> rebuild;
    // Told when the store or the export fails (an error), and when they work.
    std::function<void(const Error*)> on_store;
    std::function<void(const Error*)> on_export;
    std::function<void(double seconds)> on_commit;
  };

  // open makes a new store only if the record's logs are there and empty, as `psephos box start`
  // and `registrar start` leave them; it opens the store, rebuilds, and compares with the published
  // files. Errc::rejected: what is there cannot be explained.
  static Result<std::unique_ptr<Ledger>> open(Options options,
                                              std::shared_ptr<ElectionRecord> record);
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;
  ~Ledger();

  void start();   // begins to export
  void finish();  // ends exporting, after a last time

  // Guards the store and what was rebuilt from it: exclusive for those who change that.
  [[nodiscard]] std::shared_mutex& mutex() const { return mutex_; }
  // Under the lock; Errc::environment while the store does not work.
  [[nodiscard]] Result<store::SqliteStore*> store() const;

  // After a commit failed: nothing is known of the store but what a new opening finds. reopen tries
  // that once; under no lock.
  void failed(const Error& error);
  [[nodiscard]] bool reopen();
  [[nodiscard]] bool healthy() const { return healthy_; }

  // admit counts in what is taken, unless the taking was stopped; settle counts it out when it was
  // answered.
  [[nodiscard]] bool admit();
  void settle();
  // stop takes nothing more until resume; both are durable. What is on its way is answered before
  // stop returns, and the record's files hold the final trees.
  Result<void> stop();
  Result<void> resume();
  [[nodiscard]] bool stopped() const { return stopped_; }

 private:
  Ledger(Options options, std::shared_ptr<ElectionRecord> record)
      : options_(std::move(options)), record_(std::move(record)) {}
  [[nodiscard]] Result<bool> just_started() const;
  Result<void> open_store();
  void export_logs();

  const Options options_;
  const std::shared_ptr<ElectionRecord> record_;
  mutable std::shared_mutex mutex_;
  std::unique_ptr<store::SqliteStore> store_;
  // Taken after mutex_ by those who need both.
  std::mutex export_mutex_;
  std::optional<Exporter> exporter_;
  std::atomic<bool> healthy_ = false;

  std::mutex settled_mutex_;
  std::condition_variable settled_;
  std::atomic<bool> stopped_ = false;
  std::size_t unanswered_ = 0;

  std::mutex finish_mutex_;
  std::condition_variable finish_;
  bool finishing_ = false;
  std::jthread export_thread_;
};

}  // namespace psephos::server
