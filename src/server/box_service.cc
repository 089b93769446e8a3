#include "src/server/box_service.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "psephos/crypto/hash.h"
#include "psephos/protocol/log_reader.h"

namespace psephos::server {

namespace {

using protocol::Box;
using protocol::Log;
using protocol::Manifest;
using Phase = protocol::MainLog::Phase;
using Stage = BoxObserver::Stage;
using Outcome = BoxObserver::Outcome;

constexpr std::string_view kStopped = "stopped";
constexpr std::chrono::seconds kSoon{1};
constexpr std::chrono::seconds kLater{10};
constexpr std::chrono::milliseconds kBetweenRecoveries{500};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Whether the record's logs are as `psephos box start` makes them: there, and empty.
Result<bool> just_started(const ElectionRecord& record, runtime::DirectoryRecord& files,
                          std::span<const std::string> logs) {
  for (const std::string& log : logs) {
    PSEPHOS_TRY(const auto reader,
                protocol::LogReader::open(files, log, record.manifest().log_origin(log)));
    if (reader.tree().size != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace

BoxService::BoxService(Options options, std::shared_ptr<ElectionRecord> record,
                       protocol::BoxKeys keys, const crypto::Evaluator& evaluator,
                       BoxObserver& observer)
    : options_(std::move(options)),
      record_(std::move(record)),
      keys_(std::move(keys)),
      evaluator_(evaluator),
      observer_(observer),
      shards_(options_.shards.empty() ? protocol::all_shards(record_->manifest())
                                      : options_.shards),
      incoming_(options_.queue),
      judged_(0) {
  for (const std::uint32_t shard : shards_) {
    log_names_.push_back(Manifest::box_log(shard));
  }
}

Result<std::unique_ptr<BoxService>> BoxService::open(Options options,
                                                     std::shared_ptr<ElectionRecord> record,
                                                     protocol::BoxKeys keys,
                                                     const crypto::Evaluator& evaluator,
                                                     BoxObserver& observer) {
  std::unique_ptr<BoxService> service(new BoxService(std::move(options), std::move(record),
                                                     std::move(keys), evaluator, observer));
  const protocol::Election& election = *service->record_->election();
  PSEPHOS_CHECK_OK(service->keys_.serves(election));
  std::error_code error;
  if (!std::filesystem::exists(service->options_.store, error)) {
    PSEPHOS_TRY(const bool started, just_started(*service->record_, service->record_->files(),
                                                 service->log_names_));
    if (!started) {
      return fail(Errc::rejected,
                  service->options_.store.string() +
                      ": the store is missing, but ballots were published. Restore it from a "
                      "backup that is not older; a new one would be a second history");
    }
    PSEPHOS_TRY(const auto made,
                store::SqliteStore::create(service->options_.store, election.id()));
    PSEPHOS_TRY(const auto empty, Box::empty_logs(election, service->keys_, service->shards_));
    PSEPHOS_CHECK_OK(made->commit(empty));
  }
  PSEPHOS_CHECK_OK(service->open_store());
  return service;
}

BoxService::~BoxService() { finish(); }

Result<void> BoxService::open_store() {
  PSEPHOS_TRY(store_, store::SqliteStore::open(options_.store, record_->election()->id()));
  PSEPHOS_TRY(const auto stopped, store_->get(kStopped));
  stopped_ = stopped == "1";
  PSEPHOS_TRY(Box box, Box::open(record_->election(), *store_, keys_, shards_));
  const std::lock_guard lock(export_mutex_);
  exporter_.reset();
  PSEPHOS_TRY(Exporter exporter,
              Exporter::open(record_->election(), *store_, record_->files(), log_names_));
  exporter_.emplace(std::move(exporter));
  box_.emplace(std::move(box));
  healthy_ = true;
  return {};
}

void BoxService::start() {
  for (std::size_t i = 0; i < options_.threads; ++i) {
    judges_.emplace_back([this] { judge(); });
  }
  sequencer_ = std::jthread([this] { sequence(); });
  export_thread_ = std::jthread([this] { export_logs(); });
}

void BoxService::finish() {
  if (finishing_.exchange(true)) {
    return;
  }
  incoming_.close();
  judges_.clear();  // joins: everything is judged
  judged_.close();
  sequencer_ = {};
  export_thread_ = {};
  const std::lock_guard lock(export_mutex_);
  if (exporter_.has_value() && healthy_) {
    const auto done = exporter_->run();
    observer_.on_export(done.has_value() ? nullptr : &done.error());
  }
}

void BoxService::submit(Bytes entry, AnswerBallot answer) {
  Waiting waiting{.entry = std::move(entry), .answer = std::move(answer), .since = Clock::now()};
  const Phase phase = record_->phase();
  const bool taken = [&] {
    // Under one lock with stop, so that nothing slips in after it.
    const std::lock_guard lock(settled_mutex_);
    const bool open = phase == Phase::voting && !stopped_ && !finishing_;
    unanswered_ += open ? 1U : 0U;
    return open;
  }();
  if (!taken) {
    observer_.on_outcome(Outcome::unavailable, nullptr);
    waiting.answer(NotNow{.reason = phase > Phase::voting ? "the polls are closed"
                                                          : "ballots are not taken at the moment",
                          .again = kLater});
    return;
  }
  if (!healthy_ || !incoming_.push(waiting)) {
    give(std::move(waiting),
         NotNow{.reason = "too many ballots are waiting; send the same ballot again", .again = kSoon});
  }
}

void BoxService::give(Waiting waiting, BallotAnswer answer, const protocol::Fault* fault) {
  if (std::holds_alternative<NotNow>(answer)) {
    observer_.on_outcome(Outcome::unavailable, nullptr);
  } else if (fault != nullptr) {
    observer_.on_outcome(Outcome::refused, fault);
  }
  waiting.answer(std::move(answer));
  observer_.on_stage(Stage::answer, seconds_since(waiting.since));
  settle(1);
}

void BoxService::settle(std::size_t entries) {
  const std::lock_guard lock(settled_mutex_);
  unanswered_ -= entries;
  if (unanswered_ == 0) {
    settled_.notify_all();
  }
}

void BoxService::judge() {
  while (true) {
    std::vector<Waiting> batch = incoming_.pop(options_.batch);
    if (batch.empty()) {
      return;
    }
    observer_.on_batch(batch.size());
    observer_.on_stage(Stage::queue, seconds_since(batch.front().since));
    const auto start = Clock::now();
    std::vector<ByteView> entries;
    entries.reserve(batch.size());
    for (const Waiting& waiting : batch) {
      entries.emplace_back(waiting.entry);
    }
    std::vector<Box::Judged> judged = Box::judge(*record_->election(), entries, evaluator_);
    observer_.on_stage(Stage::judge, seconds_since(start));
    std::vector<Decidable> decidable;
    decidable.reserve(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      decidable.push_back({.waiting = std::move(batch[i]), .judged = std::move(judged[i])});
    }
    judged_.push_all(std::move(decidable));
  }
}

void BoxService::sequence() {
  constexpr std::size_t kAll = ~std::size_t{0};
  while (true) {
    std::vector<Decidable> batch = judged_.pop(kAll);
    if (batch.empty()) {
      return;
    }
    decide(std::move(batch));
  }
}

void BoxService::decide(std::vector<Decidable> batch) {
  std::vector<Bytes> entries;
  std::vector<Box::Judged> judged;
  entries.reserve(batch.size());
  judged.reserve(batch.size());
  for (Decidable& one : batch) {
    entries.push_back(std::move(one.waiting.entry));
    judged.push_back(std::move(one.judged));
  }
  const auto put_off = [&](const Error& error) {
    for (Decidable& one : batch) {
      give(std::move(one.waiting),
           NotNow{.reason = "the box cannot store ballots at the moment; send the same ballot again",
                  .again = kLater});
    }
    recover(error);
  };

  auto start = Clock::now();
  Result<Box::Decision> decision = [&] {
    const std::unique_lock lock(box_mutex_);
    return box_->decide(entries, judged, random_);
  }();
  observer_.on_stage(Stage::decide, seconds_since(start));
  if (!decision.has_value()) {
    put_off(decision.error());
    return;
  }
  // What is repeated stands before the first new entry of its log.
  std::map<std::string, std::uint64_t> first_new;
  for (const protocol::LogBatch& log : decision->batches) {
    first_new.emplace(log.log, log.first);
  }
  start = Clock::now();
  if (!decision->batches.empty()) {
    if (const auto stored = store_->commit(decision->batches); !stored.has_value()) {
      put_off(stored.error());
      return;
    }
    const std::unique_lock lock(box_mutex_);
    box_->committed();
  }
  observer_.on_stage(Stage::commit, seconds_since(start));

  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Box::Outcome& outcome = decision->outcomes[i];
    if (!outcome.has_value()) {
      const auto note = box_->refusal(entries[i], outcome.error());
      give(std::move(batch[i].waiting),
           Refused{.fault = outcome.error(), .note = note.value_or(std::string())},
           &outcome.error());
      continue;
    }
    const auto receipt = box_->receipt(*outcome);
    if (!receipt.has_value()) {
      // It is stored: whoever asks again gets the receipt.
      give(std::move(batch[i].waiting), NotNow{.reason = "the ballot is stored, but its receipt "
                                                         "could not be made; send the same ballot "
                                                         "again",
                                               .again = kSoon});
      continue;
    }
    const auto log = first_new.find(Manifest::box_log(outcome->shard));
    const bool repeated = log == first_new.end() || outcome->index < log->second;
    observer_.on_outcome(repeated ? Outcome::repeated : Outcome::accepted, nullptr);
    give(std::move(batch[i].waiting), Receipt{.text = *receipt});
  }
}

void BoxService::recover(const Error& error) {
  healthy_ = false;
  observer_.on_store(&error);
  while (true) {
    // What was judged meanwhile is answered: its senders try again.
    for (Decidable& one : judged_.pop(~std::size_t{0}, kBetweenRecoveries)) {
      give(std::move(one.waiting),
           NotNow{.reason = "the box cannot store ballots at the moment; send the same ballot again",
                  .again = kLater});
    }
    if (judged_.closed()) {
      return;
    }
    const std::unique_lock lock(box_mutex_);
    {
      const std::lock_guard exporting(export_mutex_);
      exporter_.reset();
    }
    box_.reset();
    store_.reset();
    const auto opened = open_store();
    observer_.on_store(opened.has_value() ? nullptr : &opened.error());
    if (opened.has_value()) {
      return;
    }
  }
}

void BoxService::export_logs() {
  auto next = Clock::now();
  while (!finishing_) {
    next += options_.export_interval;
    while (!finishing_ && Clock::now() < next) {
      std::this_thread::sleep_for(std::min(options_.export_interval, std::chrono::milliseconds(50)));
    }
    const std::lock_guard lock(export_mutex_);
    if (!exporter_.has_value()) {
      continue;
    }
    const auto done = exporter_->run();
    observer_.on_export(done.has_value() ? nullptr : &done.error());
    if (const auto kept = store_->maintain(); !kept.has_value()) {
      observer_.on_store(&kept.error());
    }
    next = std::max(next, Clock::now() - options_.export_interval);
  }
}

Result<std::optional<std::string>> BoxService::receipt(const protocol::TrackingCode& code) {
  const std::shared_lock lock(box_mutex_);
  if (!box_.has_value()) {
    return fail(Errc::environment, "the store cannot be read at the moment");
  }
  for (const std::uint32_t shard : shards_) {
    PSEPHOS_TRY(const auto index, store_->find(Manifest::box_log(shard), code));
    if (index.has_value()) {
      PSEPHOS_TRY(std::string text, box_->receipt({.shard = shard, .index = *index}));
      return std::optional(std::move(text));
    }
  }
  return std::nullopt;
}

Result<void> BoxService::stop() {
  {
    const std::shared_lock lock(box_mutex_);
    if (store_ == nullptr) {
      return fail(Errc::environment, "the store cannot be written at the moment");
    }
    PSEPHOS_CHECK_OK(store_->set(kStopped, "1"));
  }
  {
    std::unique_lock lock(settled_mutex_);
    stopped_ = true;
    settled_.wait(lock, [this] { return unanswered_ == 0; });
  }
  const std::lock_guard lock(export_mutex_);
  if (!exporter_.has_value()) {
    return fail(Errc::environment, "the store cannot be read at the moment");
  }
  return exporter_->run();
}

Result<void> BoxService::may_become(const protocol::MainLog& next) const {
  if (!next.close().has_value()) {
    return {};
  }
  const std::shared_lock lock(box_mutex_);
  if (!stopped_ || !box_.has_value()) {
    return fail(Errc::misuse, "the ballot box still takes ballots: stop it before the close");
  }
  for (const std::uint32_t shard : shards_) {
    const Log& log = box_->log(shard);
    if (log.tree() != next.close()->boxes[shard]) {
      return fail(Errc::misuse, log.name() + ": the close names a log of " +
                                    std::to_string(next.close()->boxes[shard].size) +
                                    " entries, this box has " + std::to_string(log.size()) +
                                    "; close over the final logs");
    }
  }
  return {};
}

Result<void> BoxService::resume() {
  if (record_->phase() > Phase::voting) {
    return fail(Errc::misuse, "the polls are closed");
  }
  const std::shared_lock lock(box_mutex_);
  if (store_ == nullptr) {
    return fail(Errc::environment, "the store cannot be written at the moment");
  }
  PSEPHOS_CHECK_OK(store_->set(kStopped, "0"));
  stopped_ = false;
  return {};
}

Result<std::vector<BoxService::LogState>> BoxService::logs() const {
  std::vector<LogState> states;
  const std::shared_lock lock(box_mutex_);
  if (store_ == nullptr) {
    return fail(Errc::environment, "the store cannot be read at the moment");
  }
  for (const std::string& log : log_names_) {
    PSEPHOS_TRY(auto checkpoint, store_->checkpoint(log));
    states.push_back({.log = log, .checkpoint = std::move(checkpoint).value_or(""), .exported = 0});
  }
  return states;
}

}  // namespace psephos::server
