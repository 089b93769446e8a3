// The ballot box of one election, at work: judges many ballots at once, decides one after another,
// stores a group, and only then answers.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "psephos/crypto/relation.h"
#include "psephos/protocol/box.h"
#include "psephos/random.h"

#include "src/server/batch_queue.h"
#include "src/server/election_record.h"
#include "src/server/exporter.h"
#include "src/store/sqlite_store.h"

namespace psephos::server {

// What a ballot or challenge is answered with.
struct Receipt {
  std::string text;  // a C2SP tlog-proof
};
struct Refused {
  protocol::Fault fault;
  std::string note;  // signed: docs/spec.md §7.6
};
struct NotNow {
  std::string reason;
  std::chrono::seconds again;  // after this time the same entry may be sent again
};
using BallotAnswer = std::variant<Receipt, Refused, NotNow>;
// Called once, from a thread of the service.
using AnswerBallot = std::move_only_function<void(BallotAnswer)>;

// BoxObserver is told what happens, for metrics. Called from several threads.
class BoxObserver {
 public:
  BoxObserver() = default;
  BoxObserver(const BoxObserver&) = delete;
  BoxObserver& operator=(const BoxObserver&) = delete;
  virtual ~BoxObserver() = default;
  enum class Stage : std::uint8_t { queue, judge, decide, commit, answer };
  virtual void on_stage(Stage stage, double seconds) = 0;
  virtual void on_batch(std::size_t entries) = 0;
  enum class Outcome : std::uint8_t { accepted, repeated, refused, unavailable };
  virtual void on_outcome(Outcome outcome, const protocol::Fault* fault) = 0;
  // The store failed, or works again (no error).
  virtual void on_store(const Error* error) = 0;
  virtual void on_export(const Error* error) = 0;
};

class BoxService {
 public:
  struct Options {
    std::filesystem::path store;
    std::vector<std::uint32_t> shards;  // empty: all
    std::size_t threads = 2;            // to judge with
    std::size_t queue = 4096;           // entries waiting to be judged
    std::size_t batch = 512;            // judged at once, at most
    std::chrono::milliseconds export_interval{1000};
  };

  // open reads the store (a new one is made only if the record's box logs are there and empty, as
  // `psephos box start` leaves them), rebuilds the box, and compares with the published files.
  // Nothing runs before start. `evaluator` and `observer` must outlive the service.
  static Result<std::unique_ptr<BoxService>> open(Options options,
                                                  std::shared_ptr<ElectionRecord> record,
                                                  protocol::BoxKeys keys,
                                                  const crypto::Evaluator& evaluator,
                                                  BoxObserver& observer);
  BoxService(const BoxService&) = delete;
  BoxService& operator=(const BoxService&) = delete;
  ~BoxService();  // as finish

  void start();
  // finish answers everything that was taken, exports, and closes the store. Entries that come later
  // are answered NotNow.
  void finish();

  // submit takes an entry (type ‖ body). It answers at once if there is no room or the polls are not
  // open; else when the entry's fate is durable.
  void submit(Bytes entry, AnswerBallot answer);

  // The receipt of an entry of this tracking code, as it was given when it was taken; nothing if
  // there is none.
  [[nodiscard]] Result<std::optional<std::string>> receipt(const protocol::TrackingCode& code);

  // stop takes nothing more until resume; both are durable. What is on its way is answered before
  // stop returns, and the record's files hold the final trees.
  Result<void> stop();
  Result<void> resume();
  // A main log with a close in it must name the final logs of a box that was stopped.
  [[nodiscard]] Result<void> may_become(const protocol::MainLog& next) const;
  [[nodiscard]] bool stopped() const { return stopped_; }

  struct LogState {
    std::string log;
    std::string checkpoint;
    std::uint64_t exported = 0;
  };
  [[nodiscard]] Result<std::vector<LogState>> logs() const;
  [[nodiscard]] std::size_t queued() const { return incoming_.size(); }
  // Whether the store works.
  [[nodiscard]] bool healthy() const { return healthy_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Waiting {
    Bytes entry;
    AnswerBallot answer;
    Clock::time_point since;
  };
  struct Decidable {
    Waiting waiting;
    protocol::Box::Judged judged;
  };

  BoxService(Options options, std::shared_ptr<ElectionRecord> record, protocol::BoxKeys keys,
             const crypto::Evaluator& evaluator, BoxObserver& observer);
  Result<void> open_store();
  void judge();
  void sequence();
  void decide(std::vector<Decidable> batch);
  void recover(const Error& error);
  void export_logs();
  void give(Waiting waiting, BallotAnswer answer, const protocol::Fault* fault = nullptr);
  void settle(std::size_t entries);

  const Options options_;
  const std::shared_ptr<ElectionRecord> record_;
  const protocol::BoxKeys keys_;
  const crypto::Evaluator& evaluator_;
  BoxObserver& observer_;
  std::vector<std::uint32_t> shards_;
  std::vector<std::string> log_names_;
  SystemRandom random_;

  // The box, its store and the export of it are made anew together when the store has failed.
  // Exclusive: decide and recover; shared: receipts. A commit needs no lock.
  mutable std::shared_mutex box_mutex_;
  std::unique_ptr<store::SqliteStore> store_;
  std::optional<protocol::Box> box_;
  std::mutex export_mutex_;
  std::optional<Exporter> exporter_;

  BatchQueue<Waiting> incoming_;
  BatchQueue<Decidable> judged_;
  std::atomic<bool> stopped_ = false;
  std::atomic<bool> healthy_ = false;
  std::atomic<bool> finishing_ = false;
  // Entries taken and not answered yet.
  std::mutex settled_mutex_;
  std::condition_variable settled_;
  std::size_t unanswered_ = 0;

  std::vector<std::jthread> judges_;
  std::jthread sequencer_;
  std::jthread export_thread_;
};

}  // namespace psephos::server
