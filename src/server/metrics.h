// Numbers of a running server, in the text format of Prometheus. All names begin with psephosd_;
// kMetricNames lists them.
//
// No label is made of what a client sent: routes are templates, methods the usual ones, statuses
// their class. Counts of ballots and issuances show, to whoever reads them often, when the next one
// came: deploy/README.md asks operators to treat them so.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "psephos/protocol/check.h"
#include "psephos/protocol/main_log.h"

#include "src/http/server.h"

namespace psephos::server {

inline constexpr std::array<std::string_view, 23> kMetricNames{
    "psephosd_ballots_total",         "psephosd_ballot_stage_seconds",
    "psephosd_ballot_batch_entries",  "psephosd_ballot_queue_entries",
    "psephosd_store_commit_seconds",  "psephosd_store_healthy",
    "psephosd_log_entries",           "psephosd_issuances_total",
    "psephosd_issuance_seconds",      "psephosd_http_requests_total",
    "psephosd_http_request_seconds",  "psephosd_http_received_bytes_total",
    "psephosd_http_sent_bytes_total", "psephosd_http_connections",
    "psephosd_event_listeners",       "psephosd_export_lag_entries",
    "psephosd_export_failures_total", "psephosd_mirror_failures_total",
    "psephosd_election_phase",        "psephosd_election_stopped",
    "psephosd_admin_calls_total",     "psephosd_build_info",
    "psephosd_start_time_seconds",
};

// Metrics may be used by several threads. What happens for every ballot or request is cheap: a
// counter, or a histogram and its lock.
class Metrics {
 public:
  // `started` is when the process started.
  explicit Metrics(std::chrono::system_clock::time_point started);
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  ~Metrics();

  // The box. Elections are numbered as in the configuration. unavailable: shed, stopped or closed.
  enum class Ballot : std::uint8_t { accepted, repeated, unavailable };
  void ballot(Ballot outcome);
  void ballot_refused(protocol::Check check);
  enum class Stage : std::uint8_t { queue, judge, decide, commit, answer };
  void stage(Stage stage, double seconds);
  void batch(std::size_t entries);
  void queue(std::size_t election, std::size_t entries);

  // The registrar.
  enum class Issuance : std::uint8_t { issued, repeated, refused, unavailable };
  void issuance(Issuance outcome, double seconds);

  // Stores and logs. `log` is "box/0", "roll/0", "main".
  enum class Store : std::uint8_t { box, registrar };
  void store_commit(Store store, double seconds);
  void store_healthy(std::size_t election, Store store, bool healthy);
  void log_entries(std::size_t election, std::string_view log, std::uint64_t entries);
  // How many entries the store has that the published files have not.
  void export_lag(std::size_t election, std::string_view log, std::uint64_t entries);
  void export_failed();
  void mirror_failed();

  // HTTP: the observer of a server. How long an event stream lasted is not counted: it says how
  // long somebody listened.
  void request(const http::RequestRecord& request);
  void connections(std::size_t open);
  void event_listeners(std::size_t listening);
  enum class AdminCall : std::uint8_t { done, refused, not_allowed, failed };
  void admin_call(AdminCall outcome);

  void phase(std::size_t election, protocol::MainLog::Phase phase);
  void stopped(std::size_t election, bool stopped);

  // The answer to a scrape, and its media type.
  [[nodiscard]] std::string text() const;
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace psephos::server
