#include "src/server/exporter.h"

#include <algorithm>
#include <span>
#include <utility>

#include "psephos/crypto/merkle.h"
#include "psephos/crypto/note.h"
#include "psephos/protocol/log_reader.h"

namespace psephos::server {

namespace {

using protocol::LogFiles;

constexpr std::chrono::milliseconds kShortestRest{250};
constexpr std::chrono::minutes kLongestRest{1};

Result<crypto::TreeHead> tree_of(std::string_view checkpoint) {
  PSEPHOS_TRY(const crypto::Note note, crypto::Note::parse(checkpoint));
  PSEPHOS_TRY(const crypto::Checkpoint parsed, crypto::Checkpoint::parse(note.text));
  return parsed.tree;
}

// Whether the store's log begins with a tree.
Result<bool> begins_with(const protocol::LogStore& store, const std::string& log,
                         const crypto::TreeHead& tree) {
  crypto::MerkleFrontier frontier;
  PSEPHOS_CHECK_OK(store.for_each_entry(
      log, 0, tree.size, [&](std::uint64_t /*index*/, ByteView entry) -> Result<void> {
        frontier.append(crypto::merkle_leaf(entry));
        return {};
      }));
  return frontier.head() == tree;
}

std::unexpected<Error> not_the_beginning(const std::string& log, std::uint64_t size) {
  return fail(
      Errc::rejected,
      log + ": the published files hold " + std::to_string(size) +
          " entries that are not the beginning of this log in the store. Either is damaged, "
          "or the store is an older copy: nothing may be served from it. Compare both with "
          "a backup and with the checkpoints others have kept");
}

}  // namespace

Result<void> not_beyond(const protocol::LogStore& store, const protocol::RecordSource& record,
                        const std::string& log, const crypto::NoteVerifier& key) {
  const auto reader = protocol::LogReader::open(record, log, key.name());
  if (!reader.has_value() || !reader->note().verified_by(std::span(&key, 1)).has_value()) {
    return {};
  }
  PSEPHOS_TRY(const bool fits, begins_with(store, log, reader->tree()));
  return fits ? Result<void>() : not_the_beginning(log, reader->tree().size);
}

Result<std::uint64_t> check_published(const protocol::LogStore& store,
                                      const protocol::RecordSource& record, const std::string& log,
                                      const crypto::NoteVerifier& key) {
  if (!record.exists(log + "/checkpoint")) {
    return std::uint64_t{0};
  }
  PSEPHOS_TRY(const auto reader, protocol::LogReader::open(record, log, key.name()));
  PSEPHOS_CHECK_OK(reader.note().verified_by(std::span(&key, 1)));
  protocol::LogAudit audit(reader);
  for (std::uint64_t i = 0; i < reader.num_bundles(); ++i) {
    PSEPHOS_TRY(const auto bundle, reader.bundle(i));
    if (const auto sound = audit.append(reader.audit(bundle)); !sound.has_value()) {
      return within(log, sound.error());
    }
  }
  if (const auto sound = audit.finish(); !sound.has_value()) {
    return within(log, sound.error());
  }
  PSEPHOS_TRY(const bool fits, begins_with(store, log, reader.tree()));
  if (!fits) {
    return not_the_beginning(log, reader.tree().size);
  }
  return reader.tree().size;
}

Result<Exporter> Exporter::open(std::shared_ptr<const protocol::Election> election,
                                const protocol::LogStore& store, protocol::RecordStore& record,
                                const std::vector<std::string>& logs) {
  Exporter exporter(std::move(election), store, record);
  for (const std::string& name : logs) {
    Log log{.name = name, .files = nullptr, .published = 0};
    PSEPHOS_CHECK_OK(exporter.open_files(log));
    PSEPHOS_TRY(const bool fits, begins_with(store, name, log.files->tree()));
    if (!fits) {
      return not_the_beginning(name, log.files->size());
    }
    exporter.logs_.push_back(std::move(log));
  }
  return exporter;
}

Result<void> Exporter::open_files(Log& log) {
  PSEPHOS_TRY(const crypto::NoteVerifier key, election_->log_verifier(log.name));
  PSEPHOS_TRY(LogFiles files, record_->exists(log.name + "/checkpoint")
                                  ? LogFiles::open(*record_, log.name, key)
                                  : LogFiles::create(*record_, log.name, key.name()));
  log.files = std::make_unique<LogFiles>(std::move(files));
  log.published = log.files->size();
  return {};
}

Result<void> Exporter::run(Pace pace) {
  Result<void> first_error;
  for (Log& log : logs_) {
    const bool rests = pace == Pace::patient && log.error.has_value() && Clock::now() < log.again;
    if (!rests) {
      attempt(log);
    }
    if (log.error.has_value() && first_error.has_value()) {
      first_error = std::unexpected(*log.error);
    }
  }
  return first_error;
}

void Exporter::attempt(Log& log) {
  const auto done = run(log);
  if (done.has_value()) {
    log.error.reset();
    log.rest = {};
    return;
  }
  log.files.reset();  // perhaps ahead of what it has written
  log.error = done.error();
  log.rest = std::clamp<Clock::duration>(2 * log.rest, kShortestRest, kLongestRest);
  log.again = Clock::now() + log.rest;
}

Result<void> Exporter::run(Log& log) {
  if (log.files == nullptr) {
    PSEPHOS_CHECK_OK(open_files(log));
  }
  // The checkpoint first: the store may grow while its entries are read.
  PSEPHOS_TRY(const auto newest, store_->checkpoint(log.name));
  if (!newest.has_value()) {
    return fail(Errc::misuse, log.name + ": there is no such log in the store");
  }
  PSEPHOS_TRY(const crypto::TreeHead tree, tree_of(*newest));
  if (tree.size == log.published && record_->exists(log.name + "/checkpoint")) {
    return {};
  }
  const auto append = [&](std::uint64_t /*index*/, ByteView entry) -> Result<void> {
    PSEPHOS_CHECK_OK(log.files->append(Bytes(entry.begin(), entry.end())));
    return {};
  };
  PSEPHOS_CHECK_OK(store_->for_each_entry(log.name, log.files->size(), tree.size, append));
  PSEPHOS_CHECK_OK(log.files->publish(*newest));
  log.published = tree.size;
  return {};
}

std::uint64_t Exporter::exported(const std::string& log) const {
  for (const Log& one : logs_) {
    if (one.name == log) {
      return one.published;
    }
  }
  return 0;
}

}  // namespace psephos::server
