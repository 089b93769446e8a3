#include "bench/box_load/run.h"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "psephos/crypto/batch_evaluator.h"
#include "psephos/protocol/ballot.h"
#include "psephos/protocol/verify.h"
#include "psephos/random.h"
#include "psephos/runtime/directory.h"

#include "bench/box_load/ballots.h"
#include "bench/box_load/client.h"

namespace psephos::load {

namespace {

constexpr std::chrono::microseconds kPatience(500);
constexpr std::chrono::seconds kLastAnswers(30);

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::string post(const Client& client, const std::string& election, std::size_t length) {
  return "POST /v1/elections/" + election + "/ballots HTTP/1.1\r\nHost: " + client.host() +
         "\r\nContent-Type: application/octet-stream\r\nContent-Length: " + std::to_string(length) +
         "\r\n\r\n";
}

// Latencies of one kind of answer, in seconds.
class Latencies {
 public:
  void add(double seconds) { all_.push_back(static_cast<float>(seconds)); }
  void print(const char* what) {
    std::ranges::sort(all_);
    const auto at = [this](double part) {
      const auto last = static_cast<double>(all_.size() - 1);
      return 1000.0 * static_cast<double>(all_[static_cast<std::size_t>(part * last)]);
    };
    if (!all_.empty()) {
      std::printf("latency_ms %s: p50 %.1f, p95 %.1f, p99 %.1f, max %.1f\n", what, at(0.5),
                  at(0.95), at(0.99), at(1));
    }
  }

 private:
  std::vector<float> all_;
};

}  // namespace

Result<void> run(const RunOptions& options) {
  PSEPHOS_TRY(const Ballots ballots, Ballots::open(options.ballots));
  Receipts kept;
  std::error_code error;
  if (!options.receipts.empty() && std::filesystem::exists(options.receipts, error)) {
    PSEPHOS_TRY(kept, read_receipts(options.receipts));
  }
  const std::size_t end =
      options.count == 0 ? ballots.size() : std::min(ballots.size(), options.from + options.count);
  std::size_t next = options.from;
  std::deque<std::size_t> again;  // ballots that were shed
  std::map<unsigned, std::size_t> by_status;
  std::vector<std::pair<std::size_t, std::string>> receipts;
  std::vector<std::size_t> per_second;
  Latencies accepted;
  Latencies shed;
  std::size_t changed = 0;
  std::size_t sent = 0;
  bool lost = false;
  Clock::time_point start;
  const auto done = [&](const Exchange& exchange, unsigned status, std::string_view body) {
    const auto now = Clock::now();
    ++by_status[status];
    if (status == 200) {
      accepted.add(seconds_between(exchange.due, now));
      const auto second = static_cast<std::size_t>(seconds_between(start, now));
      per_second.resize(std::max(per_second.size(), second + 1));
      ++per_second[second];
      receipts.emplace_back(exchange.tag, body);
    } else if (status == 429 || status == 503) {
      shed.add(seconds_between(exchange.due, now));
      again.push_back(exchange.tag);
    } else if (status == 0) {
      lost = true;
    } else if (by_status[status] == 1) {
      std::fprintf(stderr, "ballot %zu: status %u: %.*s\n", exchange.tag, status,
                   static_cast<int>(std::min<std::size_t>(body.size(), 400)), body.data());
    }
  };
  auto connected = Client::connect(options.url, options.connections, done);
  if (!connected.has_value()) {
    if (!options.until_lost) {
      return std::unexpected(connected.error());
    }
    std::printf("next ballot %zu\n", next);
    return {};
  }
  Client& client = *connected;
  std::string head;
  std::size_t head_for = 0;
  start = Clock::now();
  const auto finish = start + std::chrono::duration_cast<Clock::duration>(
                                  std::chrono::duration<double>(options.seconds));
  std::uint64_t scheduled = 0;
  std::uint64_t behind = 0;  // due, but no connection was idle
  const auto due_at = [&](std::uint64_t i) {
    return start + std::chrono::duration_cast<Clock::duration>(
                       std::chrono::duration<double>(static_cast<double>(i) / options.rate));
  };
  while (true) {
    auto now = Clock::now();
    if (now >= finish || client.open() == 0 || (lost && options.until_lost)) {
      break;
    }
    while (client.idle() != 0 && (next < end || !again.empty())) {
      const auto due = options.rate > 0 ? due_at(scheduled) : Clock::now();
      if (due > now && options.rate > 0) {
        break;
      }
      std::size_t number = next;
      if (next < end) {
        ++next;
      } else {
        number = again.front();
        again.pop_front();
      }
      const ByteView ballot = ballots[number];
      if (ballot.size() != head_for) {
        head = post(client, options.election, ballot.size());
        head_for = ballot.size();
      }
      ++scheduled;
      ++sent;
      client.start({.tag = number, .head = head, .body = ballot, .due = due});
    }
    if (client.busy() == 0 && next >= end && again.empty()) {
      break;
    }
    client.poll(kPatience);
  }
  const double seconds = seconds_between(start, Clock::now());
  if (options.rate > 0) {
    const auto offered = static_cast<std::uint64_t>(seconds * options.rate);
    behind = offered > sent ? offered - sent : 0;
  }
  const auto patience = Clock::now() + kLastAnswers;
  while (client.busy() != 0 && Clock::now() < patience && !(lost && options.until_lost)) {
    client.poll(std::chrono::milliseconds(5));
  }

  std::printf("sent %zu in %.2f s, %.0f a second; %zu accepted, %.0f a second\n", sent, seconds,
              static_cast<double>(sent) / seconds, by_status[200],
              static_cast<double>(by_status[200]) / seconds);
  if (behind != 0) {
    std::printf("not sent for want of a connection: %llu\n",
                static_cast<unsigned long long>(behind));
  }
  for (const auto& [status, count] : by_status) {
    std::printf("status %u: %zu\n", status, count);
  }
  accepted.print("accepted");
  shed.print("shed");
  if (per_second.size() > 2) {
    const auto [least, most] = std::minmax_element(per_second.begin(), per_second.end() - 1);
    std::printf("accepted in a second: least %zu, most %zu\n", *least, *most);
  }
  std::printf("next ballot %zu\n", next);

  for (auto& [number, text] : receipts) {
    const auto [at, is_new] = kept.emplace(number, text);
    if (!is_new && at->second != text) {
      ++changed;
      std::fprintf(stderr, "ballot %zu: another receipt than before\n", number);
    }
  }
  if (!options.receipts.empty()) {
    PSEPHOS_CHECK_OK(write_receipts(options.receipts, kept));
  }
  std::size_t odd = options.until_lost ? 0 : by_status[0] + client.busy();
  for (const auto& [status, count] : by_status) {
    odd += status == 0 || status == 200 || status == 429 || status == 503 ? 0 : count;
  }
  if (odd != 0 || changed != 0) {
    return fail(Errc::rejected, std::to_string(odd) +
                                    " ballots were not answered as they should, " +
                                    std::to_string(changed) + " receipts changed");
  }
  return {};
}

Result<void> disvote(const DisVoteOptions& options) {
  PSEPHOS_TRY(const Ballots ballots, Ballots::open(options.ballots));
  if (ballots.size() < options.from + options.votes) {
    return fail(Errc::misuse, options.ballots.string() + ": too few ballots");
  }
  SystemRandom random;
  const crypto::BatchEvaluator evaluator(random);
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto log, protocol::read_main_log(record, evaluator));
  if (log->election() == nullptr) {
    return fail(Errc::misuse, options.record.string() + ": the election is not open yet");
  }
  const protocol::Election& election = *log->election();
  std::vector<std::string> codes;
  for (std::size_t i = 0; i < options.votes; ++i) {
    PSEPHOS_TRY(const auto entry, protocol::decode_box_entry(ballots[options.from + i], election));
    std::string code = protocol::print(protocol::tracking_code(
        election.id(), protocol::style_of(entry), protocol::encrypted_of(entry)));
    std::erase(code, ' ');
    codes.push_back(std::move(code));
  }

  std::vector<std::string> receipts(options.votes);
  std::deque<std::size_t> to_read;
  std::size_t answered = 0;
  std::size_t wrong = 0;
  Latencies votes;
  Latencies reads;
  const auto done = [&](const Exchange& exchange, unsigned status, std::string_view body) {
    ++answered;
    const double seconds = seconds_between(exchange.due, Clock::now());
    if (exchange.tag < options.votes) {
      votes.add(seconds);
      receipts[exchange.tag] = body;
      to_read.push_back(exchange.tag);
    } else {
      reads.add(seconds);
      wrong += receipts[exchange.tag - options.votes] == body ? 0U : 1U;
    }
    wrong += status == 200 ? 0U : 1U;
  };
  PSEPHOS_TRY(Client client, Client::connect(options.url, options.connections, done));
  const auto start = Clock::now();
  for (std::size_t cast = 0; answered < 2 * options.votes && client.open() != 0;) {
    while (client.idle() != 0 && (cast < options.votes || !to_read.empty())) {
      if (!to_read.empty()) {
        const std::size_t i = to_read.front();
        to_read.pop_front();
        client.start({.tag = options.votes + i,
                      .head = "GET /v1/elections/" + hex(election.id()) + "/receipts/" + codes[i] +
                              " HTTP/1.1\r\nHost: " + client.host() + "\r\n\r\n",
                      .body = {},
                      .due = Clock::now()});
        continue;
      }
      const ByteView ballot = ballots[options.from + cast];
      client.start({.tag = cast,
                    .head = post(client, hex(election.id()), ballot.size()),
                    .body = ballot,
                    .due = Clock::now()});
      ++cast;
    }
    client.poll(kPatience);
  }
  std::printf("%zu votes and %zu reads of their receipts in %.3f s\n", options.votes, options.votes,
              seconds_between(start, Clock::now()));
  votes.print("votes");
  reads.print("reads");
  if (wrong != 0 || answered != 2 * options.votes) {
    return fail(Errc::rejected, std::to_string(wrong) + " answers were wrong");
  }
  return {};
}

}  // namespace psephos::load
