#include "src/server/election_record.h"

#include <algorithm>
#include <set>
#include <utility>

#include "psephos/crypto/note.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/verify.h"

#include "src/server/json.h"

namespace psephos::server {

namespace {

using protocol::LogFiles;
using protocol::MainLog;
using protocol::Manifest;

constexpr std::string_view kResultJson = "result.json";
constexpr std::string_view kResultCsv = "result.csv";

// The result as it stands in the main log; of the file, only which styles were opened together.
std::optional<protocol::ElectionResult> result_in(const MainLog& log, std::string_view file) {
  const Manifest& manifest = log.manifest();
  const auto json = parse_json(as_bytes(file));
  if (!json.has_value() || !json->is_object() || !json->contains("contests") ||
      !(*json)["contests"].is_array() || (*json)["contests"].size() != manifest.contests.size()) {
    return std::nullopt;
  }
  protocol::ElectionResult result{.election_id = log.election()->id(), .contests = {}};
  result.contests.resize(manifest.contests.size());
  std::vector<std::set<std::uint32_t>> opened(manifest.contests.size());
  for (std::size_t k = 0; k < log.tallies().size(); ++k) {
    const protocol::Tally& tally = log.tallies()[k];
    const Json& contest = (*json)["contests"][tally.contest];
    if (!contest.is_object() || !contest.contains("units") || !contest["units"].is_array() ||
        tally.unit >= contest["units"].size()) {
      return std::nullopt;
    }
    const Json& unit = contest["units"][tally.unit];
    if (!unit.is_object() || !unit.contains("styles") || !unit["styles"].is_array()) {
      return std::nullopt;
    }
    protocol::OpenedUnit& with = result.contests[tally.contest].emplace_back(
        std::vector<std::uint32_t>(), tally.counted, log.results()[k].totals);
    for (const Json& id : unit["styles"]) {
      const std::string name = id.is_string() ? id.get<std::string>() : "";
      const auto style = std::ranges::find(manifest.styles, name, &protocol::BallotStyle::id);
      const auto number = static_cast<std::uint32_t>(style - manifest.styles.begin());
      if (style == manifest.styles.end() || !manifest.has_contest(number, tally.contest) ||
          !opened[tally.contest].insert(number).second) {
        return std::nullopt;
      }
      with.styles.push_back(number);
    }
  }
  // What is opened of a contest is opened of all its styles.
  for (std::uint32_t contest = 0; contest < opened.size(); ++contest) {
    for (std::uint32_t style = 0; style < manifest.num_styles(); ++style) {
      if (!opened[contest].empty() && manifest.has_contest(style, contest) &&
          !opened[contest].contains(style)) {
        return std::nullopt;
      }
    }
  }
  return result;
}

}  // namespace

ElectionRecord::ElectionRecord(const std::filesystem::path& directory,
                               const crypto::Evaluator& evaluator,
                               std::shared_ptr<const MainLog> log, std::uint64_t size)
    : files_(directory),
      evaluator_(&evaluator),
      election_(log->election()),
      id_(hex(election_->id())),
      folded_(size),
      log_(std::move(log)) {}

Result<std::shared_ptr<ElectionRecord>> ElectionRecord::open(const std::filesystem::path& directory,
                                                             const crypto::Evaluator& evaluator) {
  const runtime::DirectoryRecord files(directory);
  PSEPHOS_TRY(std::shared_ptr<const MainLog> log, protocol::read_main_log(files, evaluator));
  const std::string name = Manifest::main_log();
  PSEPHOS_TRY(const auto reader,
              protocol::LogReader::open(files, name, log->manifest().log_origin(name)));
  if (log->election() == nullptr) {
    return fail(Errc::misuse, directory.string() +
                                  ": the election has no opening yet; get the record again after "
                                  "`psephos election open`");
  }
  return std::shared_ptr<ElectionRecord>(
      new ElectionRecord(directory, evaluator, std::move(log), reader.tree().size));
}

MainLog::Phase ElectionRecord::phase() const { return main_log()->phase(); }

std::shared_ptr<const MainLog> ElectionRecord::main_log() const {
  const std::shared_lock lock(mutex_);
  return log_;
}

Result<std::uint64_t> ElectionRecord::published(const std::string& log) const {
  PSEPHOS_TRY(const auto reader,
              protocol::LogReader::open(files_, log, manifest().log_origin(log)));
  return reader.tree().size;
}

Result<std::size_t> ElectionRecord::extend(std::uint64_t first, std::span<const Bytes> entries,
                                           std::string_view checkpoint) {
  const std::lock_guard writing(writing_);
  const std::string log = Manifest::main_log();
  PSEPHOS_TRY(const crypto::NoteVerifier key, election_->log_verifier(log));
  PSEPHOS_TRY(const crypto::Note note, crypto::Note::parse(checkpoint));
  PSEPHOS_CHECK_OK(note.verified_by(std::span(&key, 1)));
  PSEPHOS_CHECK_OK(catch_up());
  if (log_files_.has_value() && log_files_->size() != folded_) {
    log_files_.reset();
  }
  if (!log_files_.has_value()) {
    PSEPHOS_TRY(log_files_, LogFiles::open(files_, log, key));
  }
  if (log_files_->size() != folded_) {
    return fail(Errc::rejected, "the main log's files hold " + std::to_string(log_files_->size()) +
                                    " entries, but had " + std::to_string(folded_) +
                                    ": they were set back");
  }
  if (first > folded_) {
    return fail(Errc::misuse, "the main log has " + std::to_string(folded_) +
                                  " entries here; send those from there on");
  }
  PSEPHOS_TRY(const auto reader, protocol::LogReader::open(files_, log, key.name()));
  auto next = std::make_shared<MainLog>(*main_log());
  std::vector<Bytes> added;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::uint64_t index = first + i;
    const std::string place = protocol::entry_place(log, index);
    if (index < folded_) {
      PSEPHOS_TRY(const Bytes here, reader.entry(index));
      if (here != entries[i]) {
        return fail(Errc::rejected, place +
                                        ": is another entry than the one here: two main logs "
                                        "under one key");
      }
      continue;
    }
    PSEPHOS_TRY(const ByteView payload, protocol::payload_of(entries[i]));
    const auto message = protocol::Message::decode(payload);
    if (!message.has_value()) {
      return within(place, message.error());
    }
    if (auto taken = next->append(*message); !taken.has_value()) {
      taken.error().place = place;
      return std::unexpected(protocol::to_error(taken.error()));
    }
    added.push_back(entries[i]);
  }
  if (added.empty()) {
    if (unsure_) {
      PSEPHOS_CHECK_OK(log_files_->publish(reader.note().print()));
      unsure_ = false;
    }
    return std::size_t{0};
  }
  if (mirrored_) {
    return fail(Errc::misuse, "this server copies the main log; publish to where it copies from");
  }
  for (const Guard& guard : guards_) {
    PSEPHOS_CHECK_OK(guard(*next));
  }
  const auto write = [&]() -> Result<void> {
    for (const Bytes& entry : added) {
      PSEPHOS_CHECK_OK(log_files_->append(entry));
    }
    return log_files_->publish(checkpoint);
  };
  if (auto written = write(); !written.has_value()) {
    log_files_.reset();  // perhaps ahead of the files: opened, and cleared, next time
    // The new checkpoint may stand there all the same. Then the entries count, for who reads the
    // files, and so they must here. If the files cannot be read now, whatever depends on it waits.
    unsure_ = true;
    static_cast<void>(catch_up());
    return std::unexpected(written.error());
  }
  unsure_ = false;
  follow(next, folded_ + added.size());
  return added.size();
}

void ElectionRecord::follow(const std::shared_ptr<const MainLog>& log, std::uint64_t size) {
  {
    const std::lock_guard lock(mutex_);
    log_ = log;
  }
  folded_ = size;
  for (const Follower& follower : followers_) {
    follower(*log);
  }
}

Result<void> ElectionRecord::catch_up() {
  PSEPHOS_TRY(const std::uint64_t size, published(Manifest::main_log()));
  if (size <= folded_) {
    return {};
  }
  PSEPHOS_TRY(std::shared_ptr<const MainLog> now, protocol::read_main_log(files_, *evaluator_));
  if (now->election() == nullptr || now->election()->id() != election_->id()) {
    return fail(Errc::rejected, files_.root().string() + ": the main log is another election's");
  }
  follow(now, size);
  return {};
}

Result<void> ElectionRecord::refresh() {
  const std::lock_guard writing(writing_);
  return catch_up();
}

Result<void> ElectionRecord::publish_result(std::string_view json, std::string_view csv) {
  const std::lock_guard writing(writing_);
  PSEPHOS_CHECK_OK(catch_up());
  const auto log = main_log();
  if (log->phase() != MainLog::Phase::complete) {
    return fail(Errc::misuse, "not every tally has its result in the main log yet");
  }
  const auto result = result_in(*log, json);
  if (!result.has_value() || protocol::result_json(manifest(), *result) != json ||
      protocol::result_csv(manifest(), *result) != csv) {
    return fail(Errc::rejected, "the result files do not say what the main log says");
  }
  PSEPHOS_CHECK_OK(files_.write(std::string(kResultCsv), as_bytes(csv)));
  return files_.write(std::string(kResultJson), as_bytes(json));
}

}  // namespace psephos::server
