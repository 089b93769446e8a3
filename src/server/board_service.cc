#include "src/server/board_service.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "psephos/runtime/directory.h"

#include "src/server/json.h"
#include "src/server/log_fields.h"

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

constexpr std::string_view kConflictFormat = "conflict/v1";
constexpr std::string_view kConflictFile = ".json";
constexpr std::size_t kMaxConflictBytes = std::size_t{1} << 20;

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
    mirror.stop = [self = board.get()] { return self->finishing_.load(); };
    source.mirror = std::make_unique<network::Mirror>(
        *source.record, board->record_->files(), evaluator, board->executor_, std::move(mirror));
    if (source.brings_main) {
      board->record_->leave_to_mirror();
    }
    board->sources_.push_back(std::move(source));
  }
  board->recall_conflicts();
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
    std::optional<Error> failed;
    for (const Source& source : sources_) {
      if (finishing_) {
        break;
      }
      Result<void> updated;
      if (const auto copied = source.mirror->update(); !copied.has_value()) {
        updated = std::unexpected(copied.error());
      } else if (source.brings_main) {
        updated = record_->refresh();
      }
      if (!updated.has_value() && finishing_) {
        break;  // cut short, which says nothing of the other server
      }
      options_.on_mirror(source.log, updated.has_value() ? nullptr : &updated.error());
      for (const network::Conflict& conflict : source.mirror->conflicts()) {
        if (auto kept = keep(conflict); !kept.has_value()) {
          failed = kept.error();
        }
      }
    }
    const auto polled = live_->poll({.phase = record_->phase(), .stopped = options_.stopped()});
    if (!polled.has_value()) {
      failed = polled.error();
    }
    options_.on_live(failed.has_value() ? &*failed : nullptr);
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, options_.board.poll, [this] { return finishing_.load(); });
    last = finishing_;
  }
}

Result<void> BoardService::keep(const network::Conflict& conflict) {
  // Only a fork is beyond doubt: an older checkpoint may come out of a cache, and files that do not
  // fit may have been changed on their way.
  if (conflict.kind == network::Conflict::Kind::forked) {
    live_->tell_conflict(conflict.log);
  }
  std::string log = conflict.log;
  std::ranges::replace(log, '/', '-');
  std::filesystem::path file = options_.evidence;
  file += log + "-" + std::string(name(conflict.kind)) + std::string(kConflictFile);
  if (conflicts_.insert(file.string()).second) {
    options_.on_conflict(conflict);
  }
  std::error_code error;
  if (std::filesystem::exists(file, error)) {
    return {};  // one is evidence enough
  }
  const std::string text = Json{{"psephos", kConflictFormat},  {"election", record_->id()},
                                {"log", conflict.log},         {"conflict", name(conflict.kind)},
                                {"earlier", conflict.earlier}, {"later", conflict.later}}
                               .dump(1, ' ', false, Json::error_handler_t::replace) +
                           "\n";
  return runtime::write_file(file, as_bytes(text));
}

// A process before this one may have found some.
void BoardService::recall_conflicts() {
  const std::string beginning = options_.evidence.filename().string();
  std::error_code error;
  std::filesystem::directory_iterator entry(options_.evidence.parent_path(), error);
  for (const std::filesystem::directory_iterator end; !error && entry != end;
       entry.increment(error)) {
    const std::string file = entry->path().filename().string();
    if (!file.starts_with(beginning) || !file.ends_with(kConflictFile)) {
      continue;
    }
    const auto content = runtime::read_file(entry->path(), kMaxConflictBytes);
    const auto json = content.has_value() ? parse_json(*content) : std::nullopt;
    const auto says = [&](const char* member, std::string_view text) {
      return json.has_value() && json->is_object() && json->contains(member) &&
             (*json)[member] == text;
    };
    for (const std::string& log : record_->election()->log_names()) {
      if (says("election", record_->id()) && says("log", log) &&
          says("conflict", name(network::Conflict::Kind::forked))) {
        live_->tell_conflict(log);
      }
    }
  }
}

}  // namespace psephos::server
