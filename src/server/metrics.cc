#include "src/server/metrics.h"

#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <sstream>
#include <tuple>
#include <utility>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "psephos/version.h"

#include "src/server/phase.h"

namespace psephos::server {

namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;

// More routes than a server has: what comes above is counted as one.
constexpr std::size_t kMaxRoutes = 100;

const Histogram::BucketBoundaries& latencies() {
  static const Histogram::BucketBoundaries kBounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                   0.1,    0.25,  0.5,    1,     2.5,  5,     10};
  return kBounds;
}
const Histogram::BucketBoundaries& sizes() {
  static const Histogram::BucketBoundaries kBounds{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
  return kBounds;
}

double number(std::uint64_t value) { return static_cast<double>(value); }

std::string word(Metrics::Store store) {
  return store == Metrics::Store::box ? "box" : "registrar";
}

std::string class_of(unsigned status) {
  return status >= 100 && status < 600 ? std::to_string(status / 100) + "xx" : "none";
}

// The metrics of one family, one for each of some words.
template <class Metric, std::size_t n, class... Arguments>
std::array<Metric*, n> each(Family<Metric>& family, const std::string& label,
                            const std::array<std::string, n>& words,
                            const Arguments&... arguments) {
  std::array<Metric*, n> metrics{};
  for (std::size_t i = 0; i < n; ++i) {
    metrics[i] = &family.Add({{label, words[i]}}, arguments...);
  }
  return metrics;
}

}  // namespace

class Metrics::State {
 public:
  Family<Counter>& counter(std::size_t name, const std::string& help) {
    return prometheus::BuildCounter()
        .Name(std::string(kMetricNames[name]))
        .Help(help)
        .Register(registry);
  }
  Family<Gauge>& gauge(std::size_t name, const std::string& help) {
    return prometheus::BuildGauge()
        .Name(std::string(kMetricNames[name]))
        .Help(help)
        .Register(registry);
  }
  Family<Histogram>& histogram(std::size_t name, const std::string& help) {
    return prometheus::BuildHistogram()
        .Name(std::string(kMetricNames[name]))
        .Help(help)
        .Register(registry);
  }

  prometheus::Registry registry;

  // In the order of kMetricNames.
  Family<Counter>& ballots = counter(0, "Ballots and challenges by what became of them.");
  Family<Histogram>& stages = histogram(
      1, "Time of a batch in a stage; answer: of one ballot, from its arrival to its answer.");
  Family<Histogram>& batches = histogram(2, "Ballots judged at once.");
  Family<Gauge>& queues = gauge(3, "Ballots taken and not answered yet.");
  Family<Histogram>& commits = histogram(4, "Time of a commit of the store.");
  Family<Gauge>& healthy = gauge(5, "Whether the store works.");
  Family<Gauge>& entries = gauge(6, "Entries of a log.");
  Family<Counter>& issuances = counter(7, "Enrolment requests by what became of them.");
  Family<Histogram>& issuance_time = histogram(8, "Time of an enrolment request.");
  Family<Counter>& requests = counter(9, "HTTP requests.");
  Family<Histogram>& request_time = histogram(10, "Time of an HTTP request, streams excepted.");
  Family<Counter>& received = counter(11, "Bytes of HTTP requests.");
  Family<Counter>& sent = counter(12, "Bytes of HTTP answers.");
  Family<Gauge>& open_connections = gauge(13, "Open connections.");
  Family<Gauge>& listeners = gauge(14, "Clients that listen to events.");
  Family<Gauge>& lag = gauge(15, "Entries of the store that the published files lack.");
  Family<Counter>& export_failures = counter(16, "Exports of files that failed.");
  Family<Counter>& mirror_failures = counter(17, "Copies of other processes' logs that failed.");
  Family<Gauge>& phases = gauge(18, "1 for the phase an election is in, 0 for the others.");
  Family<Gauge>& stops = gauge(19, "Whether taking was stopped by an administrator.");
  Family<Counter>& admin_calls = counter(20, "Administrative calls by what became of them.");
  Family<Gauge>& build = gauge(21, "The version of this program.");
  Family<Gauge>& started = gauge(22, "When the process started, in Unix time.");

  // Made at once, so that they are shown as 0 before the first event.
  std::array<Counter*, 3> ballot{&ballots.Add({{"outcome", "accepted"}, {"check", ""}}),
                                 &ballots.Add({{"outcome", "repeated"}, {"check", ""}}),
                                 &ballots.Add({{"outcome", "unavailable"}, {"check", ""}})};
  std::array<Counter*, protocol::kNumChecks> refused{};  // V6 to V11
  std::array<Histogram*, 5> stage = each<Histogram, 5>(
      stages, "stage", {"queue", "judge", "decide", "commit", "answer"}, latencies());
  Histogram& batch = batches.Add({}, sizes());
  std::array<Histogram*, 2> commit =
      each<Histogram, 2>(commits, "store", {"box", "registrar"}, latencies());
  std::array<Counter*, 4> issuance =
      each<Counter, 4>(issuances, "outcome", {"issued", "repeated", "refused", "unavailable"});
  Histogram& issuing = issuance_time.Add({}, latencies());
  Counter& bytes_in = received.Add({});
  Counter& bytes_out = sent.Add({});
  Gauge& connections = open_connections.Add({});
  Gauge& listening = listeners.Add({});
  Counter& failed_exports = export_failures.Add({});
  Counter& failed_mirrors = mirror_failures.Add({});
  std::array<Counter*, 4> admin =
      each<Counter, 4>(admin_calls, "outcome", {"done", "refused", "not_allowed", "failed"});

  // Counters of requests, found without making the labels anew.
  struct Counted {
    Counter* count;
    Histogram* time;  // of the route and method
  };
  using Key = std::tuple<std::string, std::string, unsigned>;  // route, method, class
  std::shared_mutex mutex;
  std::map<Key, Counted, std::less<>> counted;
  std::set<std::string, std::less<>> routes;

  Counted requests_of(std::string_view route, std::string_view method, unsigned status) {
    const std::tuple<std::string_view, std::string_view, unsigned> key{route, method, status / 100};
    {
      const std::shared_lock lock(mutex);
      if (const auto found = counted.find(key); found != counted.end()) {
        return found->second;
      }
    }
    const std::unique_lock lock(mutex);
    std::string name = route.empty() ? "none" : std::string(route);
    if (!routes.contains(name) && routes.size() >= kMaxRoutes) {
      name = "other";
    }
    const auto seen = routes.insert(name).first;
    const Counted made{
        .count = &requests.Add(
            {{"route", *seen}, {"method", std::string(method)}, {"status", class_of(status)}}),
        .time =
            &request_time.Add({{"route", *seen}, {"method", std::string(method)}}, latencies())};
    if (*seen != "other") {  // the map grows no more than the routes
      counted.emplace(key, made);
    }
    return made;
  }
};

Metrics::Metrics(std::chrono::system_clock::time_point started)
    : state_(std::make_unique<State>()) {
  for (auto check = protocol::Check::ballots; check <= protocol::Check::challenges;
       check = static_cast<protocol::Check>(static_cast<int>(check) + 1)) {
    state_->refused[static_cast<std::size_t>(check) - 1] =
        &state_->ballots.Add({{"outcome", "refused"}, {"check", protocol::id(check)}});
  }
  state_->build.Add({{"version", std::string(kVersion)}}).Set(1);
  state_->started.Add({}).Set(std::chrono::duration<double>(started.time_since_epoch()).count());
}
Metrics::~Metrics() = default;

void Metrics::ballot(Ballot outcome) {
  state_->ballot[static_cast<std::size_t>(outcome)]->Increment();
}

void Metrics::ballot_refused(protocol::Check check) {
  // Others are no checks of a ballot: they would be counted with its form.
  Counter* counter = state_->refused[static_cast<std::size_t>(check) - 1];
  (counter != nullptr ? counter
                      : state_->refused[static_cast<std::size_t>(protocol::Check::ballots) - 1])
      ->Increment();
}

void Metrics::stage(Stage stage, double seconds) {
  state_->stage[static_cast<std::size_t>(stage)]->Observe(seconds);
}

void Metrics::batch(std::size_t entries) { state_->batch.Observe(number(entries)); }

void Metrics::queue(std::size_t election, std::size_t entries) {
  state_->queues.Add({{"election", std::to_string(election)}}).Set(number(entries));
}

void Metrics::issuance(Issuance outcome, double seconds) {
  state_->issuance[static_cast<std::size_t>(outcome)]->Increment();
  state_->issuing.Observe(seconds);
}

void Metrics::store_commit(Store store, double seconds) {
  state_->commit[static_cast<std::size_t>(store)]->Observe(seconds);
}

void Metrics::store_healthy(std::size_t election, Store store, bool healthy) {
  state_->healthy.Add({{"election", std::to_string(election)}, {"store", word(store)}})
      .Set(healthy ? 1 : 0);
}

void Metrics::log_entries(std::size_t election, std::string_view log, std::uint64_t entries) {
  state_->entries.Add({{"election", std::to_string(election)}, {"log", std::string(log)}})
      .Set(number(entries));
}

void Metrics::export_lag(std::size_t election, std::string_view log, std::uint64_t entries) {
  state_->lag.Add({{"election", std::to_string(election)}, {"log", std::string(log)}})
      .Set(number(entries));
}

void Metrics::export_failed() { state_->failed_exports.Increment(); }

void Metrics::mirror_failed() { state_->failed_mirrors.Increment(); }

void Metrics::request(const http::RequestRecord& request) {
  const State::Counted counted = state_->requests_of(request.route, request.method, request.status);
  counted.count->Increment();
  if (!request.stream) {
    counted.time->Observe(request.seconds);
  }
  state_->bytes_in.Increment(number(request.received));
  state_->bytes_out.Increment(number(request.sent));
}

void Metrics::connections(std::size_t open) { state_->connections.Set(number(open)); }

void Metrics::event_listeners(std::size_t listening) { state_->listening.Set(number(listening)); }

void Metrics::admin_call(AdminCall outcome) {
  state_->admin[static_cast<std::size_t>(outcome)]->Increment();
}

void Metrics::phase(std::size_t election, protocol::MainLog::Phase phase) {
  for (const protocol::MainLog::Phase each : kPhases) {
    state_->phases.Add({{"election", std::to_string(election)}, {"phase", std::string(name(each))}})
        .Set(each == phase ? 1 : 0);
  }
}

void Metrics::stopped(std::size_t election, bool stopped) {
  state_->stops.Add({{"election", std::to_string(election)}}).Set(stopped ? 1 : 0);
}

std::string Metrics::text() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, state_->registry.Collect());
  return std::move(out).str();
}

}  // namespace psephos::server
