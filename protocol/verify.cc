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

#include "protocol/labels.h"

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
  return kGroupBytes / (points_and_scalars * crypto::Point::kSize * crypto::kTileWidth);
}

struct Nothing {};

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
  // Walks over a log's bundles, at most `bundles_per_group` at a time, and audits the log on the
  // way. judge(bundles) sees a group of bundles, with others at the same time; take(bundles,
  // judged) then gets the groups one after another, in order. False if some bundle could not be
  // read, so that not every entry was taken.
  template <class Judge, class Take>
  bool walk(const LogReader& reader, std::uint64_t bundles_per_group, const Judge& judge,
            const Take& take);
  void check_signature(const LogReader& reader, const crypto::NoteVerifier& key);

  bool read_main();
  bool read_box(std::uint32_t shard, const LogReader& reader);
  struct JudgedBallots;
  [[nodiscard]] JudgedBallots judge_ballots(std::span<const LogReader::Bundle> bundles) const;
  void take_ballots(const LogReader& reader, std::span<const LogReader::Bundle> bundles,
                    JudgedBallots& judged, BoxState& state, std::vector<std::uint64_t>& superseded);
  void subtract_superseded(const LogReader& reader, std::span<const Digest32> bundles,
                           std::vector<std::uint64_t> superseded);
  bool read_roll(std::uint32_t registrar, const LogReader& reader);
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

template <class Judge, class Take>
bool Verification::walk(const LogReader& reader, std::uint64_t bundles_per_group,
                        const Judge& judge, const Take& take) {
  struct Group {
    std::vector<LogReader::Bundle> bundles;
    std::vector<std::vector<EntryHashes>> hashes;
    std::optional<Error> unreadable;  // after these bundles
    std::optional<std::invoke_result_t<Judge, std::span<const LogReader::Bundle>>> judged;
  };
  LogAudit audit(input_.record, reader, manifest_->log_origin(reader.log()));
  bool sound = true;
  bool whole = true;

  const auto read = [&](std::uint64_t first, std::uint64_t count) {
    Group group;
    for (std::uint64_t i = 0; i < count; ++i) {
      auto bundle = reader.bundle(first + i);
      if (!bundle.has_value()) {
        group.unreadable = bundle.error();
        break;
      }
      group.hashes.push_back(hash_entries(*bundle));
      group.bundles.push_back(std::move(*bundle));
    }
    group.judged.emplace(judge(std::span<const LogReader::Bundle>(group.bundles)));
    return group;
  };
  const auto take_group = [&](Group& group) {
    for (std::size_t i = 0; i < group.bundles.size(); ++i) {
      // After the first break of chain or tiles the audit has nothing more to say, but the entries
      // have.
      if (sound) {
        if (auto audited = audit.append(group.bundles[i], group.hashes[i]); !audited.has_value()) {
          add_fault(Check::logs, reader.log(), audited.error().message);
          sound = false;
        }
      }
      entries_done_ += group.bundles[i].entries.size();
    }
    take(std::span<const LogReader::Bundle>(group.bundles), *group.judged);
    if (group.unreadable.has_value()) {
      add_fault(Check::logs, reader.log(), group.unreadable->message);
      whole = false;
    }
    if (input_.progress) {
      input_.progress(entries_done_, entries_all_);
    }
  };

  // While a window of groups is read and judged, one task takes the groups of the window before.
  const std::uint64_t bundles = reader.num_bundles();
  const std::uint64_t groups_at_once = 2 * std::uint64_t{input_.executor.concurrency()};
  const std::uint64_t per_group = std::clamp<std::uint64_t>(
      bundles / groups_at_once, 1, std::max<std::uint64_t>(bundles_per_group, 1));
  std::vector<Group> judged;
  std::uint64_t next = 0;
  do {
    const std::uint64_t left = (bundles - next + per_group - 1) / per_group;
    std::vector<Group> window(std::min(left, groups_at_once));
    input_.executor.run(window.size() + 1, [&](std::size_t task) {
      if (task == 0) {
        for (Group& group : judged) {
          if (whole) {
            take_group(group);
          }
        }
      } else {
        const std::uint64_t first = next + (task - 1) * per_group;
        window[task - 1] = read(first, std::min(per_group, bundles - first));
      }
    });
    next = std::min(bundles, next + window.size() * per_group);
    judged = std::move(window);
  } while (whole && !judged.empty());

  if (whole && sound) {
    if (auto finished = audit.finish(); !finished.has_value()) {
      add_fault(Check::logs, reader.log(), finished.error().message);
    }
  }
  return whole;
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
  const bool whole = walk(
      *reader, 1, [](std::span<const LogReader::Bundle>) { return Nothing{}; },
      [&](std::span<const LogReader::Bundle> bundles, Nothing&) {
        std::ranges::for_each(bundles, take);
      });
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

// What can be said of a group's entries without the entries before them.
struct Verification::JudgedBallots {
  std::vector<JudgedEntry> entries;
  // Of the ballots that decoded, per style.
  struct Sums {
    std::uint64_t ballots = 0;
    std::vector<crypto::Ciphertext> sums;
  };
  std::map<std::uint32_t, Sums> sums;
  std::vector<Digest32> bundles;  // SHA-256 of each
};

Verification::JudgedBallots Verification::judge_ballots(
    std::span<const LogReader::Bundle> bundles) const {
  JudgedBallots judged;
  std::vector<ByteView> payloads;
  std::map<std::size_t, std::string> too_short;
  for (const LogReader::Bundle& bundle : bundles) {
    judged.bundles.push_back(crypto::sha256({bundle.storage}));
    for (const ByteView entry : bundle.entries) {
      const auto payload = payload_of(entry);
      if (!payload.has_value()) {
        too_short.emplace(payloads.size(), payload.error().message);
      }
      payloads.push_back(payload.value_or(ByteView()));
    }
  }
  judged.entries = judge_box_entries(election(), payloads, input_.evaluator);
  for (const auto& [i, message] : too_short) {
    judged.entries[i].faults = {Fault{Check::ballots, {}, message, {}}};
  }

  std::map<std::uint32_t, std::vector<const crypto::EncryptedBallot*>> ballots;
  for (const JudgedEntry& entry : judged.entries) {
    if (entry.entry.has_value() && std::holds_alternative<Ballot>(*entry.entry)) {
      ballots[style_of(*entry.entry)].push_back(&encrypted_of(*entry.entry));
    }
  }
  for (const auto& [style, of_style] : ballots) {
    JudgedBallots::Sums& sums = judged.sums[style];
    sums.ballots = of_style.size();
    std::vector<const crypto::Point*> alphas(of_style.size());
    std::vector<const crypto::Point*> betas(of_style.size());
    for (std::size_t option = 0; option < of_style.front()->ciphertexts.size(); ++option) {
      for (std::size_t i = 0; i < of_style.size(); ++i) {
        alphas[i] = &of_style[i]->ciphertexts[option].alpha;
        betas[i] = &of_style[i]->ciphertexts[option].beta;
      }
      sums.sums.push_back(
          {.alpha = input_.evaluator.sum(alphas), .beta = input_.evaluator.sum(betas)});
    }
  }
  return judged;
}

// One credential, one ballot: entry after entry, in the log's order.
void Verification::take_ballots(const LogReader& reader, std::span<const LogReader::Bundle> bundles,
                                JudgedBallots& judged, BoxState& state,
                                std::vector<std::uint64_t>& superseded) {
  for (const auto& [style, sums] : judged.sums) {
    aggregate_->add(style, sums.sums, sums.ballots);
  }
  for (std::size_t i = 0; i < judged.entries.size(); ++i) {
    const std::uint64_t index = bundles.front().first + i;
    const auto place = [&] { return entry_place(reader.log(), index); };
    for (Fault& fault : judged.entries[i].faults) {
      fault.place = place();
      add_fault(std::move(fault));
    }
    const std::optional<BoxEntry>& decoded = judged.entries[i].entry;
    if (!decoded.has_value()) {
      continue;
    }
    const BoxEntry& entry = *decoded;
    const bool is_ballot = std::holds_alternative<Ballot>(entry);
    did(Check::ballots, 1);
    did(Check::credentials, 1);
    if (is_ballot) {
      ++report_.num_ballots;
    } else {
      ++report_.num_challenges;
    }
    auto taken = state.append(index, entry);
    if (!taken.has_value()) {
      Fault fault = taken.error();
      fault.place = place();
      add_fault(std::move(fault));
      if (is_ballot) {
        aggregate_->subtract(style_of(entry), encrypted_of(entry).ciphertexts);
      }
      continue;
    }
    if (const auto replaced = taken->superseded; replaced.has_value()) {
      superseded.push_back(*replaced);
    }
  }
}

// Ballots that a later one of the same credential replaced were added with all others; they are
// read again and taken out.
void Verification::subtract_superseded(const LogReader& reader, std::span<const Digest32> bundles,
                                       std::vector<std::uint64_t> superseded) {
  std::ranges::sort(superseded);
  std::optional<LogReader::Bundle> bundle;
  for (const std::uint64_t index : superseded) {
    const std::uint64_t number = index / crypto::kTileWidth;
    if (!bundle.has_value() || bundle->first != number * crypto::kTileWidth) {
      auto read = reader.bundle(number);
      if (!read.has_value()) {
        add_fault(Check::logs, reader.log(), read.error().message);
        return;
      }
      if (crypto::sha256({read->storage}) != bundles[number]) {
        add_fault(Check::logs, entry_place(reader.log(), index), "changed while it was verified");
        return;
      }
      bundle = std::move(*read);
    }
    const auto payload = payload_of(bundle->entries[index % crypto::kTileWidth]);
    PSEPHOS_CHECK(payload.has_value());  // as when it was taken
    const auto entry = decode_box_entry(*payload, election());
    PSEPHOS_CHECK(entry.has_value());
    aggregate_->subtract(style_of(*entry), encrypted_of(*entry).ciphertexts);
  }
}

bool Verification::read_box(std::uint32_t shard, const LogReader& reader) {
  BoxState state(election(), shard);
  std::vector<std::uint64_t> superseded;
  std::vector<Digest32> bundles;  // SHA-256 of each
  const bool whole = walk(
      reader, group_size(*manifest_),
      [this](std::span<const LogReader::Bundle> group) { return judge_ballots(group); },
      [&](std::span<const LogReader::Bundle> group, JudgedBallots& judged) {
        bundles.insert(bundles.end(), judged.bundles.begin(), judged.bundles.end());
        take_ballots(reader, group, judged, state, superseded);
      });
  subtract_superseded(reader, bundles, std::move(superseded));
  for (std::uint32_t style = 0; style < manifest_->num_styles(); ++style) {
    used_[style] += state.credentials_used(style);
  }
  return whole;
}

bool Verification::read_roll(std::uint32_t registrar, const LogReader& reader) {
  IssuanceState state(*manifest_);
  using Issuances = std::vector<Result<Issuance>>;
  const auto judge = [this](std::span<const LogReader::Bundle> bundles) {
    Issuances issuances;
    for (const LogReader::Bundle& bundle : bundles) {
      for (const ByteView entry : bundle.entries) {
        const auto payload = payload_of(entry);
        issuances.push_back(payload.has_value()
                                ? Issuance::decode(*payload, *manifest_)
                                : Result<Issuance>(std::unexpected(payload.error())));
      }
    }
    return issuances;
  };
  const auto take = [&](std::span<const LogReader::Bundle> bundles, const Issuances& issuances) {
    for (std::size_t i = 0; i < issuances.size(); ++i) {
      const auto place = [&] { return entry_place(reader.log(), bundles.front().first + i); };
      if (!issuances[i].has_value()) {
        add_fault(Check::issuance, place(), issuances[i].error().message);
        continue;
      }
      if (auto taken = state.append(*issuances[i]); !taken.has_value()) {
        Fault fault = taken.error();
        fault.place = place();
        add_fault(std::move(fault));
      }
    }
  };
  const bool whole = walk(reader, kRollGroup, judge, take);
  if (state.total() > manifest_->voters) {
    add_fault(Check::issuance, reader.log(),
              std::to_string(state.total()) + " issuances; the manifest names at most " +
                  std::to_string(manifest_->voters) + " voters");
  }
  for (std::uint32_t style = 0; style < manifest_->num_styles(); ++style) {
    issued_[registrar][style] = state.issued(style);
  }
  report_.num_issued += state.total();
  report_[Check::issuance].checked += state.total();
  return whole;
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

void Verification::run() {
  if (!read_manifest()) {
    not_run_from(Check::record, "the manifest could not be read");
    return;
  }
  if (!read_main()) {
    not_run_from(Check::record, "the main log does not lead to an opening");
    return;
  }

  used_.assign(manifest_->num_styles(), 0);
  issued_.assign(manifest_->num_registrars(), std::vector<std::uint64_t>(manifest_->num_styles()));
  aggregate_ = std::make_shared<Aggregate>(*manifest_);

  // Every log is opened before any is walked, so that progress knows how much there is.
  bool all_open = true;
  for (const std::string& log : election().log_names()) {
    if (log == Manifest::main_log()) {
      continue;
    }
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
  check_files();
  if (!all_open) {
    not_run_from(Check::record, "a log could not be opened");
    return;
  }

  bool whole_rolls = true;
  for (std::uint32_t r = 0; r < manifest_->num_registrars(); ++r) {
    whole_rolls = read_roll(r, readers_.at(Manifest::roll_log(r))) && whole_rolls;
  }
  bool whole_boxes = true;
  for (std::uint32_t s = 0; s < manifest_->shards; ++s) {
    whole_boxes = read_box(s, readers_.at(Manifest::box_log(s))) && whole_boxes;
  }
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
  if (!whole_boxes || !whole_rolls) {
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
  LogAudit audit(record, reader, origin);
  auto main_log = std::make_shared<MainLog>(manifest, evaluator);
  for (std::uint64_t b = 0; b < reader.num_bundles(); ++b) {
    PSEPHOS_TRY(const LogReader::Bundle bundle, reader.bundle(b));
    if (auto sound = audit.append(bundle, hash_entries(bundle)); !sound.has_value()) {
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
