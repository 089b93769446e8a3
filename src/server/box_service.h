// The ballot box of one election, at work: judges many ballots at once, decides one after another,
// stores a group, and only then answers.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "psephos/crypto/relation.h"
#include "psephos/protocol/box.h"
#include "psephos/random.h"

#include "src/server/batch_queue.h"
#include "src/server/election_record.h"
#include "src/server/ledger.h"
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
  // shed: there was no room. unavailable: stopped, closed, or the store does not work.
  enum class Outcome : std::uint8_t { accepted, repeated, refused, shed, unavailable };
  virtual void on_outcome(Outcome outcome, const protocol::Fault* fault) = 0;
  // The store failed, or works again (no error).
  virtual void on_store(const Error* error) = 0;
  virtual void on_export(const Error* error) = 0;
  virtual void on_commit(double seconds) = 0;
};

class BoxService {
 public:
  struct Options {
    std::filesystem::path store;
    std::vector<std::uint32_t> shards;  // empty: all
    std::size_t threads = 2;            // to judge with
    std::size_t queue = 4096;           // entries taken and not answered, in whatever stage
    std::size_t batch = 512;            // judged at once, at most
    std::chrono::milliseconds export_interval{1000};
  };

  // open rebuilds the box from its store (ledger.h). Nothing runs before start. `evaluator` and
  // `observer` must outlive the service.
  static Result<std::unique_ptr<BoxService>> open(Options options,
                                                  std::shared_ptr<ElectionRecord> record,
                                                  protocol::BoxKeys keys,
                                                  const crypto::Evaluator& evaluator,
                                                  BoxObserver& observer);
  BoxService(const BoxService&) = delete;
  BoxService& operator=(const BoxService&) = delete;
  ~BoxService();  // as finish

  void start();
  // finish answers everything that was taken, exports, and closes the store. Entries that come
  // later are answered NotNow.
  void finish();

  // submit takes an entry (type ‖ body). It answers at once if there is no room or the polls are
  // not open; else when the entry's fate is durable.
  void submit(Bytes entry, AnswerBallot answer);

  // The receipt of an entry of this tracking code, as it was given when it was taken; nothing if
  // there is none.
  [[nodiscard]] Result<std::optional<std::string>> receipt(const protocol::TrackingCode& code);

  Result<void> stop() { return ledger_->stop(); }
  Result<void> resume() { return ledger_->resume(); }
  [[nodiscard]] bool stopped() const { return ledger_->stopped(); }
  // A main log with a close in it must name the final logs of a box that was stopped.
  [[nodiscard]] Result<void> may_become(const protocol::MainLog& next) const;

  [[nodiscard]] const std::vector<std::string>& logs() const { return log_names_; }
  // The newest checkpoint of one of its logs.
  [[nodiscard]] Result<std::string> checkpoint(const std::string& log) const;
  // Entries taken and not answered yet.
  [[nodiscard]] std::size_t waiting() const { return waiting_; }
  // Whether the store works.
  [[nodiscard]] bool healthy() const { return ledger_->healthy(); }

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
  [[nodiscard]] Result<protocol::LogBatch> empty_log(const std::string& log) const;
  Result<Ledger::Install> rebuild(store::SqliteStore& store);
  void judge();
  void sequence();
  void decide(std::vector<Decidable> batch);
  void put_off(std::vector<Decidable> batch);
  void give(Waiting waiting, BallotAnswer answer,
            BoxObserver::Outcome not_now = BoxObserver::Outcome::unavailable);

  const Options options_;
  const std::shared_ptr<ElectionRecord> record_;
  const protocol::BoxKeys keys_;
  const crypto::Evaluator& evaluator_;
  BoxObserver& observer_;
  std::vector<std::uint32_t> shards_;
  std::vector<std::string> log_names_;
  SystemRandom random_;

  std::optional<protocol::Box> box_;  // under the ledger's lock; the sequencer alone changes it
  std::unique_ptr<Ledger> ledger_;
  // Counted here and not by a queue: what is being judged or committed holds memory, too, and a
  // commit may hang.
  std::atomic<std::size_t> waiting_ = 0;
  BatchQueue<Waiting> incoming_;
  BatchQueue<Decidable> judged_;
  std::atomic<bool> finished_ = false;
  std::vector<std::jthread> judges_;
  std::jthread sequencer_;
};

}  // namespace psephos::server
