#include "cli/record.h"

#include <algorithm>

#include "psephos/protocol/box_state.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/log_writer.h"
#include "psephos/protocol/receipt.h"

namespace psephos::cli {

using protocol::Election;
using protocol::LogReader;
using protocol::MainLog;
using protocol::Manifest;
using protocol::Message;
using runtime::DirectoryRecord;

std::string name(MainLog::Phase phase) {
  switch (phase) {
    case MainLog::Phase::empty:
      return "empty";
    case MainLog::Phase::ceremony:
      return "key ceremony";
    case MainLog::Phase::ready:
      return "ready to open";
    case MainLog::Phase::failed:
      return "key ceremony failed";
    case MainLog::Phase::opened:
      return "opened";
    case MainLog::Phase::voting:
      return "voting";
    case MainLog::Phase::closed:
      return "closed";
    case MainLog::Phase::tallied:
      return "tallied";
    case MainLog::Phase::decrypting:
      return "decrypting";
    case MainLog::Phase::resulting:
      return "resulting";
    case MainLog::Phase::complete:
      return "complete";
  }
  return "unknown";
}

std::string trustee_name(const Manifest& manifest, std::uint32_t trustee) {
  const bool known = trustee >= 1 && trustee <= manifest.num_trustees();
  return "trustee " + std::to_string(trustee) +
         (known ? " (" + manifest.trustees[trustee - 1] + ")" : "");
}

std::string registrar_name(const Manifest& manifest, std::uint32_t registrar) {
  const bool known = registrar < manifest.num_registrars();
  return "registrar " + std::to_string(registrar) +
         (known ? " (" + manifest.registrars[registrar] + ")" : "");
}

Result<std::uint32_t> find_style(const Manifest& manifest, const std::string& id) {
  std::string known;
  for (std::uint32_t style = 0; style < manifest.num_styles(); ++style) {
    if (manifest.styles[style].id == id) {
      return style;
    }
    known += (known.empty() ? "" : ", ") + manifest.styles[style].id;
  }
  return fail(Errc::malformed,
              "no ballot style is called \"" + id + "\"; the manifest has: " + known);
}

Result<void> require_phase(const DirectoryRecord& record, const MainLog& log,
                           std::initializer_list<MainLog::Phase> phases, std::string_view else_do) {
  if (std::ranges::find(phases, log.phase()) != phases.end()) {
    return {};
  }
  return fail(Errc::misuse, record.root().string() + ": the election's phase is \"" +
                                name(log.phase()) + "\"; " + std::string(else_do));
}

Result<LogReader> audit_log(const DirectoryRecord& record, const Election& election,
                            const std::string& log, const Visit& visit) {
  const Manifest& manifest = election.manifest();
  const auto read = [&]() -> Result<LogReader> {
    const std::string origin = manifest.log_origin(log);
    PSEPHOS_TRY(LogReader reader, LogReader::open(record, log, origin));
    PSEPHOS_TRY(const auto key, election.log_verifier(log));
    PSEPHOS_CHECK_OK(
        in_file(log, protocol::verify_checkpoint(reader.note(), key, manifest.witnesses, 0)));
    protocol::LogAudit log_audit(reader);
    for (std::uint64_t i = 0; i < reader.num_bundles(); ++i) {
      PSEPHOS_TRY(const LogReader::Bundle bundle, reader.bundle(i));
      PSEPHOS_CHECK_OK(in_file(log, log_audit.append(reader.audit(bundle))));
      PSEPHOS_CHECK_OK(visit(bundle));
    }
    PSEPHOS_CHECK_OK(in_file(log, log_audit.finish()));
    return reader;
  };
  return in_file(record.root(), read());
}

Result<std::vector<protocol::Issuance>> read_issuances(const DirectoryRecord& record,
                                                       const Election& election,
                                                       std::uint32_t registrar) {
  const std::string log = Manifest::roll_log(registrar);
  std::vector<protocol::Issuance> issued;
  const auto visit = [&](const LogReader::Bundle& bundle) -> Result<void> {
    for (const ByteView entry : bundle.entries) {
      const std::string place = protocol::entry_place(log, issued.size());
      PSEPHOS_TRY(const ByteView payload, protocol::payload_of(entry));
      PSEPHOS_TRY(const auto issuance,
                  in_file(place, protocol::Issuance::decode(payload, election.manifest())));
      issued.push_back(issuance);
    }
    return {};
  };
  PSEPHOS_CHECK_OK(audit_log(record, election, log, visit));
  return issued;
}

namespace {

// Search looks for codes in one shard, bundle after bundle.
class Search {
 public:
  Search(const Election& election, std::uint32_t shard,
         std::span<const protocol::TrackingCode> codes,
         std::map<protocol::TrackingCode, FoundEntry>& found, protocol::Executor& executor)
      : election_(&election),
        shard_(shard),
        codes_(codes),
        found_(&found),
        executor_(&executor),
        state_(election.manifest(), shard) {}

  Result<void> visit(const LogReader::Bundle& bundle) {
    struct Decoded {
      std::optional<protocol::BoxEntry> entry;
      protocol::TrackingCode code{};
      Result<void> outcome;
    };
    std::vector<Decoded> decoded(bundle.entries.size());
    executor_->run(decoded.size(), [&](std::size_t i) {
      const auto decode = [&]() -> Result<void> {
        PSEPHOS_TRY(const ByteView payload, protocol::payload_of(bundle.entries[i]));
        PSEPHOS_TRY(decoded[i].entry, protocol::decode_box_entry(payload, *election_));
        const protocol::BoxEntry& entry = *decoded[i].entry;
        decoded[i].code = protocol::tracking_code(election_->id(), protocol::style_of(entry),
                                                  protocol::encrypted_of(entry));
        return {};
      };
      decoded[i].outcome = decode();
    });
    for (std::size_t i = 0; i < decoded.size(); ++i) {
      const std::uint64_t index = bundle.first + i;
      const std::string place = protocol::entry_place(Manifest::box_log(shard_), index);
      PSEPHOS_CHECK_OK(in_file(place, decoded[i].outcome));
      auto taken =
          state_.append(index, protocol::credential_use(election_->manifest(), *decoded[i].entry));
      if (!taken.has_value()) {
        taken.error().place = place;
        return std::unexpected(protocol::to_error(taken.error()));
      }
      if (taken->superseded.has_value()) {
        supersede(*taken->superseded, index);
      }
      if (std::ranges::find(codes_, decoded[i].code) != codes_.end()) {
        found_->emplace(
            decoded[i].code,
            FoundEntry{.shard = shard_,
                       .index = index,
                       .challenge = std::holds_alternative<protocol::Challenge>(*decoded[i].entry),
                       .superseded_by = std::nullopt});
      }
    }
    return {};
  }

 private:
  void supersede(std::uint64_t index, std::uint64_t by) {
    for (auto& [code, entry] : *found_) {
      if (entry.shard == shard_ && entry.index == index) {
        entry.superseded_by = by;
      }
    }
  }

  const Election* election_;
  std::uint32_t shard_;
  std::span<const protocol::TrackingCode> codes_;
  std::map<protocol::TrackingCode, FoundEntry>* found_;
  protocol::Executor* executor_;
  protocol::BoxState state_;
};

}  // namespace

Result<std::map<protocol::TrackingCode, FoundEntry>> find_entries(
    const Context& context, const DirectoryRecord& record, const Election& election,
    std::span<const std::uint32_t> shards, std::span<const protocol::TrackingCode> codes) {
  std::map<protocol::TrackingCode, FoundEntry> found;
  runtime::ThreadExecutor executor(context.threads);
  ProgressLine progress("searching");
  std::uint64_t done = 0;
  for (const std::uint32_t shard : shards) {
    Search search(election, shard, codes, found, executor);
    const auto visit = [&](const LogReader::Bundle& bundle) -> Result<void> {
      PSEPHOS_CHECK_OK(search.visit(bundle));
      done += bundle.entries.size();
      progress.update(done, 0);
      return {};
    };
    PSEPHOS_CHECK_OK(audit_log(record, election, Manifest::box_log(shard), visit));
  }
  return found;
}

Result<protocol::AuditedBallots> audit(const Context& context, const DirectoryRecord& record) {
  return audit(context, record, record, {});
}

Result<protocol::AuditedBallots> audit(const Context& context, const DirectoryRecord& record,
                                       const protocol::RecordSource& view,
                                       std::span<const std::string> checkpoint_files) {
  PSEPHOS_TRY(auto checkpoints, read_checkpoints(checkpoint_files));
  runtime::ThreadExecutor executor(context.threads);
  ProgressLine progress("auditing");
  auto audited = protocol::audit_ballots({.record = view,
                                          .evaluator = context.evaluator,
                                          .executor = executor,
                                          .receipts = {},
                                          .checkpoints = std::move(checkpoints),
                                          .progress = progress.callback()});
  if (!audited.has_value()) {
    Error& error = audited.error();
    error.message = with_file_names(std::move(error.message), kCheckpoint, checkpoint_files);
  }
  return in_file(record.root(), std::move(audited));
}

namespace {

// A checkpoint is a page of text.
constexpr std::size_t kMaxNoteBytes = std::size_t{1} << 16;

Result<std::vector<std::string>> read_texts(
    std::span<const std::string> files, std::size_t most,
    const std::function<Result<void>(const std::string& text)>& check) {
  std::vector<std::string> texts;
  for (const std::string& file : files) {
    PSEPHOS_TRY(const Bytes content, runtime::read_file(file, most));
    texts.emplace_back(as_text(content));
    PSEPHOS_CHECK_OK(in_file(file, check(texts.back())));
  }
  return texts;
}

Result<void> check_checkpoint(const std::string& text) {
  PSEPHOS_TRY(const crypto::Note note, crypto::Note::parse(text));
  PSEPHOS_CHECK_OK(crypto::Checkpoint::parse(note.text));
  return {};
}

}  // namespace

Result<std::vector<std::string>> read_receipts(std::span<const std::string> files) {
  return read_texts(files, protocol::kMaxReceiptBytes, [](const std::string& text) -> Result<void> {
    PSEPHOS_TRY(const auto receipt, crypto::LogProof::parse(text));
    return check_checkpoint(receipt.checkpoint);
  });
}

Result<std::vector<std::string>> read_checkpoints(std::span<const std::string> files) {
  return read_texts(files, kMaxNoteBytes, check_checkpoint);
}

std::string with_file_names(std::string text, std::string_view what,
                            std::span<const std::string> files) {
  // From the last, so that "receipt 1" is not looked for in "receipt 12".
  for (std::size_t i = files.size(); i-- > 0;) {
    const std::string name = std::string(what) + " " + std::to_string(i + 1);
    if (const std::size_t at = text.find(name); at != std::string::npos) {
      return text.replace(at, name.size(), files[i]);
    }
  }
  return text;
}

Result<Bytes> Overlay::read(const std::string& path, std::size_t max) const {
  const auto found = changes_.find(path);
  if (found == changes_.end()) {
    return below_->read(path, max);
  }
  if (!found->second.has_value()) {
    return fail(Errc::environment, path + ": no such file");
  }
  if (found->second->size() > max) {
    return fail(Errc::malformed, path + ": is too large");
  }
  return *found->second;
}

Result<std::vector<std::string>> Overlay::list() const {
  PSEPHOS_TRY(auto files, below_->list());
  std::erase_if(files, [&](const std::string& path) { return changes_.contains(path); });
  for (const auto& [path, content] : changes_) {
    if (content.has_value()) {
      files.push_back(path);
    }
  }
  std::ranges::sort(files);
  return files;
}

bool Overlay::exists(const std::string& path) const {
  const auto found = changes_.find(path);
  return found == changes_.end() ? below_->exists(path) : found->second.has_value();
}

Result<void> Overlay::write(const std::string& path, ByteView content) {
  changes_[path] = Bytes(content.begin(), content.end());
  return {};
}

Result<void> Overlay::remove(const std::string& path) {
  changes_[path] = std::nullopt;
  return {};
}

Result<MainLogDraft> MainLogDraft::open(Context& context, const fs::path& record,
                                        const fs::path& key) {
  PSEPHOS_TRY(Lock lock, Lock::acquire(record));
  auto directory = std::make_unique<DirectoryRecord>(record);
  PSEPHOS_TRY(auto log, load_main_log(context, *directory));
  PSEPHOS_TRY(const SecretBuffer content, load_secret(context, "authority", key));
  PSEPHOS_TRY(protocol::Authority authority, in_file(key, protocol::Authority::load(content)));
  if (authority.public_key() != log->roster()->authority) {
    return fail(Errc::misuse,
                key.string() + ": is not the key of the authority of " + record.string());
  }
  return MainLogDraft(std::move(lock), std::move(directory), std::move(authority), std::move(log));
}

Result<void> MainLogDraft::add(const std::string& from, const Message& message) {
  auto taken = log_->append(message);
  if (!taken.has_value()) {
    protocol::Fault& fault = taken.error();
    fault.place = fault.place.empty() ? from : from + ", " + fault.place;
    return std::unexpected(protocol::to_error(fault));
  }
  added_.push_back(message);
  return {};
}

Result<void> MainLogDraft::write_to(protocol::RecordStore& store) const {
  PSEPHOS_TRY(auto signer, authority_.main_log_signer(manifest()));
  PSEPHOS_TRY(auto writer,
              protocol::LogWriter::open(store, Manifest::main_log(), std::move(signer)));
  for (const Message& message : added_) {
    PSEPHOS_CHECK_OK(writer.append(message.encode()));
  }
  PSEPHOS_CHECK_OK(writer.publish());
  return {};
}

Result<void> MainLogDraft::publish() {
  if (added_.empty()) {
    return {};
  }
  PSEPHOS_CHECK_OK(in_file(record_->root(), write_to(*record_)));
  added_.clear();
  return {};
}

}  // namespace psephos::cli
