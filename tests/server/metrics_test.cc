#include "src/server/metrics.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace psephos::server {
namespace {

using protocol::Check;
using Phase = protocol::MainLog::Phase;

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

// The value of a sample, whose labels are given in alphabetical order; "none" if it is not there.
std::string value_of(const Metrics& metrics, const std::string& sample) {
  for (const std::string& line : lines_of(metrics.text())) {
    if (line.starts_with(sample + " ")) {
      return line.substr(sample.size() + 1);
    }
  }
  return "none";
}

class ServerMetrics : public testing::Test {
 protected:
  Metrics metrics{std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000))};
  [[nodiscard]] std::string value(const std::string& sample) const {
    return value_of(metrics, sample);
  }
  void request(std::string route, std::string method, unsigned status, double seconds = 0.01,
               bool stream = false) {
    metrics.request({.route = std::move(route),
                     .method = std::move(method),
                     .status = status,
                     .seconds = seconds,
                     .received = 10,
                     .sent = 100,
                     .stream = stream});
  }
};

TEST_F(ServerMetrics, BallotsByOutcomeAndCheck) {
  metrics.ballot(Metrics::Ballot::accepted);
  metrics.ballot(Metrics::Ballot::accepted);
  metrics.ballot(Metrics::Ballot::repeated);
  metrics.ballot(Metrics::Ballot::unavailable);
  metrics.ballot_refused(Check::ballot_proofs);
  metrics.ballot_refused(Check::one_ballot);
  EXPECT_EQ(value(R"(psephosd_ballots_total{check="",outcome="accepted"})"), "2");
  EXPECT_EQ(value(R"(psephosd_ballots_total{check="",outcome="repeated"})"), "1");
  EXPECT_EQ(value(R"(psephosd_ballots_total{check="",outcome="unavailable"})"), "1");
  for (const auto& [check, count] : std::vector<std::pair<std::string, std::string>>{
           {"V6", "0"}, {"V7", "0"}, {"V8", "1"}, {"V9", "1"}, {"V10", "0"}, {"V11", "0"}}) {
    EXPECT_EQ(value("psephosd_ballots_total{check=\"" + check + R"(",outcome="refused"})"), count);
  }
}

TEST_F(ServerMetrics, ARefusalByAnotherCheckIsNotLost) {
  metrics.ballot_refused(Check::receipts);
  EXPECT_EQ(value(R"(psephosd_ballots_total{check="V6",outcome="refused"})"), "1");
  EXPECT_EQ(value(R"(psephosd_ballots_total{check="V15",outcome="refused"})"), "none");
}

TEST_F(ServerMetrics, Histograms) {
  metrics.stage(Metrics::Stage::judge, 0.02);
  metrics.stage(Metrics::Stage::judge, 20);
  metrics.batch(100);
  metrics.store_commit(Metrics::Store::registrar, 0.003);
  metrics.issuance(Metrics::Issuance::issued, 0.3);
  EXPECT_EQ(value(R"(psephosd_ballot_stage_seconds_bucket{stage="judge",le="0.01"})"), "0");
  EXPECT_EQ(value(R"(psephosd_ballot_stage_seconds_bucket{stage="judge",le="0.025"})"), "1");
  EXPECT_EQ(value(R"(psephosd_ballot_stage_seconds_bucket{stage="judge",le="+Inf"})"), "2");
  EXPECT_EQ(value(R"(psephosd_ballot_stage_seconds_count{stage="commit"})"), "0");
  EXPECT_EQ(value(R"(psephosd_ballot_batch_entries_bucket{le="64"})"), "0");
  EXPECT_EQ(value(R"(psephosd_ballot_batch_entries_bucket{le="128"})"), "1");
  EXPECT_EQ(value(R"(psephosd_ballot_batch_entries_sum)"), "100");
  EXPECT_EQ(value(R"(psephosd_store_commit_seconds_count{store="registrar"})"), "1");
  EXPECT_EQ(value(R"(psephosd_issuance_seconds_count)"), "1");
  EXPECT_EQ(value(R"(psephosd_issuances_total{outcome="issued"})"), "1");
  EXPECT_EQ(value(R"(psephosd_issuances_total{outcome="refused"})"), "0");
}

TEST_F(ServerMetrics, Gauges) {
  metrics.queue(0, 12);
  metrics.queue(0, 7);
  metrics.log_entries(1, "box/0", 1'000'000);
  metrics.export_lag(1, "box/0", 3);
  metrics.connections(5);
  metrics.event_listeners(4);
  metrics.store_healthy(0, Metrics::Store::box, true);
  metrics.store_healthy(0, Metrics::Store::box, false);
  metrics.stopped(0, true);
  EXPECT_EQ(value(R"(psephosd_ballot_queue_entries{election="0"})"), "7");
  EXPECT_EQ(value(R"(psephosd_log_entries{election="1",log="box/0"})"), "1000000");
  EXPECT_EQ(value(R"(psephosd_export_lag_entries{election="1",log="box/0"})"), "3");
  EXPECT_EQ(value("psephosd_http_connections"), "5");
  EXPECT_EQ(value("psephosd_event_listeners"), "4");
  EXPECT_EQ(value(R"(psephosd_store_healthy{election="0",store="box"})"), "0");
  EXPECT_EQ(value(R"(psephosd_election_stopped{election="0"})"), "1");
  EXPECT_EQ(value("psephosd_start_time_seconds"), "1700000000");
}

TEST_F(ServerMetrics, AnElectionIsInOnePhase) {
  metrics.phase(0, Phase::voting);
  metrics.phase(0, Phase::closed);
  EXPECT_EQ(value(R"(psephosd_election_phase{election="0",phase="closed"})"), "1");
  EXPECT_EQ(value(R"(psephosd_election_phase{election="0",phase="voting"})"), "0");
  EXPECT_EQ(value(R"(psephosd_election_phase{election="0",phase="complete"})"), "0");
}

TEST_F(ServerMetrics, RequestsByRouteMethodAndClass) {
  const std::string route = "/v1/elections/{id}/ballots";
  request(route, "POST", 200);
  request(route, "POST", 201);
  request(route, "POST", 429);
  request("", "GET", 404);
  request("/", "other", 0);
  EXPECT_EQ(
      value(R"(psephosd_http_requests_total{method="POST",route=")" + route + R"(",status="2xx"})"),
      "2");
  EXPECT_EQ(
      value(R"(psephosd_http_requests_total{method="POST",route=")" + route + R"(",status="4xx"})"),
      "1");
  EXPECT_EQ(value(R"(psephosd_http_requests_total{method="GET",route="none",status="4xx"})"), "1");
  EXPECT_EQ(value(R"(psephosd_http_requests_total{method="other",route="/",status="none"})"), "1");
  EXPECT_EQ(value(R"(psephosd_http_request_seconds_count{method="POST",route=")" + route + R"("})"),
            "3");
  EXPECT_EQ(value("psephosd_http_received_bytes_total"), "50");
  EXPECT_EQ(value("psephosd_http_sent_bytes_total"), "500");
}

TEST_F(ServerMetrics, StreamsAreCountedButNotTimed) {
  request("/events", "GET", 200, 3600, true);
  EXPECT_EQ(value(R"(psephosd_http_requests_total{method="GET",route="/events",status="2xx"})"),
            "1");
  EXPECT_EQ(value(R"(psephosd_http_request_seconds_count{method="GET",route="/events"})"), "0");
}

TEST_F(ServerMetrics, RoutesAreBounded) {
  for (int i = 0; i < 1000; ++i) {
    request("/r" + std::to_string(i), "GET", 200);
  }
  const auto lines = lines_of(metrics.text());
  EXPECT_LE(std::ranges::count_if(lines,
                                  [](const std::string& line) {
                                    return line.starts_with("psephosd_http_requests_total{");
                                  }),
            101);
  EXPECT_EQ(value(R"(psephosd_http_requests_total{method="GET",route="other",status="2xx"})"),
            "900");
}

TEST_F(ServerMetrics, LabelsAreEscaped) {
  request("/a\"b\\c\nd", "GET", 200);
  EXPECT_EQ(value(R"(psephosd_http_requests_total{method="GET",route="/a\"b\\c\nd",status="2xx"})"),
            "1");
}

// Each name of the list is a metric with a help text, and there is no other.
TEST_F(ServerMetrics, NamesAreThoseOfTheList) {
  metrics.queue(0, 0);
  metrics.store_healthy(0, Metrics::Store::box, true);
  metrics.log_entries(0, "main", 1);
  metrics.export_lag(0, "main", 1);
  metrics.phase(0, Phase::voting);
  metrics.stopped(0, false);
  request("/", "GET", 200);
  std::set<std::string> found;
  std::set<std::string> helped;
  for (const std::string& line : lines_of(metrics.text())) {
    std::istringstream words(line);
    std::string hash;
    std::string what;
    std::string name;
    words >> hash >> what >> name;
    if (hash == "#" && what == "TYPE") {
      found.insert(name);
    } else if (hash == "#" && what == "HELP") {
      helped.insert(name);
    }
  }
  EXPECT_EQ(found, std::set<std::string>(kMetricNames.begin(), kMetricNames.end()));
  EXPECT_EQ(helped, found);
  for (const std::string_view name : kMetricNames) {
    EXPECT_TRUE(name.starts_with("psephosd_"));
  }
}

TEST_F(ServerMetrics, ManyThreads) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 500; ++i) {
        metrics.ballot(Metrics::Ballot::accepted);
        metrics.stage(Metrics::Stage::queue, 0.001);
        request("/" + std::to_string(i % 7), "GET", 200);
        if (i % 100 == 0) {
          EXPECT_FALSE(metrics.text().empty());
        }
      }
    });
  }
  threads.clear();
  EXPECT_EQ(value(R"(psephosd_ballots_total{check="",outcome="accepted"})"), "2000");
  EXPECT_EQ(value(R"(psephosd_ballot_stage_seconds_count{stage="queue"})"), "2000");
}

}  // namespace
}  // namespace psephos::server
