#include "psephos/protocol/verify.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <type_traits>
#include <utility>

#include "psephos/crypto/hash.h"
#include "psephos/protocol/ballot.h"
#include "psephos/protocol/box_state.h"
#include "psephos/protocol/issuance.h"
#include "psephos/protocol/log_reader.h"

#include "protocol/judged_group.h"
#include "protocol/labels.h"
#include "protocol/verification_part.h"

namespace psephos::protocol {

namespace {

constexpr const char* kManifestFile = "manifest.json";
constexpr const char* kResultJsonFile = "result.json";
constexpr const char* kResultCsvFile = "result.csv";

std::string entry_place(const std::string& log, std::uint64_t index) {
  return log + " entry " + std::to_string(index);
}

// A group of bundles is judged by one task: enough ballots for their equations to gain from being
// judged together, few enough to be held in memory for each core several times over.
constexpr std::uint64_t kGroupBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kRollGroup = 16;

// The number of bundles in a group of ballots of the longest style.
std::uint64_t group_size(const Manifest& manifest) {
  std::uint64_t points_and_scalars = 1;
  for (const BallotStyle& style : manifest.styles) {
    points_and_scalars = std::max<std::uint64_t>(
        points_and_scalars, 2 * style.form.num_options() + style.form.num_bits());
  }
  return std::max<std::uint64_t>(
      kGroupBytes / (points_and_scalars * crypto::Point::kSize * crypto::kTileWidth), 1);
}

// A group of bundles as it is planned: read and judged here, or judged in a part.
struct GroupPlan {
  BundleRange bundles;
  std::optional<ByteView> judged;
  std::size_t file = 0;   // the part's
  bool must_end = false;  // no group follows although bundles do: the last one must be unreadable
};
using NextGroup = std::function<std::optional<GroupPlan>()>;

struct LogFollower {
  explicit LogFollower(const LogReader& reader) : log(reader.log()), audit(reader) {}
  std::string log;
  LogAudit audit;
  bool sound = true;
};

// LogFold is what is known of a roll or box after its groups so far.
struct LogFold {
  LogFold(const LogReader& of, const Manifest& manifest, LogKind kind, std::uint32_t number)
      : reader(&of), follower(of) {
    if (kind == LogKind::roll) {
      roll.emplace(manifest);
    } else {
      box.emplace(manifest, number);
    }
  }
  const LogReader* reader;
  LogFollower follower;
  std::optional<IssuanceState> roll;
  std::optional<BoxState> box;
  std::vector<Digest32> roots;  // of each bundle of a box
  struct NotCounted {           // a ballot that entered the sums but does not count
    std::uint64_t index;
    std::uint32_t style;
  };
  std::vector<NotCounted> not_counted;
};

std::unexpected<Error> bad_part(std::size_t file, const std::string& message) {
  return fail(Errc::rejected, "part file " + std::to_string(file + 1) + ": " + message);
}

// Whether the record is judged as finished, or as one whose tally may still be missing.
enum class Stage : std::uint8_t { complete, before_decryption };

// Verification is one run over one record. Its methods go from the manifest outwards; each marks a
// check as run only after everything the check asks for was looked at.
class Verification {
 public:
  Verification(const VerifyInput& input, Stage stage) : input_(input), stage_(stage) {
    for (std::size_t i = 0; i < kNumChecks; ++i) {
      report_.checks[i].check = static_cast<Check>(i + 1);
    }
  }

  void run();
  PartOutcome run_part(Share share);
  Result<void> run_combined(std::span<const VerificationPart> parts);

  Report& report() { return report_; }
  std::shared_ptr<MainLog> main_log() { return main_log_; }
  std::shared_ptr<Aggregate> aggregate() { return aggregate_; }

 private:
  void add_fault(Fault fault);
  void add_fault(Check check, std::string place, std::string message);
  // did marks a check as run over `count` more things.
  void did(Check check, std::uint64_t count);
  void not_run(std::initializer_list<Check> checks, const std::string& why);
  void not_run_from(Check first, const std::string& why);

  bool read_manifest();
  // Opens a log; nothing, with a fault of V4, if its checkpoint cannot be read.
  std::optional<LogReader> open_log(const std::string& log);
  void check_signature(const LogReader& reader, const crypto::NoteVerifier& key);

  bool read_main();

  // Rolls and boxes are read group by group; logs are counted rolls first, then boxes.
  [[nodiscard]] LogKind kind_of(std::uint32_t log) const;
  [[nodiscard]] std::string name_of(std::uint32_t log) const;
  [[nodiscard]] const LogReader& reader_of(std::uint32_t log) const {
    return readers_.at(name_of(log));
  }
  [[nodiscard]] std::uint32_t num_logs() const {
    return manifest_->num_registrars() + manifest_->shards;
  }
  // The groups of some ranges of bundles, one after another.
  [[nodiscard]] NextGroup groups_of(std::vector<BundleRange> ranges) const;
  [[nodiscard]] std::vector<BundleRange> ranges_of(Share share) const;
  // Judges the groups, several at the same time, and hands them to take(plan, group) in order. No
  // more is asked of a log once one of its bundles was unreadable.
  using Take = std::function<void(const GroupPlan& plan, JudgedGroup& group)>;
  void judge(const NextGroup& next, const Take& take);
  // Takes every group of every log through its fold. False if not every entry was taken.
  bool fold_logs(const NextGroup& next);
  void follow(LogFollower& follower, const BundleAudit& bundle);
  void finish(LogFollower& follower);
  void take_ballots(std::uint64_t first, JudgedGroup& group, LogFold& fold);
  void take_issuances(std::uint64_t first, const JudgedGroup& group, LogFold& fold);
  void finish_log(std::uint32_t log, LogFold& fold);
  void leave_out(const LogFold& fold);
  [[nodiscard]] Result<SumsPerStyle> sums_again(const LogFold& fold, std::uint64_t number,
                                                std::span<const LogFold::NotCounted> ballots) const;

  // Whatever comes before rolls and boxes are read; false if they cannot be.
  bool start();
  bool open_logs();
  void finish_run(const NextGroup& next);
  [[nodiscard]] std::vector<crypto::TreeHead> trees() const;
  [[nodiscard]] Result<std::vector<GroupPlan>> plan(std::span<const VerificationPart> parts) const;
  void check_files();
  void check_close();
  void check_issued();
  void check_tallies();
  void check_decryptions();
  void check_results();
  void check_checkpoints();
  void check_receipts();
  [[nodiscard]] const Election& election() const { return *main_log_->election(); }

  const VerifyInput& input_;
  Stage stage_;
  Report report_;
  std::shared_ptr<const Manifest> manifest_;
  std::shared_ptr<MainLog> main_log_;
  std::shared_ptr<Aggregate> aggregate_;
  std::map<std::string, LogReader> readers_;
  std::vector<std::uint64_t> used_;                 // credentials per style
  std::vector<std::vector<std::uint64_t>> issued_;  // [registrar][style]
  std::set<std::uint32_t> stopped_;                 // logs with a bundle that could not be read
  std::optional<Error> bad_part_;
  std::uint64_t entries_done_ = 0;
  std::uint64_t entries_all_ = 0;
};

void Verification::add_fault(Fault fault) {
  CheckReport& report = report_[fault.check];
  report.status = Status::failed;
  ++report.num_faults;
  if (report.faults.size() < CheckReport::kMaxFaults) {
    report.faults.push_back(std::move(fault));
  }
}

void Verification::add_fault(Check check, std::string place, std::string message) {
  add_fault(Fault{check, std::move(place), std::move(message), {}});
}

void Verification::did(Check check, std::uint64_t count) {
  CheckReport& report = report_[check];
  if (report.status == Status::not_run) {
    report.status = Status::passed;
  }
  report.checked += count;
}

void Verification::not_run(std::initializer_list<Check> checks, const std::string& why) {
  for (const Check check : checks) {
    if (report_[check].status == Status::not_run) {
      report_[check].why_not_run = why;
    }
  }
}

void Verification::not_run_from(Check first, const std::string& why) {
  for (CheckReport& report : report_.checks) {
    if (report.check >= first && report.status == Status::not_run) {
      report.why_not_run = why;
    }
  }
}

bool Verification::read_manifest() {
  auto file = input_.record.read(kManifestFile, kMaxManifestBytes);
  if (!file.has_value()) {
    add_fault(Check::record, kManifestFile, file.error().message);
    return false;
  }
  auto manifest = Manifest::parse(*file);
  if (!manifest.has_value()) {
    add_fault(Check::record, kManifestFile, manifest.error().message);
    return false;
  }
  manifest_ = std::make_shared<const Manifest>(std::move(*manifest));
  report_.title = manifest_->title;
  return true;
}

std::optional<LogReader> Verification::open_log(const std::string& log) {
  auto reader = LogReader::open(input_.record, log, manifest_->log_origin(log));
  if (!reader.has_value()) {
    add_fault(Check::logs, log, reader.error().message);
    return std::nullopt;
  }
  return std::move(*reader);
}

void Verification::check_signature(const LogReader& reader, const crypto::NoteVerifier& key) {
  auto verified =
      verify_checkpoint(reader.note(), key, manifest_->witnesses, manifest_->witness_quorum);
  if (!verified.has_value()) {
    add_fault(Check::logs, reader.log() + "/checkpoint", verified.error().message);
  }
}

// The main log: every message through the fold.
bool Verification::read_main() {
  const std::string log = Manifest::main_log();
  auto reader = open_log(log);
  if (!reader.has_value()) {
    return false;
  }
  entries_all_ = reader->tree().size;
  main_log_ = std::make_shared<MainLog>(manifest_, input_.evaluator);
  std::uint64_t messages = 0;
  const auto take = [&](const LogReader::Bundle& bundle) {
    for (std::size_t i = 0; i < bundle.entries.size(); ++i) {
      const std::string place = entry_place(log, bundle.first + i);
      ++messages;
      const auto payload = payload_of(bundle.entries[i]);
      if (!payload.has_value()) {
        add_fault(Check::order, place, payload.error().message);
        continue;
      }
      const auto message = Message::decode(*payload);
      if (!message.has_value()) {
        add_fault(Check::order, place, message.error().message);
        continue;
      }
      if (auto taken = main_log_->append(*message); !taken.has_value()) {
        Fault fault = taken.error();
        fault.place = fault.place.empty() ? place : place + ", " + fault.place;
        add_fault(std::move(fault));
      }
    }
  };
  LogFollower follower(*reader);
  bool whole = true;
  for (std::uint64_t b = 0; whole && b < reader->num_bundles(); ++b) {
    const auto bundle = reader->bundle(b);
    whole = bundle.has_value();
    if (!whole) {
      add_fault(Check::logs, log, bundle.error().message);
      break;
    }
    follow(follower, reader->audit(*bundle));
    take(*bundle);
    entries_done_ += bundle->entries.size();
  }
  if (whole) {
    finish(follower);
  }
  const std::optional<Roster>& roster = main_log_->roster();
  if (roster.has_value()) {
    auto key = crypto::NoteVerifier::create(manifest_->log_origin(log),
                                            crypto::NoteAlgorithm::ed25519, roster->main_log);
    if (key.has_value()) {
      check_signature(*reader, *key);
    } else {
      add_fault(Check::logs, log, key.error().message);
    }
  }
  readers_.emplace(log, std::move(*reader));
  if (!whole) {
    return false;
  }
  if (main_log_->election() == nullptr) {
    // What the fold lacks is said by the first check that asks for it.
    const std::optional<Ceremony>& ceremony = main_log_->ceremony();
    if (!roster.has_value() || !ceremony.has_value()) {
      add_fault(Check::trustees, log, "there is no roster");
    } else if (const auto& verdict = ceremony->verdict(); verdict.has_value()) {
      add_fault(Check::trustees, "trustee " + std::to_string(verdict->culprit),
                "the key ceremony failed: " + verdict->reason);
    } else if (main_log_->phase() == MainLog::Phase::ceremony) {
      add_fault(Check::trustees, log, "the key ceremony is not complete");
    } else {
      did(Check::trustees, manifest_->num_trustees());
    }
    add_fault(Check::record, log, "there is no opening");
    return false;
  }
  report_.election_id = election().id();
  did(Check::trustees, manifest_->num_trustees());
  did(Check::registrars, std::uint64_t{manifest_->num_registrars()} * manifest_->num_styles());
  report_[Check::order].checked += messages;
  return true;
}

LogKind Verification::kind_of(std::uint32_t log) const {
  return log < manifest_->num_registrars() ? LogKind::roll : LogKind::box;
}

std::string Verification::name_of(std::uint32_t log) const {
  const std::uint32_t registrars = manifest_->num_registrars();
  return log < registrars ? Manifest::roll_log(log) : Manifest::box_log(log - registrars);
}

std::vector<BundleRange> Verification::ranges_of(Share share) const {
  std::vector<std::uint64_t> rolls;
  std::vector<std::uint64_t> boxes;
  for (std::uint32_t log = 0; log < num_logs(); ++log) {
    (kind_of(log) == LogKind::roll ? rolls : boxes).push_back(reader_of(log).num_bundles());
  }
  return protocol::ranges_of(share, rolls, boxes);
}

NextGroup Verification::groups_of(std::vector<BundleRange> ranges) const {
  // Groups are made as they are asked for: how many there are is the checkpoints' claim.
  const std::uint64_t per_box_group = group_size(*manifest_);
  std::uint64_t box_bundles = 0;
  for (const BundleRange& range : ranges) {
    box_bundles += kind_of(range.log) == LogKind::box ? range.to - range.from : 0;
  }
  // Few bundles are shared out evenly.
  const std::uint64_t per_core =
      std::max<std::uint64_t>(box_bundles / (2 * std::uint64_t{input_.executor.concurrency()}), 1);
  return [this, ranges = std::move(ranges), per_group = std::min(per_box_group, per_core),
          range = std::size_t{0}]() mutable -> std::optional<GroupPlan> {
    while (range < ranges.size() &&
           (ranges[range].from == ranges[range].to || stopped_.contains(ranges[range].log))) {
      ++range;
    }
    if (range == ranges.size()) {
      return std::nullopt;
    }
    BundleRange& rest = ranges[range];
    const std::uint64_t size =
        std::min(rest.to - rest.from, kind_of(rest.log) == LogKind::box ? per_group : kRollGroup);
    rest.from += size;
    return GroupPlan{.bundles = {rest.log, rest.from - size, rest.from}, .judged = std::nullopt};
  };
}

void Verification::judge(const NextGroup& next, const Take& take) {
  struct Group {
    GroupPlan plan;
    Result<JudgedGroup> judged;
  };
  const auto judge_one = [this](Group& group) {
    const BundleRange& bundles = group.plan.bundles;
    const LogKind kind = kind_of(bundles.log);
    const LogReader& reader = reader_of(bundles.log);
    group.judged = group.plan.judged.has_value()
                       ? JudgedGroup::decode(*group.plan.judged, kind, *manifest_, reader,
                                             bundles.from, bundles.to - bundles.from)
                       : judge_group(kind, election(), reader, bundles.from,
                                     bundles.to - bundles.from, input_.evaluator);
  };
  const auto take_one = [&](Group& group) {
    const std::uint32_t log = group.plan.bundles.log;
    if (stopped_.contains(log)) {
      return;
    }
    if (!group.judged.has_value()) {
      bad_part_ =
          bad_part(group.plan.file, name_of(log) + ": " + group.judged.error().message).error();
      stopped_.insert(log);
      return;
    }
    for (const BundleAudit& bundle : group.judged->bundles) {
      entries_done_ += bundle.size;
    }
    take(group.plan, *group.judged);
    if (group.judged->unreadable.has_value()) {
      stopped_.insert(log);
    } else if (group.plan.must_end) {
      bad_part_ = bad_part(group.plan.file, name_of(log) + ": bundles are missing").error();
      stopped_.insert(log);
    }
    if (input_.progress) {
      input_.progress(entries_done_, entries_all_);
    }
  };
  // While a window of groups is judged, one task takes the groups of the window before.
  const std::size_t at_once = 2 * input_.executor.concurrency();
  std::vector<Group> judged;
  do {
    std::vector<Group> window;
    while (window.size() < at_once) {
      std::optional<GroupPlan> plan = next();
      if (!plan.has_value()) {
        break;
      }
      window.push_back({*plan, JudgedGroup()});
    }
    input_.executor.run(window.size() + 1, [&](std::size_t task) {
      if (task > 0) {
        judge_one(window[task - 1]);
        return;
      }
      std::ranges::for_each(judged, take_one);
    });
    judged = std::move(window);
  } while (!judged.empty());
}

void Verification::follow(LogFollower& follower, const BundleAudit& bundle) {
  // After the first break of chain or tiles the audit has nothing more to say, but the entries
  // have.
  if (follower.sound) {
    if (auto audited = follower.audit.append(bundle); !audited.has_value()) {
      add_fault(Check::logs, follower.log, audited.error().message);
      follower.sound = false;
    }
  }
}

void Verification::finish(LogFollower& follower) {
  if (follower.sound) {
    if (auto finished = follower.audit.finish(); !finished.has_value()) {
      add_fault(Check::logs, follower.log, finished.error().message);
    }
  }
}

bool Verification::fold_logs(const NextGroup& next) {
  std::uint32_t log = 0;
  std::optional<LogFold> fold;
  const auto start = [&] {
    const LogKind kind = kind_of(log);
    fold.emplace(reader_of(log), *manifest_, kind,
                 kind == LogKind::roll ? log : log - manifest_->num_registrars());
  };
  const auto finish_one = [&] {
    finish_log(log, *fold);
    if (++log < num_logs()) {
      start();
    }
  };
  start();
  judge(next, [&](const GroupPlan& plan, JudgedGroup& group) {
    while (log < plan.bundles.log) {
      finish_one();
    }
    for (const BundleAudit& bundle : group.bundles) {
      follow(fold->follower, bundle);
      fold->roots.push_back(bundle.root);
    }
    const std::uint64_t first = plan.bundles.from * crypto::kTileWidth;
    if (fold->box.has_value()) {
      take_ballots(first, group, *fold);
    } else {
      take_issuances(first, group, *fold);
    }
    if (group.unreadable.has_value()) {
      add_fault(Check::logs, fold->reader->log(), group.unreadable->message);
    }
  });
  while (log < num_logs()) {
    finish_one();
  }
  return stopped_.empty();
}

// One credential, one ballot: entry after entry, in the log's order.
void Verification::take_ballots(std::uint64_t first, JudgedGroup& group, LogFold& fold) {
  for (const auto& [style, sums] : group.sums) {
    aggregate_->add(style, sums.sums, sums.ballots);
  }
  for (std::size_t i = 0; i < group.entries.size(); ++i) {
    const std::uint64_t index = first + i;
    const auto place = [&] { return entry_place(fold.reader->log(), index); };
    for (Fault& fault : group.entries[i].faults) {
      fault.place = place();
      add_fault(std::move(fault));
    }
    const std::optional<CredentialUse>& use = group.entries[i].use;
    if (!use.has_value()) {
      continue;
    }
    did(Check::ballots, 1);
    did(Check::credentials, 1);
    ++(use->is_ballot ? report_.num_ballots : report_.num_challenges);
    auto taken = fold.box->append(index, *use);
    if (!taken.has_value()) {
      Fault fault = taken.error();
      fault.place = place();
      add_fault(std::move(fault));
      if (use->is_ballot) {
        fold.not_counted.push_back({index, use->style});
      }
      continue;
    }
    if (const auto replaced = taken->superseded; replaced.has_value()) {
      fold.not_counted.push_back({*replaced, use->style});
    }
  }
}

void Verification::take_issuances(std::uint64_t first, const JudgedGroup& group, LogFold& fold) {
  for (std::size_t i = 0; i < group.issuances.size(); ++i) {
    const Result<Issuance>& issuance = group.issuances[i];
    const auto place = [&] { return entry_place(fold.reader->log(), first + i); };
    if (!issuance.has_value()) {
      add_fault(Check::issuance, place(), issuance.error().message);
      continue;
    }
    if (auto taken = fold.roll->append(*issuance); !taken.has_value()) {
      Fault fault = taken.error();
      fault.place = place();
      add_fault(std::move(fault));
    }
  }
}

void Verification::finish_log(std::uint32_t log, LogFold& fold) {
  if (!stopped_.contains(log)) {
    finish(fold.follower);
  }
  if (fold.roll.has_value()) {
    const IssuanceState& roll = *fold.roll;
    if (roll.total() > manifest_->voters) {
      add_fault(Check::issuance, fold.reader->log(),
                std::to_string(roll.total()) + " issuances; the manifest names at most " +
                    std::to_string(manifest_->voters) + " voters");
    }
    for (std::uint32_t style = 0; style < manifest_->num_styles(); ++style) {
      issued_[log][style] = roll.issued(style);
    }
    report_.num_issued += roll.total();
    report_[Check::issuance].checked += roll.total();
    return;
  }
  leave_out(fold);
  for (std::uint32_t style = 0; style < manifest_->num_styles(); ++style) {
    used_[style] += fold.box->credentials_used(style);
  }
}

// Reads ballots of one bundle again and sums them.
Result<SumsPerStyle> Verification::sums_again(const LogFold& fold, std::uint64_t number,
                                              std::span<const LogFold::NotCounted> ballots) const {
  PSEPHOS_TRY(const LogReader::Bundle bundle, fold.reader->bundle(number));
  const auto changed = [](const LogFold::NotCounted& ballot) {
    return fail(Errc::rejected, "entry " + std::to_string(ballot.index) +
                                    ": is not what it was when it was judged");
  };
  if (fold.reader->audit(bundle).root != fold.roots[number]) {
    return changed(ballots.front());
  }
  std::vector<ByteView> payloads;
  for (const LogFold::NotCounted& ballot : ballots) {
    PSEPHOS_TRY(const ByteView payload,
                payload_of(bundle.entries[ballot.index % crypto::kTileWidth]));
    payloads.push_back(payload);
  }
  const auto decoded = decode_box_entries(election(), payloads, input_.evaluator);
  std::vector<const BoxEntry*> entries;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    if (!decoded[i].has_value() || style_of(*decoded[i]) != ballots[i].style) {
      return changed(ballots[i]);
    }
    entries.push_back(&*decoded[i]);
  }
  return sum_ballots(entries, input_.evaluator);
}

// Ballots that do not count, because a later one of the same credential replaced them or the log's
// rules refuse them, were added with all others; they are read again and taken out.
void Verification::leave_out(const LogFold& fold) {
  std::map<std::uint64_t, std::vector<LogFold::NotCounted>> per_bundle;
  for (const LogFold::NotCounted& ballot : fold.not_counted) {
    per_bundle[ballot.index / crypto::kTileWidth].push_back(ballot);
  }
  const std::vector<std::pair<std::uint64_t, std::vector<LogFold::NotCounted>>> bundles(
      per_bundle.begin(), per_bundle.end());
  std::vector<Result<SumsPerStyle>> sums(bundles.size());
  input_.executor.run(bundles.size(), [&](std::size_t task) {
    sums[task] = sums_again(fold, bundles[task].first, bundles[task].second);
  });
  for (const Result<SumsPerStyle>& of_bundle : sums) {
    if (!of_bundle.has_value()) {
      add_fault(Check::logs, fold.reader->log(), of_bundle.error().message);
      return;
    }
    for (const auto& [style, of_style] : *of_bundle) {
      aggregate_->subtract(style, of_style.sums, of_style.ballots);
    }
  }
}

void Verification::check_files() {
  const auto files = input_.record.list();
  if (!files.has_value()) {
    add_fault(Check::record, ".", files.error().message);
    return;
  }
  std::set<std::string> unexplained(files->begin(), files->end());
  const auto expect = [&](const std::string& file) {
    const bool is_there = unexplained.erase(file) == 1;
    if (!is_there) {
      add_fault(Check::record, file, "the file is missing");
    }
    return is_there;
  };
  // A log with files missing is not judged further: what it should hold is its checkpoint's claim.
  const auto pass_over = [&](const std::string& log) {
    const auto first = unexplained.lower_bound(log + "/");
    unexplained.erase(first, unexplained.lower_bound(log + "0"));  // '0' follows '/'
  };
  expect(kManifestFile);
  for (const std::string& log : election().log_names()) {
    const auto reader = readers_.find(log);
    if (reader == readers_.end()) {
      expect(log + "/checkpoint");
      pass_over(log);
      continue;
    }
    std::size_t missing = 0;
    reader->second.for_each_file([&](const std::string& file) {
      missing += expect(file) ? 0U : 1U;
      return missing < CheckReport::kMaxFaults;
    });
    if (missing > 0) {
      pass_over(log);
    }
  }
  for (const std::string_view file : {kResultJsonFile, kResultCsvFile}) {
    if (stage_ == Stage::complete) {
      expect(std::string(file));
    }
    unexplained.erase(std::string(file));
  }
  for (const std::string& file : unexplained) {
    add_fault(Check::record, file, "the file does not belong to this record");
  }
  did(Check::record, files->size());
}

void Verification::check_close() {
  const std::optional<Close>& close = main_log_->close();
  if (!close.has_value()) {
    add_fault(Check::order, Manifest::main_log(), "the polls are not closed");
    return;
  }
  const auto compare = [&](const std::string& log, const crypto::TreeHead& tree) {
    if (readers_.at(log).tree() != tree) {
      add_fault(Check::order, log,
                "is not the log that the close names (" + std::to_string(tree.size) +
                    " entries there, " + std::to_string(readers_.at(log).tree().size) + " here)");
    }
  };
  for (std::uint32_t s = 0; s < manifest_->shards; ++s) {
    compare(Manifest::box_log(s), close->boxes[s]);
  }
  for (std::uint32_t r = 0; r < manifest_->num_registrars(); ++r) {
    compare(Manifest::roll_log(r), close->rolls[r]);
  }
}

void Verification::check_issued() {
  for (std::uint32_t r = 0; r < manifest_->num_registrars(); ++r) {
    for (std::uint32_t style = 0; style < manifest_->num_styles(); ++style) {
      if (used_[style] > issued_[r][style]) {
        add_fault(Check::issuance, Manifest::roll_log(r),
                  "style \"" + manifest_->styles[style].id + "\": " + std::to_string(used_[style]) +
                      " credentials used, only " + std::to_string(issued_[r][style]) + " issued");
      }
    }
  }
  did(Check::issuance, 0);
}

// The faults of a main log's tallies against what the counted ballots give (V12).
std::vector<Fault> tally_faults(const MainLog& main_log, const Aggregate& aggregate) {
  std::vector<Fault> faults;
  const auto add_fault = [&faults](std::string place, std::string message, std::string rule = {}) {
    faults.push_back({Check::aggregate, std::move(place), std::move(message), std::move(rule)});
  };
  const std::vector<Tally>& found = main_log.tallies();
  const std::vector<Tally> expected = expected_tallies(main_log.manifest(), aggregate);
  for (std::size_t k = 0; k < std::max(found.size(), expected.size()); ++k) {
    const std::string place = "tally " + std::to_string(k);
    if (k >= found.size()) {
      add_fault(place, "is missing");
    } else if (k >= expected.size()) {
      add_fault(place, "opens what the manifest's rules do not open");
    } else if (found[k].contest != expected[k].contest || found[k].unit != expected[k].unit) {
      add_fault(place, "is of another contest or unit than is due");
    } else if (found[k].counted != expected[k].counted) {
      add_fault(place, "says " + std::to_string(found[k].counted) + " ballots; the logs hold " +
                           std::to_string(expected[k].counted));
    } else {
      for (std::size_t option = 0; option < expected[k].sums.size(); ++option) {
        if (found[k].sums[option] != expected[k].sums[option]) {
          add_fault(place,
                    "option " + std::to_string(option + 1) +
                        ": is not the sum of the counted ballots' ciphertexts",
                    "sum");
        }
      }
    }
  }
  return faults;
}

void Verification::check_tallies() {
  if (stage_ == Stage::complete || !main_log_->tallies().empty()) {
    for (Fault& fault : tally_faults(*main_log_, *aggregate_)) {
      add_fault(std::move(fault));
    }
  }
  did(Check::aggregate, main_log_->tallies().size());
}

void Verification::check_decryptions() {
  std::uint64_t count = 0;
  for (std::size_t k = 0; k < main_log_->decryptions().size(); ++k) {
    const std::size_t sent = main_log_->decryptions()[k].size();
    count += sent;
    if (stage_ == Stage::complete && sent < manifest_->threshold) {
      add_fault(Check::decryption, "tally " + std::to_string(k),
                std::to_string(sent) + " valid decryptions; " +
                    std::to_string(manifest_->threshold) + " are needed");
    }
  }
  did(Check::decryption, count);
}

void Verification::check_results() {
  const std::size_t tallies = main_log_->tallies().size();
  if (stage_ == Stage::complete) {
    if (main_log_->results().size() != tallies) {
      add_fault(Check::result, Manifest::main_log(),
                std::to_string(main_log_->results().size()) + " valid results for " +
                    std::to_string(tallies) + " tallies");
      return;
    }
    const auto result = election_result(*main_log_, aggregate_->counted());
    if (!result.has_value()) {
      add_fault(Check::result, Manifest::main_log(), result.error().message);
      return;
    }
    const auto compare = [&](const char* path, const std::string& expected) {
      const auto file = input_.record.read(path, kMaxRecordFileBytes + expected.size());
      if (!file.has_value()) {
        add_fault(Check::result, path, file.error().message);
      } else if (as_text(*file) != expected) {
        add_fault(Check::result, path, "is not what the decrypted totals give");
      }
    };
    compare(kResultJsonFile, result_json(*manifest_, *result));
    compare(kResultCsvFile, result_csv(*manifest_, *result));
  }
  did(Check::result, main_log_->results().size());
}

void Verification::check_checkpoints() {
  for (std::size_t i = 0; i < input_.checkpoints.size(); ++i) {
    const std::string place = "earlier checkpoint " + std::to_string(i + 1);
    const auto judge = [&]() -> Result<void> {
      PSEPHOS_TRY(const crypto::Note note, crypto::Note::parse(input_.checkpoints[i]));
      PSEPHOS_TRY(const crypto::Checkpoint checkpoint, crypto::Checkpoint::parse(note.text));
      for (const auto& [log, reader] : readers_) {
        if (checkpoint.origin != manifest_->log_origin(log)) {
          continue;
        }
        PSEPHOS_TRY(const crypto::NoteVerifier key, election().log_verifier(log));
        PSEPHOS_CHECK_OK(note.verified_by(std::span(&key, 1)));
        if (checkpoint.tree.size > reader.tree().size) {
          return fail(Errc::rejected, "the log has fewer entries now than it had then");
        }
        PSEPHOS_TRY(const Digest32 root, reader.root(checkpoint.tree.size));
        if (root != checkpoint.tree.root) {
          return fail(Errc::rejected, "the log does not continue the one of this checkpoint");
        }
        return {};
      }
      return fail(Errc::rejected, "is of no log of this record: \"" + checkpoint.origin + "\"");
    };
    if (auto judged = judge(); !judged.has_value()) {
      add_fault(Check::logs, place, judged.error().message);
    }
  }
}

void Verification::check_receipts() {
  for (std::size_t i = 0; i < input_.receipts.size(); ++i) {
    const auto judge = [&]() -> Result<void> {
      PSEPHOS_TRY(const crypto::LogProof receipt, crypto::LogProof::parse(input_.receipts[i]));
      PSEPHOS_TRY(const crypto::Note note, crypto::Note::parse(receipt.checkpoint));
      PSEPHOS_TRY(const crypto::Checkpoint checkpoint, crypto::Checkpoint::parse(note.text));
      for (std::uint32_t s = 0; s < manifest_->shards; ++s) {
        const std::string log = Manifest::box_log(s);
        if (checkpoint.origin != manifest_->log_origin(log)) {
          continue;
        }
        PSEPHOS_TRY(const crypto::NoteVerifier key, election().log_verifier(log));
        PSEPHOS_CHECK_OK(check_receipt(readers_.at(log), key, receipt));
        return {};
      }
      return fail(Errc::rejected,
                  "is for no box log of this election: \"" + checkpoint.origin + "\"");
    };
    if (auto judged = judge(); !judged.has_value()) {
      add_fault(Check::receipts, "receipt " + std::to_string(i + 1), judged.error().message);
    }
  }
  did(Check::receipts, input_.receipts.size());
}

bool Verification::open_logs() {
  // Every log is opened before any is read, so that progress knows how much there is.
  bool all_open = true;
  for (std::uint32_t i = 0; i < num_logs(); ++i) {
    const std::string log = name_of(i);
    auto reader = open_log(log);
    if (!reader.has_value()) {
      all_open = false;
      continue;
    }
    if (auto key = election().log_verifier(log); key.has_value()) {
      check_signature(*reader, *key);
    } else {
      add_fault(Check::logs, log, key.error().message);
    }
    entries_all_ += reader->tree().size;
    readers_.emplace(log, std::move(*reader));
  }
  return all_open;
}

bool Verification::start() {
  if (!read_manifest()) {
    not_run_from(Check::record, "the manifest could not be read");
    return false;
  }
  if (!read_main()) {
    not_run_from(Check::record, "the main log does not lead to an opening");
    return false;
  }
  used_.assign(manifest_->num_styles(), 0);
  issued_.assign(manifest_->num_registrars(), std::vector<std::uint64_t>(manifest_->num_styles()));
  aggregate_ = std::make_shared<Aggregate>(*manifest_);
  const bool all_open = open_logs();
  check_files();
  if (!all_open) {
    not_run_from(Check::record, "a log could not be opened");
    return false;
  }
  return true;
}

void Verification::run() {
  if (start()) {
    finish_run(groups_of(ranges_of(Share{})));
  }
}

void Verification::finish_run(const NextGroup& next) {
  const bool whole = fold_logs(next);
  for (std::uint32_t style = 0; style < manifest_->num_styles(); ++style) {
    Turnout turnout{manifest_->styles[style].id, {}, used_[style], aggregate_->counted(style)};
    for (const auto& issued : issued_) {
      turnout.issued.push_back(issued[style]);
    }
    report_.num_counted += turnout.counted;
    report_.turnout.push_back(std::move(turnout));
  }
  check_checkpoints();
  did(Check::logs, readers_.size() + input_.checkpoints.size());
  check_close();
  did(Check::order, 0);
  check_receipts();
  if (!whole) {
    not_run_from(Check::record, "a log could not be read to its end");
    // Part of the entries is no basis for a verdict about all of them.
    for (const Check check : {Check::ballots, Check::credentials, Check::ballot_proofs,
                              Check::one_ballot, Check::issuance, Check::challenges}) {
      if (report_[check].status == Status::passed) {
        report_[check].status = Status::not_run;
      }
      not_run({check}, "a log could not be read to its end");
    }
    return;
  }
  did(Check::ballots, 0);
  did(Check::credentials, 0);
  did(Check::ballot_proofs, report_.num_ballots);
  did(Check::one_ballot, report_.num_ballots + report_.num_challenges);
  did(Check::challenges, report_.num_challenges);
  check_issued();
  if (!main_log_->close().has_value()) {
    not_run({Check::aggregate, Check::decryption, Check::result}, "the polls are not closed");
    return;
  }
  check_tallies();
  check_decryptions();
  check_results();
}

std::vector<crypto::TreeHead> Verification::trees() const {
  std::vector<crypto::TreeHead> trees;
  trees.reserve(num_logs());
  for (std::uint32_t log = 0; log < num_logs(); ++log) {
    trees.push_back(reader_of(log).tree());
  }
  return trees;
}

PartOutcome Verification::run_part(Share share) {
  VerificationPart part;
  part.share = share;
  PartOutcome outcome;
  if (start()) {
    part.election_id = election().id();
    part.trees = trees();
    std::vector<BundleRange> ranges = ranges_of(share);
    entries_done_ = 0;
    entries_all_ = 0;
    for (const BundleRange& range : ranges) {
      entries_all_ += (range.to - range.from) * crypto::kTileWidth;
    }
    judge(groups_of(std::move(ranges)), [&](const GroupPlan& plan, JudgedGroup& group) {
      outcome.num_faults += num_faults(group);
      part.groups.push_back({plan.bundles, group.encode(*manifest_)});
    });
    outcome.num_entries = entries_done_;
  } else {
    // The report of the whole will say what is wrong.
    outcome.num_faults = 1;
  }
  outcome.file = part.encode();
  return outcome;
}

Result<std::vector<GroupPlan>> Verification::plan(std::span<const VerificationPart> parts) const {
  if (parts.empty()) {
    return fail(Errc::misuse, "there are no parts");
  }
  std::vector<std::optional<std::size_t>> files(parts.size());  // of each share
  for (std::size_t file = 0; file < parts.size(); ++file) {
    const VerificationPart& part = parts[file];
    if (part.share.of != parts.size()) {
      return bad_part(file, "is one of " + std::to_string(part.share.of) + " parts; " +
                                std::to_string(parts.size()) + " are here");
    }
    if (files[part.share.part - 1].has_value()) {
      return bad_part(file, "part " + std::to_string(part.share.part) + " is here twice");
    }
    files[part.share.part - 1] = file;
    if (part.election_id != election().id() || part.trees != trees()) {
      return bad_part(file, "was made from another record, or from another state of this one");
    }
  }
  std::vector<GroupPlan> plans;
  for (const std::optional<std::size_t> file : files) {
    const VerificationPart& part = parts[*file];
    auto group = part.groups.begin();
    for (const BundleRange& range : ranges_of(part.share)) {
      std::uint64_t next = range.from;
      while (group != part.groups.end() && group->bundles.log == range.log &&
             group->bundles.from == next && next < group->bundles.to &&
             group->bundles.to <= range.to) {
        next = group->bundles.to;
        plans.push_back({.bundles = group->bundles, .judged = group->judged, .file = *file});
        ++group;
      }
      if (next == range.from) {
        return bad_part(*file, "does not begin where it should in " + name_of(range.log));
      }
      plans.back().must_end = next != range.to;
    }
    if (group != part.groups.end()) {
      return bad_part(*file, "holds more than its share");
    }
  }
  std::ranges::sort(plans, {}, [](const GroupPlan& plan) {
    return std::pair(plan.bundles.log, plan.bundles.from);
  });
  return plans;
}

Result<void> Verification::run_combined(std::span<const VerificationPart> parts) {
  if (!start()) {
    return {};
  }
  PSEPHOS_TRY(const std::vector<GroupPlan> plans, plan(parts));
  finish_run([&plans, next = plans.begin()]() mutable -> std::optional<GroupPlan> {
    return next == plans.end() ? std::nullopt : std::optional(*next++);
  });
  if (bad_part_.has_value()) {
    return std::unexpected(*bad_part_);
  }
  return {};
}

}  // namespace

std::string_view name(Status status) {
  switch (status) {
    case Status::not_run:
      return "not run";
    case Status::passed:
      return "passed";
    case Status::failed:
      return "failed";
  }
  return "unknown";
}

bool Report::accepted() const {
  return std::ranges::all_of(checks, [](const CheckReport& check) {
    return check.status == Status::passed && check.num_faults == 0;
  });
}

Report verify(const VerifyInput& input) {
  Verification verification(input, Stage::complete);
  verification.run();
  return std::move(verification.report());
}

PartOutcome verify_part(const VerifyInput& input, Share share) {
  PSEPHOS_CHECK(share.is_valid());
  return Verification(input, Stage::complete).run_part(share);
}

Result<Report> combine_parts(const VerifyInput& input, std::vector<Bytes> parts) {
  std::vector<VerificationPart> decoded;
  decoded.reserve(parts.size());
  for (Bytes& file : parts) {
    auto part = VerificationPart::decode(file);
    if (!part.has_value()) {
      return bad_part(decoded.size(), part.error().message);
    }
    decoded.push_back(std::move(*part));
    file = Bytes();  // what it held is in the part now
  }
  Verification verification(input, Stage::complete);
  PSEPHOS_CHECK_OK(verification.run_combined(decoded));
  return std::move(verification.report());
}

Result<AuditedBallots> audit_ballots(const VerifyInput& input) {
  Verification verification(input, Stage::before_decryption);
  verification.run();
  const Report& report = verification.report();
  for (const CheckReport& check : report.checks) {
    if (!check.faults.empty()) {
      return std::unexpected(to_error(check.faults.front()));
    }
  }
  for (const CheckReport& check : report.checks) {
    if (check.status != Status::passed) {
      return fail(Errc::misuse, id(check.check) + " was not run: " + check.why_not_run);
    }
  }
  AuditedBallots audited;
  audited.main_log_ = verification.main_log();
  audited.aggregate_ = verification.aggregate();
  audited.report_ = report;
  return audited;
}

Digest32 AuditedBallots::close_digest() const {
  return crypto::sha256({as_bytes(labels::kClose), election().id(), main_log_->close()->encode()});
}

Result<AuditedBallots> AuditedBallots::with_tallies(std::span<const Message> tallies) const {
  auto main_log = std::make_shared<MainLog>(*main_log_);
  for (const Message& message : tallies) {
    if (auto taken = main_log->append(message); !taken.has_value()) {
      return std::unexpected(to_error(taken.error()));
    }
  }
  const std::vector<Fault> faults = tally_faults(*main_log, *aggregate_);
  if (!faults.empty()) {
    return std::unexpected(to_error(faults.front()));
  }
  AuditedBallots audited = *this;
  audited.main_log_ = std::move(main_log);
  return audited;
}

Result<std::shared_ptr<MainLog>> read_main_log(const RecordSource& record,
                                               const crypto::Evaluator& evaluator) {
  PSEPHOS_TRY(const Bytes file, record.read(kManifestFile, kMaxManifestBytes));
  auto parsed = Manifest::parse(file);
  if (!parsed.has_value()) {
    return within(kManifestFile, parsed.error());
  }
  const auto manifest = std::make_shared<const Manifest>(std::move(*parsed));
  const std::string log = Manifest::main_log();
  const std::string origin = manifest->log_origin(log);
  PSEPHOS_TRY(const LogReader reader, LogReader::open(record, log, origin));
  LogAudit audit(reader);
  auto main_log = std::make_shared<MainLog>(manifest, evaluator);
  for (std::uint64_t b = 0; b < reader.num_bundles(); ++b) {
    PSEPHOS_TRY(const LogReader::Bundle bundle, reader.bundle(b));
    if (auto sound = audit.append(reader.audit(bundle)); !sound.has_value()) {
      return within(log, sound.error());
    }
    for (std::size_t i = 0; i < bundle.entries.size(); ++i) {
      const std::string place = entry_place(log, bundle.first + i);
      PSEPHOS_TRY(const ByteView payload, payload_of(bundle.entries[i]));
      auto message = Message::decode(payload);
      if (!message.has_value()) {
        return within(place, message.error());
      }
      if (auto taken = main_log->append(*message); !taken.has_value()) {
        return within(place, to_error(taken.error()));
      }
    }
  }
  if (auto sound = audit.finish(); !sound.has_value()) {
    return within(log, sound.error());
  }
  const std::optional<Roster>& roster = main_log->roster();
  if (!roster.has_value()) {
    return fail(Errc::rejected, "main: the log is empty; it must begin with the roster");
  }
  PSEPHOS_TRY(
      const crypto::NoteVerifier key,
      crypto::NoteVerifier::create(origin, crypto::NoteAlgorithm::ed25519, roster->main_log));
  // Witnesses cosign what is published; a record in the making need not carry their signatures yet.
  PSEPHOS_CHECK_OK(reader.note().verified_by(std::span(&key, 1)));
  return main_log;
}

Result<ElectionResult> election_result(const MainLog& main_log,
                                       std::span<const std::uint64_t> counted_per_style) {
  const Manifest& manifest = main_log.manifest();
  if (main_log.election() == nullptr || main_log.results().size() != main_log.tallies().size()) {
    return fail(Errc::misuse, "main: not every tally has its result yet");
  }
  ElectionResult result;
  result.election_id = main_log.election()->id();
  result.contests.resize(manifest.contests.size());
  std::size_t next = 0;
  for (std::uint32_t contest = 0; contest < manifest.contests.size(); ++contest) {
    for (const Unit& unit : units(manifest, contest, counted_per_style)) {
      if (next == main_log.results().size()) {
        return fail(Errc::rejected, "main: a tally is missing");
      }
      result.contests[contest].push_back(
          {unit.styles, unit.counted, main_log.results()[next++].totals});
    }
  }
  if (next != main_log.results().size()) {
    return fail(Errc::rejected, "main: a tally too many");
  }
  return result;
}

}  // namespace psephos::protocol
