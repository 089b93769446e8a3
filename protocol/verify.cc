#include "psephos/protocol/verify.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <span>
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
  // Calls visit for every bundle in order and audits the log on the way. False if some bundle could
  // not be read, so that not every entry was visited.
  bool walk(const LogReader& reader, const std::function<void(const LogReader::Bundle&)>& visit);
  void check_signature(const LogReader& reader, const crypto::NoteVerifier& key);

  bool read_main();
  bool read_box(std::uint32_t shard, const LogReader& reader);
  void read_box_bundle(const LogReader& reader, const LogReader::Bundle& bundle, BoxState& state,
                       std::vector<std::uint64_t>& superseded);
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

bool Verification::walk(const LogReader& reader,
                        const std::function<void(const LogReader::Bundle&)>& visit) {
  LogAudit audit(input_.record, reader, manifest_->log_origin(reader.log()));
  bool sound = true;
  for (std::uint64_t i = 0; i < reader.num_bundles(); ++i) {
    auto bundle = reader.bundle(i);
    if (!bundle.has_value()) {
      add_fault(Check::logs, reader.log(), bundle.error().message);
      return false;
    }
    // After the first break of chain or tiles the audit has nothing more to say, but the entries
    // have.
    if (sound) {
      if (auto audited = audit.append(*bundle); !audited.has_value()) {
        add_fault(Check::logs, reader.log(), audited.error().message);
        sound = false;
      }
    }
    visit(*bundle);
    entries_done_ += bundle->entries.size();
    if (input_.progress) {
      input_.progress(entries_done_, entries_all_);
    }
  }
  if (sound) {
    if (auto finished = audit.finish(); !finished.has_value()) {
      add_fault(Check::logs, reader.log(), finished.error().message);
    }
  }
  return true;
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
  const bool whole = walk(*reader, [&](const LogReader::Bundle& bundle) {
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

void Verification::read_box_bundle(const LogReader& reader, const LogReader::Bundle& bundle,
                                   BoxState& state, std::vector<std::uint64_t>& superseded) {
  struct Judged {
    std::optional<BoxEntry> entry;
    std::vector<Fault> faults;
    bool counts = false;
  };
  std::vector<Judged> judged(bundle.entries.size());
  input_.executor.run(judged.size(), [&](std::size_t i) {
    const auto payload = payload_of(bundle.entries[i]);
    auto entry = payload.has_value() ? decode_box_entry(*payload, election())
                                     : Result<BoxEntry>(std::unexpected(payload.error()));
    if (!entry.has_value()) {
      judged[i].faults.push_back(Fault{Check::ballots, {}, entry.error().message, {}});
      return;
    }
    judged[i].faults = check_box_entry(election(), *entry, input_.evaluator);
    judged[i].entry = std::move(*entry);
  });

  // One credential, one ballot: entry after entry, in the log's order.
  std::map<std::uint32_t, std::vector<const crypto::EncryptedBallot*>> counted;
  for (std::size_t i = 0; i < judged.size(); ++i) {
    const std::string place = entry_place(reader.log(), bundle.first + i);
    for (Fault& fault : judged[i].faults) {
      fault.place = place;
      add_fault(std::move(fault));
    }
    const std::optional<BoxEntry>& decoded = judged[i].entry;
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
    auto taken = state.append(bundle.first + i, entry);
    if (!taken.has_value()) {
      Fault fault = taken.error();
      fault.place = place;
      add_fault(std::move(fault));
      continue;
    }
    if (const auto replaced = taken->superseded; replaced.has_value()) {
      superseded.push_back(*replaced);
    }
    if (is_ballot) {
      counted[style_of(entry)].push_back(&encrypted_of(entry));
    }
  }

  for (const auto& [style, ballots] : counted) {
    std::vector<crypto::Ciphertext> sums(ballots.front()->ciphertexts.size());
    input_.executor.run(sums.size(), [&sums, &ballots](std::size_t option) {
      for (const crypto::EncryptedBallot* ballot : ballots) {
        sums[option] = sums[option] + ballot->ciphertexts[option];
      }
    });
    aggregate_->add(style, sums, ballots.size());
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
  const bool whole = walk(reader, [&](const LogReader::Bundle& bundle) {
    bundles.push_back(crypto::sha256({bundle.storage}));
    read_box_bundle(reader, bundle, state, superseded);
  });
  subtract_superseded(reader, bundles, std::move(superseded));
  for (std::uint32_t style = 0; style < manifest_->num_styles(); ++style) {
    used_[style] += state.credentials_used(style);
  }
  return whole;
}

bool Verification::read_roll(std::uint32_t registrar, const LogReader& reader) {
  IssuanceState state(*manifest_);
  const bool whole = walk(reader, [&](const LogReader::Bundle& bundle) {
    for (std::size_t i = 0; i < bundle.entries.size(); ++i) {
      const std::string place = entry_place(reader.log(), bundle.first + i);
      const auto payload = payload_of(bundle.entries[i]);
      const auto issuance = payload.has_value()
                                ? Issuance::decode(*payload, *manifest_)
                                : Result<Issuance>(std::unexpected(payload.error()));
      if (!issuance.has_value()) {
        add_fault(Check::issuance, place, issuance.error().message);
        continue;
      }
      if (auto taken = state.append(*issuance); !taken.has_value()) {
        Fault fault = taken.error();
        fault.place = place;
        add_fault(std::move(fault));
      }
    }
  });
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
    if (auto sound = audit.append(bundle); !sound.has_value()) {
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
