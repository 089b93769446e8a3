#include "src/server/live.h"

#include <algorithm>
#include <exception>
#include <numeric>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>

#include "psephos/bytes.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/runtime/directory.h"

#include "src/server/phase.h"

namespace psephos::server {

namespace {

using protocol::LogReader;
using protocol::Manifest;
using Json = nlohmann::ordered_json;
using namespace std::chrono_literals;

constexpr std::string_view kHistoryFormat = "live-history/v1";
constexpr std::size_t kMaxHistoryBytes = std::size_t{1} << 20;
constexpr std::chrono::minutes kBetweenSaves{1};
constexpr std::string_view kResultJson = "result.json";
constexpr std::string_view kResultCsv = "result.csv";

// One line; what is not UTF-8 does not get in the way.
std::string line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::chrono::seconds whole(Duration interval) {
  return std::max(std::chrono::ceil<std::chrono::seconds>(interval), 1s);
}

Result<void> check_districts(const LiveConfig& config, const Manifest& manifest) {
  std::set<std::string> seen;
  for (const auto& [district, styles] : config.districts) {
    for (const std::string& style : styles) {
      if (std::ranges::find(manifest.styles, style, &protocol::BallotStyle::id) ==
          manifest.styles.end()) {
        return fail(Errc::misuse, "live.districts." + printable(district) +
                                      ": the election has no " + "ballot style \"" +
                                      printable(style) + "\"");
      }
      if (!seen.insert(style).second) {
        return fail(Errc::misuse, "live.districts." + printable(district) + ": ballot style \"" +
                                      printable(style) + "\" is named twice");
      }
    }
  }
  return {};
}

}  // namespace

LiveFeed::LiveFeed(Options options, const protocol::RecordSource& record,
                   std::shared_ptr<const protocol::Election> election, Publish publish, Clock now)
    : options_(std::move(options)),
      record_(record),
      election_(std::move(election)),
      publish_(std::move(publish)),
      now_(std::move(now)),
      interval_(whole(options_.config.interval)),
      counted_(election_->manifest().num_styles()),
      told_(election_->manifest().num_styles()),
      spacing_(interval_) {
  for (std::uint32_t shard = 0; shard < election_->manifest().shards; ++shard) {
    boxes_.push_back({.name = Manifest::box_log(shard)});
  }
  for (const std::string& log : election_->log_names()) {
    checkpoints_.push_back({.log = log, .note = {}, .json = {}, .told = {}});
  }
}

Result<std::unique_ptr<LiveFeed>> LiveFeed::create(
    Options options, const protocol::RecordSource& record,
    std::shared_ptr<const protocol::Election> election, Publish publish, Clock now) {
  PSEPHOS_CHECK_OK(check_districts(options.config, election->manifest()));
  if (options.config.step == 0) {
    return fail(Errc::misuse, "live.step: must be at least 1");
  }
  std::unique_ptr<LiveFeed> feed(new LiveFeed(std::move(options), record, std::move(election),
                                              std::move(publish), std::move(now)));
  feed->load_history();
  feed->show();
  return feed;
}

LiveFeed::~LiveFeed() { std::ignore = save_history(now_()); }

Result<bool> LiveFeed::poll(const State& state) {
  const Seconds now = now_();
  const Seconds slot{now.time_since_epoch() / interval_ * interval_};
  std::optional<Error> first_error;
  const auto note = [&first_error](const auto& result) {
    if (!result.has_value() && !first_error.has_value()) {
      first_error = result.error();
    }
  };

  if (state_ != state) {
    state_ = state;
    publish_("state", line(Json{{"phase", name(state.phase)}, {"stopped", state.stopped}}));
  }
  bool all_read = true;
  std::uint64_t allowance = kMaxEntries;
  for (BoxLog& box : boxes_) {
    const auto read = count(box, allowance);
    note(read);
    all_read = all_read && read.value_or(false);
  }
  if (all_read && (turnout_.empty() || slot != turnout_told_)) {
    tell_turnout(slot);
  }
  for (Checkpoint& checkpoint : checkpoints_) {
    note(look_at(checkpoint, slot));
  }
  if (!result_ && record_.exists(std::string(kResultJson))) {
    result_ = true;
    publish_("result", line(Json{{"files", {kResultJson, kResultCsv}}}));
  }
  if (now - history_saved_ >= kBetweenSaves || now < history_saved_) {
    note(save_history(now));
  }
  show();
  if (first_error.has_value()) {
    return std::unexpected(*std::move(first_error));
  }
  return all_read;
}

void LiveFeed::tell_conflict(const std::string& log) {
  if (conflicts_.insert(log).second) {
    publish_("conflict", line(Json{{"log", log}}));
    show();
  }
}

Result<bool> LiveFeed::count(BoxLog& box, std::uint64_t& allowance) {
  const Manifest& manifest = election_->manifest();
  if (!record_.exists(box.name + "/checkpoint")) {
    return true;  // of a server that has not begun
  }
  PSEPHOS_TRY(const LogReader reader,
              LogReader::open(record_, box.name, manifest.log_origin(box.name)));
  if (reader.tree().size < box.read) {
    return fail(Errc::rejected, box.name + ": has fewer entries than before");
  }
  while (box.read < reader.tree().size) {
    if (allowance == 0) {
      return false;
    }
    PSEPHOS_TRY(const LogReader::Bundle bundle, reader.bundle(box.read / crypto::kTileWidth));
    for (std::size_t i = box.read - bundle.first; i < bundle.entries.size(); ++i) {
      PSEPHOS_TRY(const ByteView payload, protocol::payload_of(bundle.entries[i]));
      PSEPHOS_TRY(const auto peeked, protocol::peek_credential(payload));
      if (peeked.style >= counted_.size()) {
        return fail(Errc::malformed, protocol::entry_place(box.name, box.read) +
                                         ": is of a ballot style that the election does not have");
      }
      // Who only challenged an encryption has not voted.
      if (peeked.type == protocol::EntryType::ballot &&
          (manifest.max_ballots == 1 || voted_.insert(peeked.pk).second)) {
        ++counted_[peeked.style];
      }
      ++box.read;
      allowance -= allowance > 0 ? 1 : 0;
    }
  }
  return true;
}

void LiveFeed::tell_turnout(Seconds slot) {
  turnout_told_ = slot;
  std::vector<std::uint64_t> rounded(counted_.size());
  std::ranges::transform(counted_, rounded.begin(), [this](std::uint64_t count) {
    return count / options_.config.step * options_.config.step;
  });
  if (!turnout_.empty() && rounded == told_) {
    return;
  }
  told_ = std::move(rounded);
  const Manifest& manifest = election_->manifest();
  const std::uint64_t total = std::accumulate(told_.begin(), told_.end(), std::uint64_t{0});
  Json styles = Json::object();
  for (std::size_t i = 0; i < told_.size(); ++i) {
    styles[manifest.styles[i].id] = told_[i];
  }
  Json districts = Json::object();
  for (const auto& [district, members] : options_.config.districts) {
    std::uint64_t sum = 0;
    for (const std::string& style : members) {
      sum += styles[style].get<std::uint64_t>();
    }
    districts[district] = sum;
  }
  // A clock that was set back does not turn the chart back.
  std::int64_t time = slot.time_since_epoch().count();
  if (!history_.empty()) {
    time = std::max(time, history_.back().time);
  }
  turnout_ = line(Json{{"election", total},
                       {"styles", std::move(styles)},
                       {"districts", std::move(districts)},
                       {"time", time}});
  add_sample({.time = time, .turnout = total});
  publish_("turnout", turnout_);
}

void LiveFeed::add_sample(Sample sample) {
  // The last sample is as it may be only if it is far enough from the one before.
  const auto put = [this](Sample next) {
    const std::size_t size = history_.size();
    if (size >= 2 && history_[size - 1].time - history_[size - 2].time < spacing_.count()) {
      history_.back() = next;
    } else {
      history_.push_back(next);
    }
  };
  put(sample);
  while (history_.size() > kMaxSamples) {
    spacing_ *= 2;
    for (const Sample& each : std::exchange(history_, {})) {
      put(each);
    }
  }
  history_changed_ = true;
}

Result<void> LiveFeed::look_at(Checkpoint& checkpoint, Seconds slot) {
  if ((!checkpoint.json.empty() && checkpoint.told == slot) ||
      !record_.exists(checkpoint.log + "/checkpoint")) {
    return {};
  }
  const Manifest& manifest = election_->manifest();
  PSEPHOS_TRY(const LogReader reader,
              LogReader::open(record_, checkpoint.log, manifest.log_origin(checkpoint.log)));
  checkpoint.told = slot;
  std::string note = reader.note().print();
  if (note == checkpoint.note) {
    return {};
  }
  Json witnesses = Json::array();
  if (const auto cosigned = reader.note().verified_by(manifest.witnesses); cosigned.has_value()) {
    for (const std::size_t i : *cosigned) {
      witnesses.push_back(manifest.witnesses[i].name());
    }
  }
  checkpoint.note = std::move(note);
  checkpoint.json = line(Json{{"log", checkpoint.log},
                              {"size", reader.tree().size},
                              {"root", base64(reader.tree().root)},
                              {"witnesses", std::move(witnesses)}});
  publish_("checkpoint", checkpoint.json);
  return {};
}

void LiveFeed::load_history() {
  if (options_.history.empty()) {
    return;
  }
  const auto file = runtime::read_file(options_.history, kMaxHistoryBytes);
  if (!file.has_value()) {
    return;
  }
  try {
    const Json json = Json::parse(as_text(*file));
    if (json.at("psephos") != kHistoryFormat || json.at("election") != hex(election_->id()) ||
        json.at("step") != options_.config.step) {
      return;
    }
    std::vector<Sample> samples;
    for (const Json& each : json.at("samples")) {
      const Sample sample{.time = each.at(0).get<std::int64_t>(),
                          .turnout = each.at(1).get<std::uint64_t>()};
      if (!samples.empty() && sample.time < samples.back().time) {
        return;
      }
      samples.push_back(sample);
    }
    for (const Sample& sample : samples) {
      add_sample(sample);
    }
  } catch (const std::exception&) {
    history_.clear();  // damaged: the chart begins anew
  }
  history_changed_ = false;
}

Result<void> LiveFeed::save_history(Seconds now) {
  if (options_.history.empty() || !history_changed_) {
    return {};
  }
  Json samples = Json::array();
  for (const Sample& sample : history_) {
    samples.push_back({sample.time, sample.turnout});
  }
  history_saved_ = now;  // also if it fails: not at every call
  PSEPHOS_CHECK_OK(
      runtime::write_file(options_.history, as_bytes(line(Json{{"psephos", kHistoryFormat},
                                                               {"election", hex(election_->id())},
                                                               {"step", options_.config.step},
                                                               {"samples", std::move(samples)}}))));
  history_changed_ = false;
  return {};
}

void LiveFeed::show() {
  std::string samples;
  for (const Sample& sample : history_) {
    samples += (samples.empty() ? "[" : ",[") + std::to_string(sample.time) + "," +
               std::to_string(sample.turnout) + "]";
  }
  std::string checkpoints;
  for (const Checkpoint& checkpoint : checkpoints_) {
    if (!checkpoint.json.empty()) {
      checkpoints += (checkpoints.empty() ? "" : ",") + checkpoint.json;
    }
  }
  const State state = state_.value_or(State{});
  auto text = std::make_shared<const std::string>(
      R"({"election":")" + hex(election_->id()) + R"(","step":)" +
      std::to_string(options_.config.step) + R"(,"interval":)" + std::to_string(interval_.count()) +
      R"(,"phase":")" + std::string(name(state.phase)) + R"(","stopped":)" +
      (state.stopped ? "true" : "false") + R"(,"turnout":)" +
      (turnout_.empty() ? "null" : turnout_) + R"(,"history":[)" + samples +
      R"(],"checkpoints":[)" + checkpoints + R"(],"result":)" + (result_ ? "true" : "false") +
      R"(,"conflicts":)" + line(Json(conflicts_)) + "}");
  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(text);
}

std::shared_ptr<const std::string> LiveFeed::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

}  // namespace psephos::server
