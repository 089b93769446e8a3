// What commands do with the logs of a record, beyond reading the main log (common.h).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "psephos/protocol/authority.h"
#include "psephos/protocol/ballot.h"
#include "psephos/protocol/issuance.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/main_log.h"
#include "psephos/protocol/verify.h"

#include "cli/common.h"

namespace psephos::cli {

[[nodiscard]] std::string name(protocol::MainLog::Phase phase);

// "trustee 2 (Bea)", "registrar 0 (Ada)".
[[nodiscard]] std::string trustee_name(const protocol::Manifest& manifest, std::uint32_t trustee);
[[nodiscard]] std::string registrar_name(const protocol::Manifest& manifest,
                                         std::uint32_t registrar);
// The position of a ballot style; Errc::malformed lists those there are.
[[nodiscard]] Result<std::uint32_t> find_style(const protocol::Manifest& manifest,
                                               const std::string& id);

// require_phase: Errc::misuse unless the record is in one of the phases; the message says which
// phase it is in and what to do.
[[nodiscard]] Result<void> require_phase(const runtime::DirectoryRecord& record,
                                         const protocol::MainLog& log,
                                         std::initializer_list<protocol::MainLog::Phase> phases,
                                         std::string_view else_do);

// audit_log reads a log from its first entry, checks chain, tiles, root and the log's signature
// (but not the quorum of witnesses: they cosign what is published), and shows each bundle to visit.
using Visit = std::function<Result<void>(const protocol::LogReader::Bundle&)>;
[[nodiscard]] Result<protocol::LogReader> audit_log(const runtime::DirectoryRecord& record,
                                                    const protocol::Election& election,
                                                    const std::string& log, const Visit& visit);

// issuances of a registrar's roll log, audited.
[[nodiscard]] Result<std::vector<protocol::Issuance>> read_issuances(
    const runtime::DirectoryRecord& record, const protocol::Election& election,
    std::uint32_t registrar);

// find_entries searches box logs, audited, for tracking codes. Entries are folded as the box folds
// them, so that what superseded a ballot is known. Errc::rejected if a log holds what it must not.
struct FoundEntry {
  std::uint32_t shard = 0;
  std::uint64_t index = 0;
  bool challenge = false;
  std::optional<std::uint64_t> superseded_by;
};
[[nodiscard]] Result<std::map<protocol::TrackingCode, FoundEntry>> find_entries(
    const Context& context, const runtime::DirectoryRecord& record,
    const protocol::Election& election, std::span<const std::uint32_t> shards,
    std::span<const protocol::TrackingCode> codes);

// audit runs the library's audit of a closed record with a progress line.
[[nodiscard]] Result<protocol::AuditedBallots> audit(const Context& context,
                                                     const runtime::DirectoryRecord& record);
// The same for `view` of that record, which must continue the checkpoints in these files.
[[nodiscard]] Result<protocol::AuditedBallots> audit(const Context& context,
                                                     const runtime::DirectoryRecord& record,
                                                     const protocol::RecordSource& view,
                                                     std::span<const std::string> checkpoint_files);

// Texts a user hands to a check: receipts, or checkpoints kept from earlier. Errc::malformed names
// the first file that is none.
[[nodiscard]] Result<std::vector<std::string>> read_receipts(std::span<const std::string> files);
[[nodiscard]] Result<std::vector<std::string>> read_checkpoints(std::span<const std::string> files);
// What the library calls "receipt 2" or "earlier checkpoint 1" in its messages, by the file's name.
inline constexpr std::string_view kReceipt = "receipt";
inline constexpr std::string_view kCheckpoint = "earlier checkpoint";
[[nodiscard]] std::string with_file_names(std::string text, std::string_view what,
                                          std::span<const std::string> files);

// Overlay is a record with changes that are kept in memory: what a record would become.
class Overlay final : public protocol::RecordStore {
 public:
  explicit Overlay(const protocol::RecordSource& below) : below_(&below) {}
  [[nodiscard]] Result<Bytes> read(const std::string& path, std::size_t max) const override;
  [[nodiscard]] Result<std::vector<std::string>> list() const override;
  [[nodiscard]] bool exists(const std::string& path) const override;
  Result<void> write(const std::string& path, ByteView content) override;
  Result<void> remove(const std::string& path) override;

 private:
  const protocol::RecordSource* below_;
  std::map<std::string, std::optional<Bytes>> changes_;  // nothing: removed
};

// MainLogDraft collects the authority's additions to the main log: every message is judged by the
// fold first; nothing is written before publish, and then all or nothing.
class MainLogDraft {
 public:
  // open takes the record's lock, reads the main log and the key.
  static Result<MainLogDraft> open(Context& context, const fs::path& record, const fs::path& key);

  [[nodiscard]] runtime::DirectoryRecord& record() { return *record_; }
  [[nodiscard]] const protocol::Authority& authority() const { return authority_; }
  [[nodiscard]] const protocol::MainLog& log() const { return *log_; }
  [[nodiscard]] const protocol::Manifest& manifest() const { return log_->manifest(); }

  // add: Errc::rejected if the fold refuses the message; `from` names where it came from.
  Result<void> add(const std::string& from, const protocol::Message& message);
  // write_to appends the additions to the main log of `store`; publish does it for good.
  Result<void> write_to(protocol::RecordStore& store) const;
  Result<void> publish();

 private:
  MainLogDraft(Lock lock, std::unique_ptr<runtime::DirectoryRecord> record,
               protocol::Authority authority, std::shared_ptr<protocol::MainLog> log)
      : lock_(std::move(lock)),
        record_(std::move(record)),
        authority_(std::move(authority)),
        log_(std::move(log)) {}
  Lock lock_;
  std::unique_ptr<runtime::DirectoryRecord> record_;
  protocol::Authority authority_;
  std::shared_ptr<protocol::MainLog> log_;
  std::vector<protocol::Message> added_;
};

}  // namespace psephos::cli
