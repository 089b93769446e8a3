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
#include <string_view>
#include <thread>
#include <vector>

#include "psephos/protocol/storage.h"

#include "src/server/election_record.h"
#include "src/server/exporter.h"
#include "src/store/sqlite_store.h"

namespace psephos::server {

class Ledger {
 public:
  using Install = std::move_only_function<void()>;
  struct Options {
    std::filesystem::path store;
    std::vector<std::string> logs;
    std::chrono::milliseconds export_interval{1000};
    // The batch that makes a log, empty.
    std::function<Result<protocol::LogBatch>(const std::string& log)> empty_log;
    // Makes what is kept in memory anew from a store that was opened; under no lock. What it
    // returns puts it into its place, under the lock.
    std::function<Result<Install>(store::SqliteStore&)> rebuild;
    // Told when the store or the export fails (an error), and when they work.
    std::function<void(const Error*)> on_store;
    std::function<void(const Error*)> on_export;
    std::function<void(double seconds)> on_commit;
  };

  // open makes a new store, or a log that the store does not have, only if the record's log is
  // there and empty, as `psephos box start` and `registrar start` leave it, and was never begun
  // before: a mark beside the record says so, since receipts leave before files. It opens the
  // store, rebuilds, and compares with the published files. Errc::rejected: what is there cannot be
  // explained.
  static Result<std::unique_ptr<Ledger>> open(Options options,
                                              std::shared_ptr<ElectionRecord> record);
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;
  ~Ledger();

  void start();   // begins to export, and to keep the store's write-ahead log small
  void finish();  // ends that, after a last export

  // Guards the store and what was rebuilt from it: exclusive for those who change that.
  [[nodiscard]] std::shared_mutex& mutex() const { return mutex_; }
  // Under the lock; Errc::environment while the store does not work.
  [[nodiscard]] Result<store::SqliteStore*> store() const;

  // change makes a change to the store beside its logs, from any thread.
  using Change = std::function<Result<void>(store::SqliteStore&)>;
  Result<void> change(const Change& change);
  // After the store failed nothing is known of it but what a new opening finds. reopen tries that
  // once, under no lock; the sequencer alone calls it, soon after the store is not healthy any
  // more.
  void failed(const Error& error);
  bool reopen();
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
  // Whether the logs are final unless somebody resumes: stopped, all answered, the store sound.
  [[nodiscard]] bool at_rest() const;

 private:
  // All that an opening of the store makes.
  struct Opened {
    std::unique_ptr<store::SqliteStore> store;
    Exporter exporter;
    Install install;
    bool stopped;
  };

  Ledger(Options options, std::shared_ptr<ElectionRecord> record)
      : options_(std::move(options)), record_(std::move(record)) {}
  [[nodiscard]] std::filesystem::path mark(const std::string& log) const;
  [[nodiscard]] Result<bool> is_marked(const std::string& log) const;
  [[nodiscard]] Result<void> never_begun(const std::string& log, std::string_view lost) const;
  Result<void> begin_logs(store::SqliteStore& store) const;
  [[nodiscard]] Result<Opened> open_store() const;
  void put_in_place(Opened opened);
  void export_logs();
  void maintain();

  const Options options_;
  const std::shared_ptr<ElectionRecord> record_;
  mutable std::shared_mutex mutex_;
  std::unique_ptr<store::SqliteStore> store_;
  std::mutex export_mutex_;
  std::optional<Exporter> exporter_;
  std::mutex maintenance_mutex_;
  store::SqliteStore* maintained_ = nullptr;
  std::atomic<bool> healthy_ = false;

  mutable std::mutex settled_mutex_;
  std::condition_variable settled_;
  std::atomic<bool> stopped_ = false;
  std::size_t unanswered_ = 0;

  std::mutex finish_mutex_;
  std::condition_variable finish_;
  bool finishing_ = false;
  std::jthread export_thread_;
  std::jthread maintenance_thread_;
};

}  // namespace psephos::server
