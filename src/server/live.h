// What the public sees of an election while it runs: turnout, phase, newest checkpoints.
//
// The logs are public as they grow, and whoever reads them can count exactly. What is made easy
// here is coarse: turnout of a ballot style is rounded down to a multiple of `step` and told at
// most once per `interval`, at times that are multiples of it. Turnout of a district and of the
// election is the sum of these rounded numbers, not the rounded sum: nothing that can be computed
// from the published numbers says more than the styles' own. (Rounded sums would: total minus
// styles is the sum of the remainders, which tells when the first voter of a small style came.) So
// the election's number is less than the true one by up to step − 1 voters for each style.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "psephos/protocol/ballot.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/main_log.h"
#include "psephos/protocol/opening.h"
#include "psephos/protocol/storage.h"

#include "src/server/config.h"

namespace psephos::server {

// LiveFeed follows the published files of one election. poll is called by one thread at a time;
// snapshot by any.
class LiveFeed {
 public:
  // Takes an event, to be sent to all who listen (http::EventHub::publish): its name, and JSON on
  // one line.
  using Publish = std::function<void(std::string_view name, const std::string& data)>;
  using Clock = std::function<std::chrono::sys_seconds()>;
  struct Options {
    LiveConfig config;
    // Where the chart's samples are kept for the next start: a file of what was published anyway.
    // Empty: the chart begins anew. Not in the record, which holds nothing else.
    std::filesystem::path history;
  };
  // What the main log says.
  struct State {
    protocol::MainLog::Phase phase = protocol::MainLog::Phase::opened;
    bool stopped = false;  // nothing is taken at the moment
    friend bool operator==(const State&, const State&) = default;
  };

  // create: Errc::misuse if a district names a style that the election does not have, or one that
  // another district names. A history that cannot be read is none. `record` must outlive the feed.
  static Result<std::unique_ptr<LiveFeed>> create(
      Options options, const protocol::RecordSource& record,
      std::shared_ptr<const protocol::Election> election, Publish publish, Clock now);

  // poll reads what is new, at most kMaxEntries of it, and publishes what has changed. Returns
  // whether all entries were read: turnout is not told before. After an error it goes on at the
  // next call where it stopped; files are replaced while it reads.
  //
  // Events:
  //   turnout {"election":40,"styles":{"north":30,"south":10},"districts":{…},"time":1700000000}
  //   state       {"phase":"voting","stopped":false}
  //   checkpoint  {"log":"box/0","size":57,"root":"base64","witnesses":["name", …]}
  //   result      {"files":["result.json","result.csv"]}
  //   conflict    {"log":"box/0"}
  Result<bool> poll(const State& state);
  static constexpr std::uint64_t kMaxEntries = std::uint64_t{1} << 16;

  // tell_conflict says, from now on, that a log's key has signed two histories. By the thread that
  // polls.
  void tell_conflict(const std::string& log);

  // snapshot is JSON, for those who come later: {"election":id,"step":…,"interval":seconds,
  // "phase":…,"stopped":…,"turnout":… as the event, null before all logs were read once,
  // "history":[[time,turnout of the election], …],"checkpoints":[… as the events],"result":bool,
  // "conflicts":["box/0", …]}.
  [[nodiscard]] std::shared_ptr<const std::string> snapshot() const;

  LiveFeed(const LiveFeed&) = delete;
  LiveFeed& operator=(const LiveFeed&) = delete;

  // The most samples the history has; when there are more, they are taken half as often.
  static constexpr std::size_t kMaxSamples = 1000;

  // Keeps the history, as poll does every minute at most.
  ~LiveFeed();

 private:
  using Seconds = std::chrono::sys_seconds;
  struct BoxLog {
    std::string name;
    std::uint64_t read = 0;  // entries
  };
  struct Checkpoint {
    std::string log;
    std::string note;  // as it was when it was told
    std::string json;  // as it was told; empty before
    Seconds told;
  };
  struct Sample {
    std::int64_t time;
    std::uint64_t turnout;
  };

  LiveFeed(Options options, const protocol::RecordSource& record,
           std::shared_ptr<const protocol::Election> election, Publish publish, Clock now);
  // Returns whether everything was read.
  Result<bool> count(BoxLog& box, std::uint64_t& allowance);
  Result<void> look_at(Checkpoint& checkpoint, Seconds slot);
  void tell_turnout(Seconds slot);
  void add_sample(Sample sample);
  void load_history();
  Result<void> save_history(Seconds now);
  void show();

  const Options options_;
  const protocol::RecordSource& record_;
  const std::shared_ptr<const protocol::Election> election_;
  const Publish publish_;
  const Clock now_;
  const std::chrono::seconds interval_;

  std::vector<BoxLog> boxes_;
  // Who has cast a ballot, if more than one of a voter may stand in the log. An ordered set: voters
  // choose their pks.
  std::set<protocol::CredentialPk> voted_;
  std::vector<std::uint64_t> counted_;  // per style
  std::vector<std::uint64_t> told_;     // per style, rounded
  std::string turnout_;                 // as it was told; empty before
  Seconds turnout_told_;
  std::vector<Checkpoint> checkpoints_;
  std::optional<State> state_;
  bool result_ = false;
  std::set<std::string> conflicts_;  // logs

  std::vector<Sample> history_;
  std::chrono::seconds spacing_;  // of samples
  bool history_changed_ = false;
  Seconds history_saved_;

  mutable std::mutex mutex_;
  std::shared_ptr<const std::string> snapshot_;
};

}  // namespace psephos::server
