#include "psephos/protocol/record_log_store.h"

#include <utility>

#include "psephos/crypto/note.h"
#include "psephos/crypto/tile.h"
#include "psephos/protocol/log_reader.h"

namespace psephos::protocol {

Result<void> RecordLogStore::commit(std::span<const LogBatch> batches) {
  for (const LogBatch& batch : batches) {
    auto found = files_.find(batch.log);
    if (found == files_.end()) {
      PSEPHOS_TRY(const crypto::NoteVerifier key, election_->log_verifier(batch.log));
      PSEPHOS_TRY(LogFiles files, record_->exists(batch.log + "/checkpoint")
                                      ? LogFiles::open(*record_, batch.log, key)
                                      : LogFiles::create(*record_, batch.log, key.name()));
      found = files_.emplace(batch.log, std::move(files)).first;
    }
    LogFiles& files = found->second;
    const auto write = [&]() -> Result<void> {
      if (batch.first != files.size()) {
        return fail(Errc::misuse, batch.log + ": entries from " + std::to_string(batch.first) +
                                      " on do not continue a log of " +
                                      std::to_string(files.size()));
      }
      for (const LogEntry& entry : batch.entries) {
        PSEPHOS_CHECK_OK(files.append(entry.bytes));
      }
      return files.publish(batch.checkpoint);
    };
    if (auto written = write(); !written.has_value()) {
      files_.erase(found);  // ahead of the record, perhaps
      return written;
    }
  }
  return {};
}

Result<std::optional<std::string>> RecordLogStore::checkpoint(const std::string& log) const {
  const std::string path = log + "/checkpoint";
  if (!record_->exists(path)) {
    return std::nullopt;
  }
  PSEPHOS_TRY(const Bytes content, record_->read(path, kMaxCheckpointBytes));
  return std::string(as_text(content));
}

Result<std::string> RecordLogStore::checkpoint_over(const std::string& log,
                                                    std::uint64_t index) const {
  PSEPHOS_TRY(auto newest, checkpoint(log));
  if (newest.has_value()) {
    PSEPHOS_TRY(const crypto::Note note, crypto::Note::parse(*newest));
    PSEPHOS_TRY(const crypto::Checkpoint parsed, crypto::Checkpoint::parse(note.text));
    if (index < parsed.tree.size) {
      return *std::move(newest);
    }
  }
  return fail(Errc::misuse, log + ": no checkpoint over entry " + std::to_string(index));
}

Result<Bytes> RecordLogStore::entry(const std::string& log, std::uint64_t index) const {
  PSEPHOS_TRY(const LogReader reader,
              LogReader::open(*record_, log, election_->manifest().log_origin(log)));
  return reader.entry(index);
}

Result<void> RecordLogStore::for_each_entry(const std::string& log, std::uint64_t first,
                                            std::uint64_t end, const Visit& visit) const {
  PSEPHOS_TRY(const LogReader reader,
              LogReader::open(*record_, log, election_->manifest().log_origin(log)));
  for (std::uint64_t i = first / crypto::kTileWidth;
       i < reader.num_bundles() && i * crypto::kTileWidth < end; ++i) {
    PSEPHOS_TRY(const LogReader::Bundle bundle, reader.bundle(i));
    for (std::size_t k = 0; k < bundle.entries.size(); ++k) {
      if (const std::uint64_t index = bundle.first + k; index >= first && index < end) {
        PSEPHOS_CHECK_OK(visit(index, bundle.entries[k]));
      }
    }
  }
  return {};
}

Result<std::optional<std::uint64_t>> RecordLogStore::find(const std::string& log,
                                                          const Digest32& /*code*/) const {
  return fail(Errc::misuse, log + ": a record's files are not looked up by code");
}

}  // namespace psephos::protocol
