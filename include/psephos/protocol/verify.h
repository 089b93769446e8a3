// Verification of a whole record. Spec: docs/spec.md §10.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "psephos/crypto/note.h"
#include "psephos/crypto/relation.h"
#include "psephos/protocol/check.h"
#include "psephos/protocol/executor.h"
#include "psephos/protocol/main_log.h"
#include "psephos/protocol/storage.h"
#include "psephos/protocol/tally.h"

namespace psephos::protocol {

enum class Status : std::uint8_t { not_run, passed, failed };
[[nodiscard]] std::string_view name(Status status);

struct CheckReport {
  Check check;
  Status status = Status::not_run;
  std::uint64_t checked = 0;     // things looked at: files, messages, entries, equations' owners
  std::uint64_t num_faults = 0;  // all of them; `faults` keeps the first kMaxFaults
  std::vector<Fault> faults;
  std::string why_not_run;

  static constexpr std::size_t kMaxFaults = 100;
  friend bool operator==(const CheckReport&, const CheckReport&) = default;
};

// Turnout of one ballot style.
struct Turnout {
  std::string style;
  std::vector<std::uint64_t> issued;  // per registrar
  std::uint64_t used = 0;             // credentials that stand in a box log
  std::uint64_t counted = 0;          // counted ballots

  friend bool operator==(const Turnout&, const Turnout&) = default;
};

// Report is what a verification found. A record is accepted only if every check ran and passed.
struct Report {
  std::array<CheckReport, kNumChecks> checks;
  std::string title;              // of the election, once the manifest is read
  Digest32 election_id{};         // once the opening is read
  std::uint64_t num_ballots = 0;  // ballot entries
  std::uint64_t num_counted = 0;  // counted ballots
  std::uint64_t num_challenges = 0;
  std::uint64_t num_issued = 0;  // over all registrars
  std::vector<Turnout> turnout;  // per style, once all logs are read

  [[nodiscard]] bool accepted() const;
  [[nodiscard]] const CheckReport& operator[](Check check) const {
    return checks[static_cast<std::size_t>(check) - 1];
  }
  [[nodiscard]] CheckReport& operator[](Check check) {
    return checks[static_cast<std::size_t>(check) - 1];
  }
  friend bool operator==(const Report&, const Report&) = default;
};

// Progress tells how far a verification is: entries of all logs, done and in all. Called from one
// thread at a time, not always the same.
using Progress = std::function<void(std::uint64_t done, std::uint64_t all)>;

struct VerifyInput {
  const RecordSource& record;
  const crypto::Evaluator& evaluator;
  Executor& executor;
  std::vector<std::string> receipts;     // C2SP tlog-proofs handed to the verifier
  std::vector<std::string> checkpoints;  // earlier checkpoints the auditor kept
  Progress progress;                     // may be empty
};

// verify runs V1–V15. It never fails: what cannot be read is a fault.
[[nodiscard]] Report verify(const VerifyInput& input);

// Share: which part of a verification one process does, 1 ≤ part ≤ of ≤ kMaxParts.
struct Share {
  static constexpr std::uint32_t kMaxParts = 1U << 20;
  std::uint32_t part = 1;
  std::uint32_t of = 1;
  [[nodiscard]] bool is_valid() const { return part >= 1 && part <= of && of <= kMaxParts; }
  friend bool operator==(const Share&, const Share&) = default;
};

// verify_part judges every entry of one share of the rolls and boxes, each by itself: nearly all of
// a verification's work. The file takes some 120 bytes for each voter. Receipts and checkpoints of
// the input are not looked at.
struct PartOutcome {
  Bytes file;
  std::uint64_t num_entries = 0;
  std::uint64_t num_faults = 0;  // among them; combine_parts says which
};
[[nodiscard]] PartOutcome verify_part(const VerifyInput& input, Share share);

// combine_parts does the rest of a verification and gives the report that verify would give of the
// copy of the record that the parts have read; of its own copy it reads neither entries nor level-0
// tiles of rolls and boxes, but for ballots that do not count and receipts. It takes the parts'
// word for what they judged: they must come from machines and over ways that the auditor trusts.
// Errc::rejected if the parts are not all parts of one verification of this record, each once; the
// message counts the files from 1 ("part file 2"). Every entry is bound to the record by the logs'
// trees; ballots that do not count are read again.
[[nodiscard]] Result<Report> combine_parts(const VerifyInput& input, std::vector<Bytes> parts);

// AuditedBallots is the outcome of V1–V12 as far as they can run before anything is decrypted: made
// only by audit_ballots, and asked for by whoever computes or decrypts a tally, so that a trustee's
// tool cannot decrypt what it has not itself verified.
class AuditedBallots {
 public:
  [[nodiscard]] const MainLog& main_log() const { return *main_log_; }
  [[nodiscard]] const Election& election() const { return *main_log_->election(); }
  [[nodiscard]] const Aggregate& aggregate() const { return *aggregate_; }
  [[nodiscard]] const Report& report() const { return report_; }
  // SHA-256("psephos/v1/close" ‖ election id ‖ payload of the close): which ballots were audited.
  // Trustees compare it before they decrypt.
  [[nodiscard]] Digest32 close_digest() const;

  // with_tallies is the audit after these tally messages: they are folded into the main log and
  // compared with the aggregate (V12), so that the ballots need not be read again. Errc::rejected
  // names the fault.
  [[nodiscard]] Result<AuditedBallots> with_tallies(std::span<const Message> tallies) const;

 private:
  friend Result<AuditedBallots> audit_ballots(const VerifyInput& input);
  AuditedBallots() = default;
  std::shared_ptr<const MainLog> main_log_;
  std::shared_ptr<const Aggregate> aggregate_;
  Report report_;
};

// audit_ballots runs V1–V11 on a closed record that may not be tallied yet, V12 if tallies stand in
// it, and checks whatever decryptions and results are there (V13, V14) as far as they go.
// Errc::rejected with the first fault if any fails, Errc::misuse if the polls are not closed.
[[nodiscard]] Result<AuditedBallots> audit_ballots(const VerifyInput& input);

// read_main_log folds a record's main log without looking at any other: for tools that act on a
// record in the making. The log's checkpoint, chain and tiles are checked; Errc::rejected names the
// first fault.
[[nodiscard]] Result<std::shared_ptr<MainLog>> read_main_log(const RecordSource& record,
                                                             const crypto::Evaluator& evaluator);

// election_result collects the results of a complete main log; units are given by the tallies'
// aggregate.
[[nodiscard]] Result<ElectionResult> election_result(
    const MainLog& main_log, std::span<const std::uint64_t> counted_per_style);

}  // namespace psephos::protocol
