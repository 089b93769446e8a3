#include "psephos/network/mirror.h"

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <utility>

#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/message.h"

#include "src/network/log_copy.h"

namespace psephos::network {

using protocol::LogReader;
using protocol::MainLog;
using protocol::Manifest;

namespace {

constexpr const char* kManifestFile = "manifest.json";
constexpr std::array<const char*, 2> kResultFiles = {"result.json", "result.csv"};

// What the main log says, as far as an election takes it.
class Fold {
 public:
  Fold(std::shared_ptr<const Manifest> manifest, const crypto::Evaluator& evaluator)
      : log_(std::move(manifest), evaluator) {}

  void append(std::uint64_t index, ByteView entry) {
    if (!fault_.empty()) {
      return;
    }
    const auto taken = [&]() -> Result<void> {
      PSEPHOS_TRY(const ByteView payload, protocol::payload_of(entry));
      PSEPHOS_TRY(const auto message, protocol::Message::decode(payload));
      if (auto appended = log_.append(message); !appended.has_value()) {
        return std::unexpected(protocol::to_error(appended.error()));
      }
      return {};
    }();
    if (!taken.has_value()) {
      fault_ = protocol::entry_place(Manifest::main_log(), index) + ": " + taken.error().message;
    }
  }

  [[nodiscard]] const MainLog& log() const { return log_; }
  [[nodiscard]] const std::string& fault() const { return fault_; }

 private:
  MainLog log_;
  std::string fault_;
};

// The main log's key, which stands in its first entry.
Result<crypto::NoteVerifier> main_key(std::shared_ptr<const Manifest> manifest,
                                      const crypto::Evaluator& evaluator, ByteView first_entry) {
  const std::string origin = manifest->log_origin(Manifest::main_log());
  Fold fold(std::move(manifest), evaluator);
  fold.append(0, first_entry);
  if (!fold.fault().empty()) {
    return fail(Errc::rejected, fold.fault());
  }
  return crypto::NoteVerifier::create(origin, crypto::NoteAlgorithm::ed25519,
                                      fold.log().roster()->main_log);
}

Result<crypto::NoteVerifier> main_key(const protocol::RecordSource& record,
                                      const std::shared_ptr<const Manifest>& manifest,
                                      const crypto::Evaluator& evaluator) {
  const std::string log = Manifest::main_log();
  PSEPHOS_TRY(const LogReader reader, LogReader::open(record, log, manifest->log_origin(log)));
  if (reader.num_bundles() == 0) {
    return fail(Errc::rejected, log + ": the log is empty; it must begin with the roster");
  }
  PSEPHOS_TRY(const LogReader::Bundle bundle, reader.bundle(0));
  return main_key(manifest, evaluator, bundle.entries.front());
}

// The styles of a unit, as result.csv names them.
std::vector<std::uint32_t> styles_of(const Manifest& manifest, std::string_view csv,
                                     const protocol::Tally& tally) {
  const std::string row =
      "\n" + manifest.contests[tally.contest].id + "," + std::to_string(tally.unit) + ",";
  std::vector<std::uint32_t> styles;
  const std::size_t found = csv.find(row);
  if (found == std::string_view::npos) {
    return styles;
  }
  std::string_view rest = csv.substr(found + row.size());
  rest = rest.substr(0, rest.find(','));
  while (!rest.empty()) {
    const std::string_view id = rest.substr(0, rest.find('+'));
    const auto style = std::ranges::find(manifest.styles, id, &protocol::BallotStyle::id);
    if (style != manifest.styles.end()) {
      styles.push_back(static_cast<std::uint32_t>(style - manifest.styles.begin()));
    }
    rest.remove_prefix(std::min(rest.size(), id.size() + 1));
  }
  return styles;
}

// Whether these are the result files that a complete main log gives. Which styles were opened
// together depends on the ballots, too: in that they are believed, and `verify` judges them.
bool are_results(const MainLog& log, std::string_view json, std::string_view csv) {
  const Manifest& manifest = log.manifest();
  protocol::ElectionResult result{.election_id = log.election()->id(), .contests = {}};
  result.contests.resize(manifest.contests.size());
  for (std::size_t k = 0; k < log.tallies().size(); ++k) {
    const protocol::Tally& tally = log.tallies()[k];
    result.contests[tally.contest].push_back({.styles = styles_of(manifest, csv, tally),
                                              .counted = tally.counted,
                                              .totals = log.results()[k].totals});
  }
  return protocol::result_json(manifest, result) == json &&
         protocol::result_csv(manifest, result) == csv;
}

bool is_closed(MainLog::Phase phase) { return phase >= MainLog::Phase::closed; }

}  // namespace

class Mirror::State {
 public:
  State(const HttpRecord& source, protocol::RecordStore& store, const crypto::Evaluator& evaluator,
        protocol::Executor& executor, MirrorOptions options)
      : source_(&source),
        store_(&store),
        evaluator_(&evaluator),
        executor_(&executor),
        options_(std::move(options)) {}

  Result<MirrorReport> update() {
    conflicts_.clear();
    num_added_ = 0;
    MirrorReport report;
    if (wants(Manifest::main_log())) {
      if (!std::exchange(cleared_, true)) {
        PSEPHOS_CHECK_OK(clear_unfinished());
      }
      PSEPHOS_CHECK_OK(take_manifest());
      PSEPHOS_CHECK_OK(copy(Manifest::main_log(), report));
    } else {
      PSEPHOS_CHECK_OK(read_main());
    }
    report.title = manifest_->title;
    report.phase = fold_->log().phase();
    report.fault = fold_->fault();
    if (const auto election = fold_->log().election(); election != nullptr) {
      report.election_id = election->id();
      const std::vector<std::string> there = election->log_names();
      for (const std::string& log : options_.logs) {
        if (std::ranges::find(there, log) == there.end()) {
          return fail(Errc::misuse, "the election has no log \"" + log + "\"");
        }
      }
      PSEPHOS_CHECK_OK(copy_others(there, report));
    }
    if (report.phase == MainLog::Phase::complete && report.fault.empty()) {
      report.complete = true;
      if (options_.logs.empty()) {
        PSEPHOS_TRY(report.complete, copy_results());
      }
    }
    return report;
  }

  [[nodiscard]] const std::vector<Conflict>& conflicts() const { return conflicts_; }

 private:
  // All but the main log. One that fails does not hide what the others show.
  Result<void> copy_others(std::span<const std::string> logs, MirrorReport& report) {
    std::optional<Error> worst;
    for (const std::string& log : logs) {
      if (log == Manifest::main_log() || !wants(log)) {
        continue;
      }
      auto copied = copy(log, report);
      if (copied.has_value()) {
        continue;
      }
      if (!worst.has_value()) {
        worst = std::move(copied.error());
        continue;
      }
      // What was shown counts more than what was not to be had.
      if (is_circumstance(*worst) && !is_circumstance(copied.error())) {
        std::swap(*worst, copied.error());
      }
      worst->message += "; " + copied.error().message;
    }
    return worst.has_value() ? Result<void>(std::unexpected(*std::move(worst))) : Result<void>();
  }

  // A write that was cut short leaves a file under a hidden name. Those of logs are swept with
  // them.
  Result<void> clear_unfinished() {
    PSEPHOS_TRY(const auto files, store_->list());
    for (const std::string& file : files) {
      for (const char* name : {kManifestFile, kResultFiles[0], kResultFiles[1]}) {
        if (file.starts_with("." + std::string(name) + ".")) {
          PSEPHOS_CHECK_OK(store_->remove(file));
        }
      }
    }
    return {};
  }

  [[nodiscard]] bool wants(const std::string& log) const {
    return options_.logs.empty() || std::ranges::find(options_.logs, log) != options_.logs.end();
  }

  // The main log as it is in the store, where somebody else may be extending it.
  Result<void> read_main() {
    PSEPHOS_TRY(Bytes checkpoint,
                store_->read(Manifest::main_log() + "/checkpoint", protocol::kMaxRecordFileBytes));
    if (fold_ != nullptr && checkpoint == main_checkpoint_) {
      return {};
    }
    if (manifest_ == nullptr) {
      PSEPHOS_TRY(const Bytes file, store_->read(kManifestFile, protocol::kMaxManifestBytes));
      PSEPHOS_CHECK_OK(parse_manifest(file));
    }
    fold_ = std::make_unique<Fold>(manifest_, *evaluator_);
    PSEPHOS_CHECK_OK(fold_main());
    main_checkpoint_ = std::move(checkpoint);
    return {};
  }

  // Shows the main log in the store to the fold.
  Result<void> fold_main() {
    const std::string log = Manifest::main_log();
    PSEPHOS_TRY(const LogReader reader, LogReader::open(*store_, log, manifest_->log_origin(log)));
    for (std::uint64_t b = 0; b < reader.num_bundles(); ++b) {
      PSEPHOS_TRY(const LogReader::Bundle bundle, reader.bundle(b));
      for (std::size_t i = 0; i < bundle.entries.size(); ++i) {
        fold_->append(bundle.first + i, bundle.entries[i]);
      }
    }
    return check_election(false);
  }

  // The manifest is written with the main log: until its first entry is read, it may be any.
  Result<void> take_manifest() {
    PSEPHOS_TRY(const Bytes file, source_->read(kManifestFile, protocol::kMaxManifestBytes));
    if (manifest_ == nullptr && store_->exists(kManifestFile)) {
      PSEPHOS_TRY(const Bytes copied, store_->read(kManifestFile, protocol::kMaxManifestBytes));
      PSEPHOS_CHECK_OK(parse_manifest(copied));
    }
    if (manifest_ != nullptr && !equal(manifest_->file, file)) {
      return fail(Errc::rejected, source_->url(kManifestFile) +
                                      ": is not the manifest that was copied before; a manifest "
                                      "never changes, so this is another election");
    }
    return manifest_ == nullptr ? parse_manifest(file) : Result<void>();
  }

  Result<void> parse_manifest(ByteView file) {
    auto parsed = Manifest::parse(file);
    if (!parsed.has_value()) {
      return within(source_->url(kManifestFile), parsed.error());
    }
    manifest_ = std::make_shared<const Manifest>(std::move(*parsed));
    return {};
  }

  // copy brings one log to what the server has.
  Result<void> copy(const std::string& log, MirrorReport& report) {
    conflict_.reset();
    auto copied = try_copy(log, report);
    if (!copied.has_value() && !is_circumstance(copied.error())) {
      const auto found = logs_.find(log);
      const bool used_leftovers = found != logs_.end() && found->second->used_leftovers();
      forget(log);
      PSEPHOS_CHECK_OK(sweep(*store_, log, manifest_->log_origin(log), false));
      if (used_leftovers) {
        // They may have been at fault.
        conflict_.reset();
        copied = try_copy(log, report);
      }
    }
    if (copied.has_value()) {
      return copied;
    }
    if (conflict_.has_value()) {
      conflicts_.push_back(*conflict_);
    }
    const bool has_manifest = store_->exists(kManifestFile);
    const auto found = logs_.find(log);
    // A server that cannot be asked says nothing against the copy: it need not be read again.
    if (!has_manifest || !is_circumstance(copied.error()) || found == logs_.end() ||
        !found->second->is_untouched()) {
      forget(log);
    }
    if (!has_manifest) {
      manifest_.reset();
    }
    return copied;
  }

  Result<void> try_copy(const std::string& log, MirrorReport& report) {
    const bool is_main = log == Manifest::main_log();
    if (!logs_.contains(log)) {
      if (auto opened =
              is_main ? open_main() : open(log, fold_->log().election()->log_verifier(log));
          !opened.has_value()) {
        forget(log);
        return opened;
      }
    }
    LogCopy& copied = *logs_.at(log);
    const std::uint64_t before = copied.size();
    const LogCopy::Visit visit = [&](std::uint64_t index, ByteView entry) -> Result<void> {
      if (!is_main) {
        return {};
      }
      fold_->append(index, entry);
      // Another election's main log is not read to its end, which may never come.
      return check_election(!fold_->fault().empty());
    };
    PSEPHOS_TRY(const bool is_there, copied.stage(options_.max_refetches, visit));
    if (!is_there) {
      if (is_main || is_closed(fold_->log().phase())) {
        return fail(Errc::environment, source_->url(log + "/checkpoint") + ": is not there (404)");
      }
      return {};
    }
    if (is_main) {
      PSEPHOS_CHECK_OK(check_election(true));
      if (!store_->exists(kManifestFile)) {
        PSEPHOS_CHECK_OK(store_->write(kManifestFile, manifest_->file));
      }
    }
    PSEPHOS_CHECK_OK(copied.publish());
    report.logs.push_back({.log = log, .size = copied.size(), .added = copied.size() - before});
    return {};
  }

  Result<void> open(const std::string& log, Result<crypto::NoteVerifier> key) {
    PSEPHOS_CHECK_OK(key);
    PSEPHOS_TRY(auto copied, LogCopy::open({.source = source_,
                                            .store = store_,
                                            .executor = executor_,
                                            .conflict = &conflict_,
                                            .progress =
                                                [this](std::uint64_t added, std::uint64_t missing) {
                                                  num_added_ += added;
                                                  if (options_.progress) {
                                                    options_.progress(num_added_,
                                                                      num_added_ + missing);
                                                  }
                                                },
                                            .stop = options_.stop},
                                           log, *std::move(key), manifest_->witnesses));
    logs_[log] = std::move(copied);
    return {};
  }

  Result<void> open_main() {
    const std::string log = Manifest::main_log();
    fold_ = std::make_unique<Fold>(manifest_, *evaluator_);
    if (!store_->exists(log + "/checkpoint")) {
      return open(log, served_main_key());
    }
    PSEPHOS_CHECK_OK(open(log, main_key(*store_, manifest_, *evaluator_)));
    return fold_main();
  }

  // A server that goes on takes the first bundle away, while it is a partial one: it is asked again
  // as long as its checkpoint changes.
  [[nodiscard]] Result<crypto::NoteVerifier> served_main_key() const {
    const std::string checkpoint = Manifest::main_log() + "/checkpoint";
    Bytes before;
    for (unsigned refetches = 0;; ++refetches) {
      PSEPHOS_TRY(Bytes now, source_->read(checkpoint, protocol::kMaxRecordFileBytes));
      auto key = main_key(*source_, manifest_, *evaluator_);
      if (key.has_value()) {
        return key;
      }
      if (key.error().code != Errc::environment || now == before ||
          refetches == options_.max_refetches) {
        return within(source_->url(""), key.error());
      }
      before = std::move(now);
    }
  }

  [[nodiscard]] Result<void> check_election(bool must_be_open) const {
    if (!options_.election.has_value()) {
      return {};
    }
    const auto election = fold_->log().election();
    if (election == nullptr) {
      if (!must_be_open) {
        return {};
      }
      return fold_->fault().empty()
                 ? fail(Errc::misuse, source_->url("") +
                                          ": the election is not open yet and has no id; copy it "
                                          "without one, or later")
                 : fail(Errc::rejected, source_->url("") + ": " + fold_->fault());
    }
    if (election->id() != *options_.election) {
      return fail(Errc::rejected, source_->url("") + ": is the election " + hex(election->id()) +
                                      ", not " + hex(*options_.election));
    }
    return {};
  }

  // True if both result files are there. Nobody has signed them: what fits the main log is kept,
  // and what does not gives way to what the server has now.
  Result<bool> copy_results() {
    std::array<std::optional<Bytes>, kResultFiles.size()> here;
    std::array<std::optional<Bytes>, kResultFiles.size()> there;
    for (std::size_t i = 0; i < kResultFiles.size(); ++i) {
      PSEPHOS_TRY(there[i], source_->fetch(kResultFiles[i], protocol::kMaxRecordFileBytes));
      if (store_->exists(kResultFiles[i])) {
        PSEPHOS_TRY(here[i], store_->read(kResultFiles[i], protocol::kMaxRecordFileBytes));
      }
    }
    const bool good = here[0].has_value() && here[1].has_value() &&
                      are_results(fold_->log(), as_text(*here[0]), as_text(*here[1]));
    bool complete = true;
    for (std::size_t i = 0; i < kResultFiles.size(); ++i) {
      complete = complete && (here[i].has_value() || there[i].has_value());
      if (!there[i].has_value() || there[i] == here[i]) {
        continue;
      }
      if (good) {
        return fail(Errc::rejected,
                    source_->url(kResultFiles[i]) +
                        ": is not the file that was copied before, which is what the main log's "
                        "totals give");
      }
      PSEPHOS_CHECK_OK(store_->write(kResultFiles[i], *there[i]));
    }
    return complete;
  }

  void forget(const std::string& log) {
    logs_.erase(log);
    if (log == Manifest::main_log()) {
      fold_.reset();
    }
  }

  // An error that says nothing about the log.
  static bool is_circumstance(const Error& error) {
    return error.code == Errc::environment || error.code == Errc::misuse;
  }

  const HttpRecord* source_;
  protocol::RecordStore* store_;
  const crypto::Evaluator* evaluator_;
  protocol::Executor* executor_;
  MirrorOptions options_;

  bool cleared_ = false;
  std::shared_ptr<const Manifest> manifest_;
  std::unique_ptr<Fold> fold_;
  Bytes main_checkpoint_;  // of the main log that was read, if it is not copied
  std::map<std::string, std::unique_ptr<LogCopy>> logs_;
  std::optional<Conflict> conflict_;  // of the log that is being copied
  std::vector<Conflict> conflicts_;
  std::uint64_t num_added_ = 0;
};

Mirror::Mirror(const HttpRecord& source, protocol::RecordStore& store,
               const crypto::Evaluator& evaluator, protocol::Executor& executor,
               MirrorOptions options)
    : state_(std::make_unique<State>(source, store, evaluator, executor, std::move(options))) {}

Mirror::~Mirror() = default;

Result<MirrorReport> Mirror::update() { return state_->update(); }

const std::vector<Conflict>& Mirror::conflicts() const { return state_->conflicts(); }

}  // namespace psephos::network
