#include "psephos/protocol/verify.h"

#include <algorithm>
#include <utility>

#include "psephos/crypto/hash.h"

#include "protocol/labels.h"
#include "protocol/verification.h"

namespace psephos::protocol {

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
