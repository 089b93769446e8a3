#include "src/server/board_service.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace psephos::server {

namespace {

std::chrono::sys_seconds now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

// Ids go on above those of a process before this one, so that who reconnects misses nothing.
std::uint64_t first_event_id() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now().time_since_epoch()).count());
}

}  // namespace

Result<std::unique_ptr<BoardService>> BoardService::open(Options options,
                                                         std::shared_ptr<ElectionRecord> record,
                                                         network::HttpClient* http,
                                                         const crypto::Evaluator& evaluator) {
  constexpr std::size_t kKeptEvents = 256;
  std::unique_ptr<BoardService> board(new BoardService(std::move(options), std::move(record)));
  const ElectionRecord& election = *board->record_;
  board->events_ = std::make_shared<http::EventHub>(kKeptEvents, first_event_id());
  PSEPHOS_TRY(board->live_,
              LiveFeed::create(
                  {.config = board->options_.live, .history = board->options_.history},
                  board->record_->files(), election.election(),
                  [hub = board->events_](std::string_view name, const std::string& data) {
                    hub->publish(name, data);
                  },
                  now));
  for (const MirrorConfig& config : board->options_.board.mirrors) {
    Source source{.log = config.logs.front(),
                  .brings_main = std::ranges::find(config.logs, protocol::Manifest::main_log()) !=
                                 config.logs.end(),
                  .record = nullptr,
                  .mirror = nullptr};
    PSEPHOS_TRY(source.record, network::HttpRecord::create(*http, config.url));
    network::MirrorOptions mirror;
    mirror.election = election.election()->id();
    mirror.logs = config.logs;
    source.mirror = std::make_unique<network::Mirror>(
        *source.record, board->record_->files(), evaluator, board->executor_, std::move(mirror));
    if (source.brings_main) {
      board->record_->leave_to_mirror();
    }
    board->sources_.push_back(std::move(source));
  }
  return board;
}

BoardService::~BoardService() { finish(); }

void BoardService::start() {
  thread_ = std::jthread([this] { follow(); });
}

void BoardService::finish() {
  {
    const std::lock_guard lock(mutex_);
    finishing_ = true;
  }
  wake_.notify_all();
  thread_ = {};
}

void BoardService::follow() {
  for (bool last = false; !last;) {
    for (const Source& source : sources_) {
      Result<void> updated;
      if (const auto copied = source.mirror->update(); !copied.has_value()) {
        updated = std::unexpected(copied.error());
      } else if (source.brings_main) {
        updated = record_->refresh();
      }
      options_.on_mirror(source.log, updated.has_value() ? nullptr : &updated.error());
    }
    const auto polled = live_->poll({.phase = record_->phase(), .stopped = options_.stopped()});
    options_.on_live(polled.has_value() ? nullptr : &polled.error());
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, options_.board.poll, [this] { return finishing_; });
    last = finishing_;
  }
}

}  // namespace psephos::server
