// Verification is one run over one record. Its methods are in three files: verify.cc (the course of
// a run), verification_logs.cc (rolls and boxes, here or in parts), verification_checks.cc (what is
// asked of the record as a whole).
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "psephos/protocol/box_state.h"
#include "psephos/protocol/issuance.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/verify.h"

#include "protocol/judged_group.h"
#include "protocol/verification_part.h"

namespace psephos::protocol {

inline constexpr const char* kManifestFile = "manifest.json";
inline constexpr const char* kResultJsonFile = "result.json";
inline constexpr const char* kResultCsvFile = "result.csv";

// A group of bundles as it is planned: read and judged here, or judged in a part.
struct GroupPlan {
  BundleRange bundles;
  std::optional<ByteView> judged;
  std::size_t file = 0;   // the part's
  bool must_end = false;  // no group follows although bundles do: the last one must be unreadable
};
using NextGroup = std::function<std::optional<GroupPlan>()>;

// LogFollower audits a log bundle by bundle; after its first break there is no more to say of it.
struct LogFollower {
  explicit LogFollower(const LogReader& reader) : log(reader.log()), audit(reader) {}
  std::string log;
  LogAudit audit;
  bool sound = true;
};

// Uncounted are ballots of one box that entered the sums but do not count.
struct Uncounted {
  struct Ballot {
    std::uint64_t index;
    std::uint32_t style;
  };
  const LogReader* reader;
  std::vector<Digest32> roots;  // of each bundle, as it was judged
  std::vector<Ballot> ballots;
};

// LogFold is what is known of a roll or box after its groups so far.
struct LogFold {
  LogFold(const LogReader& reader, const Manifest& manifest, LogKind kind, std::uint32_t number)
      : follower(reader), uncounted{.reader = &reader, .roots = {}, .ballots = {}} {
    if (kind == LogKind::roll) {
      roll.emplace(manifest);
    } else {
      box.emplace(manifest, number);
    }
  }
  LogFollower follower;
  std::optional<IssuanceState> roll;
  std::optional<BoxState> box;
  Uncounted uncounted;
};

// Whether the record is judged as finished, or as one whose tally may still be missing.
enum class Stage : std::uint8_t { complete, before_decryption };

// The methods go from the manifest outwards; each marks a check as run only after everything the
// check asks for was looked at.
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
  void leave_out(const Uncounted& uncounted);
  [[nodiscard]] Result<SumsPerStyle> sums_again(const Uncounted& uncounted, std::uint64_t number,
                                                std::span<const Uncounted::Ballot> ballots) const;

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
  std::vector<Uncounted> uncounted_;                // of the boxes that have been folded
  std::optional<Error> bad_part_;
  std::uint64_t entries_done_ = 0;
  std::uint64_t entries_all_ = 0;
};

// The faults of a main log's tallies against what the counted ballots give (V12).
[[nodiscard]] std::vector<Fault> tally_faults(const MainLog& main_log, const Aggregate& aggregate);

}  // namespace psephos::protocol
