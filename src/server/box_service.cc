#include "src/server/box_service.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "psephos/crypto/hash.h"

namespace psephos::server {

namespace {

using protocol::Box;
using protocol::Log;
using protocol::Manifest;
using Phase = protocol::MainLog::Phase;
using Stage = BoxObserver::Stage;
using Outcome = BoxObserver::Outcome;

constexpr std::chrono::seconds kSoon{1};
constexpr std::chrono::seconds kLater{10};
constexpr std::chrono::milliseconds kBetweenRecoveries{500};

NotNow no_store() {
  return {.reason = "the box cannot store ballots at the moment; send the same again",
          .again = kLater};
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
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
  std::unique_ptr<BoxService> service(
      new BoxService(std::move(options), std::move(record), std::move(keys), evaluator, observer));
  BoxService* const self = service.get();
  PSEPHOS_CHECK_OK(self->keys_.serves(*self->record_->election()));
  PSEPHOS_TRY(
      self->ledger_,
      Ledger::open({.store = self->options_.store,
                    .logs = self->log_names_,
                    .export_interval = self->options_.export_interval,
                    .empty_log = [self](const std::string& log) { return self->empty_log(log); },
                    .rebuild = [self](store::SqliteStore& store) { return self->rebuild(store); },
                    .on_store = [&observer](const Error* error) { observer.on_store(error); },
                    .on_export = [&observer](const Error* error) { observer.on_export(error); },
                    .on_commit = [&observer](double seconds) { observer.on_commit(seconds); }},
                   self->record_));
  return service;
}

BoxService::~BoxService() { finish(); }

Result<protocol::LogBatch> BoxService::empty_log(const std::string& log) const {
  const auto at = std::ranges::find(log_names_, log) - log_names_.begin();
  const std::uint32_t shard = shards_[static_cast<std::size_t>(at)];
  PSEPHOS_TRY(auto batches, Box::empty_logs(*record_->election(), keys_, std::span(&shard, 1)));
  return std::move(batches.front());
}

Result<Ledger::Install> BoxService::rebuild(store::SqliteStore& store) {
  PSEPHOS_TRY(Box box, Box::open(record_->election(), store, keys_, shards_));
  return [this, box = std::move(box)]() mutable { box_.emplace(std::move(box)); };
}

void BoxService::start() {
  for (std::size_t i = 0; i < options_.threads; ++i) {
    judges_.emplace_back([this] { judge(); });
  }
  sequencer_ = std::jthread([this] { sequence(); });
  ledger_->start();
}

void BoxService::finish() {
  if (finished_.exchange(true)) {
    return;
  }
  incoming_.close();
  judges_.clear();  // joins: everything is judged
  judged_.close();
  sequencer_ = {};
  if (ledger_ != nullptr) {
    ledger_->finish();
  }
}

void BoxService::submit(Bytes entry, AnswerBallot answer) {
  Waiting waiting{.entry = std::move(entry), .answer = std::move(answer), .since = Clock::now()};
  const Phase phase = record_->phase();
  if (phase != Phase::voting || !ledger_->admit()) {
    observer_.on_outcome(Outcome::unavailable, nullptr);
    waiting.answer(NotNow{.reason = phase > Phase::voting ? "the polls are closed"
                                                          : "ballots are not taken at the moment",
                          .again = kLater});
    return;
  }
  const bool room = waiting_.fetch_add(1) < options_.queue;
  if (!ledger_->healthy()) {
    give(std::move(waiting), no_store());
  } else if (!room || !incoming_.push(waiting)) {
    give(std::move(waiting),
         NotNow{.reason = "too many ballots are waiting; send the same again", .again = kSoon},
         Outcome::shed);
  }
}

void BoxService::give(Waiting waiting, BallotAnswer answer, Outcome not_now) {
  if (std::holds_alternative<NotNow>(answer)) {
    observer_.on_outcome(not_now, nullptr);
  } else if (const auto* refused = std::get_if<Refused>(&answer)) {
    observer_.on_outcome(Outcome::refused, &refused->fault);
  }
  waiting.answer(std::move(answer));
  observer_.on_stage(Stage::answer, seconds_since(waiting.since));
  --waiting_;
  ledger_->settle();
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
  while (!judged_.closed()) {
    // It looks after the store also when no ballots come: others may have found that it failed.
    std::vector<Decidable> batch = judged_.pop(kAll, kBetweenRecoveries);
    if (!ledger_->healthy()) {
      put_off(std::move(batch));  // the senders try again
      ledger_->reopen();
    } else if (!batch.empty()) {
      decide(std::move(batch));
    }
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
  auto start = Clock::now();
  Result<Box::Decision> decision = [&] {
    const std::unique_lock lock(ledger_->mutex());
    return box_->decide(entries, judged, random_);
  }();
  observer_.on_stage(Stage::decide, seconds_since(start));
  if (!decision.has_value()) {
    put_off(std::move(batch));
    ledger_->failed(decision.error());
    return;
  }
  // What is repeated stands before the first new entry of its log.
  std::map<std::string, std::uint64_t> first_new;
  for (const protocol::LogBatch& log : decision->batches) {
    first_new.emplace(log.log, log.first);
  }
  start = Clock::now();
  if (!decision->batches.empty()) {
    // No lock: nobody but this thread opens the store again.
    const auto stored = [&]() -> Result<void> {
      PSEPHOS_TRY(store::SqliteStore* const store, ledger_->store());
      return store->commit(decision->batches);
    }();
    if (!stored.has_value()) {
      put_off(std::move(batch));
      ledger_->failed(stored.error());
      return;
    }
    const std::unique_lock lock(ledger_->mutex());
    box_->committed();
  }
  observer_.on_stage(Stage::commit, seconds_since(start));

  std::vector<Result<std::string>> receipts = box_->receipts(*decision);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Box::Outcome& outcome = decision->outcomes[i];
    if (!outcome.has_value()) {
      const auto note = box_->refusal(entries[i], outcome.error());
      give(std::move(batch[i].waiting),
           Refused{.fault = outcome.error(), .note = note.value_or(std::string())});
      continue;
    }
    if (!receipts[i].has_value()) {
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
    give(std::move(batch[i].waiting), Receipt{.text = *std::move(receipts[i])});
  }
}

void BoxService::put_off(std::vector<Decidable> batch) {
  for (Decidable& one : batch) {
    give(std::move(one.waiting), no_store());
  }
}

Result<std::optional<std::string>> BoxService::receipt(const protocol::TrackingCode& code) {
  const std::shared_lock lock(ledger_->mutex());
  PSEPHOS_TRY(const store::SqliteStore* const store, ledger_->store());
  for (const std::uint32_t shard : shards_) {
    PSEPHOS_TRY(const auto index, store->find(Manifest::box_log(shard), code));
    if (index.has_value()) {
      PSEPHOS_TRY(std::string text, box_->receipt({.shard = shard, .index = *index}));
      return std::optional(std::move(text));
    }
  }
  return std::nullopt;
}

Result<void> BoxService::may_become(const protocol::MainLog& next) const {
  if (!next.close().has_value()) {
    return {};
  }
  const std::shared_lock lock(ledger_->mutex());
  if (!ledger_->at_rest()) {
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

Result<std::string> BoxService::checkpoint(const std::string& log) const {
  const std::shared_lock lock(ledger_->mutex());
  PSEPHOS_TRY(const store::SqliteStore* const store, ledger_->store());
  PSEPHOS_TRY(auto checkpoint, store->checkpoint(log));
  return std::move(checkpoint).value_or("");
}

}  // namespace psephos::server
