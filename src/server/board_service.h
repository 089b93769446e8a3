// The board of one election: brings together the logs that other processes keep, and tells what is
// new to all who listen.
#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "psephos/crypto/relation.h"
#include "psephos/network/http_client.h"
#include "psephos/network/mirror.h"
#include "psephos/runtime/thread_executor.h"

#include "src/http/events.h"
#include "src/server/config.h"
#include "src/server/election_record.h"
#include "src/server/live.h"

namespace psephos::server {

class BoardService {
 public:
  struct Options {
    LiveConfig live;
    std::filesystem::path history;  // of turnout, for the chart
    // How the names of files begin that keep conflicts: evidence that a log has two histories.
    std::filesystem::path evidence;
    BoardConfig board;
    std::function<bool()> stopped;  // whether this process takes nothing at the moment
    // Told of each attempt: an error, or none. The log is that of a mirror's first.
    std::function<void(const std::string& log, const Error*)> on_mirror;
    std::function<void(const Error*)> on_live;
    // Told of each conflict that is new.
    std::function<void(const network::Conflict&)> on_conflict;
  };
  // http may be null if there are no mirrors; it and the evaluator must outlive the board.
  static Result<std::unique_ptr<BoardService>> open(Options options,
                                                    std::shared_ptr<ElectionRecord> record,
                                                    network::HttpClient* http,
                                                    const crypto::Evaluator& evaluator);
  BoardService(const BoardService&) = delete;
  BoardService& operator=(const BoardService&) = delete;
  ~BoardService();

  void start();
  // finish stops mirroring, and tells a last time what is new in the record.
  void finish();

  [[nodiscard]] const std::shared_ptr<http::EventHub>& events() const { return events_; }
  [[nodiscard]] std::shared_ptr<const std::string> snapshot() const { return live_->snapshot(); }

 private:
  struct Source {
    std::string log;  // the first, for messages
    bool brings_main;
    std::unique_ptr<network::HttpRecord> record;
    std::unique_ptr<network::Mirror> mirror;
  };
  BoardService(Options options, std::shared_ptr<ElectionRecord> record)
      : options_(std::move(options)), record_(std::move(record)) {}
  void follow();
  // What stays of a conflict: a file, and a word to everybody who follows.
  Result<void> keep(const network::Conflict& conflict);
  void recall_conflicts();

  const Options options_;
  const std::shared_ptr<ElectionRecord> record_;
  std::shared_ptr<http::EventHub> events_;
  std::unique_ptr<LiveFeed> live_;
  runtime::ThreadExecutor executor_{4};  // waits for the network, mostly
  std::vector<Source> sources_;
  std::set<std::string> conflicts_;  // the files of those that were told

  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> finishing_ = false;  // changes under the mutex
  std::jthread thread_;
};

}  // namespace psephos::server
