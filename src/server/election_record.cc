#include "src/server/election_record.h"

#include <utility>

#include "psephos/crypto/note.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/verify.h"

namespace psephos::server {

namespace {

using protocol::LogFiles;
using protocol::MainLog;
using protocol::Manifest;

constexpr std::string_view kResultJson = "result.json";
constexpr std::string_view kResultCsv = "result.csv";

}  // namespace

ElectionRecord::ElectionRecord(const std::filesystem::path& directory,
                               const crypto::Evaluator& evaluator,
                               std::shared_ptr<const MainLog> log)
    : files_(directory),
      evaluator_(&evaluator),
      election_(log->election()),
      id_(hex(election_->id())),
      log_(std::move(log)) {}

Result<std::shared_ptr<ElectionRecord>> ElectionRecord::open(const std::filesystem::path& directory,
                                                             const crypto::Evaluator& evaluator) {
  const runtime::DirectoryRecord files(directory);
  PSEPHOS_TRY(std::shared_ptr<const MainLog> log, protocol::read_main_log(files, evaluator));
  if (log->election() == nullptr) {
    return fail(Errc::misuse, directory.string() +
                                  ": the election has no opening yet; get the record again after "
                                  "`psephos election open`");
  }
  return std::shared_ptr<ElectionRecord>(new ElectionRecord(directory, evaluator, std::move(log)));
}

MainLog::Phase ElectionRecord::phase() const { return main_log()->phase(); }

std::shared_ptr<const MainLog> ElectionRecord::main_log() const {
  const std::shared_lock lock(mutex_);
  return log_;
}

Result<std::uint64_t> ElectionRecord::published(const std::string& log) const {
  PSEPHOS_TRY(const auto reader,
              protocol::LogReader::open(files_, log, manifest().log_origin(log)));
  return reader.tree().size;
}

Result<std::size_t> ElectionRecord::extend(std::uint64_t first, std::span<const Bytes> entries,
                                           std::string_view checkpoint) {
  const std::lock_guard writing(writing_);
  const std::string log = Manifest::main_log();
  PSEPHOS_TRY(const crypto::NoteVerifier key, election_->log_verifier(log));
  PSEPHOS_TRY(const crypto::Note note, crypto::Note::parse(checkpoint));
  PSEPHOS_CHECK_OK(note.verified_by(std::span(&key, 1)));
  if (!log_files_.has_value()) {
    PSEPHOS_TRY(log_files_, LogFiles::open(files_, log, key));
  }
  if (first > log_files_->size()) {
    return fail(Errc::misuse, "the main log has " + std::to_string(log_files_->size()) +
                                  " entries here; send those from there on");
  }
  PSEPHOS_TRY(const auto reader, protocol::LogReader::open(files_, log, key.name()));
  auto next = std::make_shared<MainLog>(*main_log());
  std::vector<Bytes> added;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::uint64_t index = first + i;
    const std::string place = protocol::entry_place(log, index);
    if (index < reader.tree().size) {
      PSEPHOS_TRY(const Bytes here, reader.entry(index));
      if (here != entries[i]) {
        return fail(Errc::rejected, place +
                                        ": is another entry than the one here: two main logs "
                                        "under one key");
      }
      continue;
    }
    PSEPHOS_TRY(const ByteView payload, protocol::payload_of(entries[i]));
    const auto message = protocol::Message::decode(payload);
    if (!message.has_value()) {
      return within(place, message.error());
    }
    if (auto taken = next->append(*message); !taken.has_value()) {
      taken.error().place = place;
      return std::unexpected(protocol::to_error(taken.error()));
    }
    added.push_back(entries[i]);
  }
  if (added.empty()) {
    return std::size_t{0};
  }
  for (const Guard& guard : guards_) {
    PSEPHOS_CHECK_OK(guard(*next));
  }
  const auto write = [&]() -> Result<void> {
    for (const Bytes& entry : added) {
      PSEPHOS_CHECK_OK(log_files_->append(entry));
    }
    return log_files_->publish(checkpoint);
  };
  if (auto written = write(); !written.has_value()) {
    log_files_.reset();  // perhaps ahead of the files: opened, and cleared, next time
    return std::unexpected(written.error());
  }
  {
    const std::lock_guard lock(mutex_);
    log_ = next;
  }
  for (const Follower& follower : followers_) {
    follower(*next);
  }
  return added.size();
}

Result<void> ElectionRecord::publish_result(std::string_view json, std::string_view csv) {
  const std::lock_guard writing(writing_);
  if (phase() != MainLog::Phase::complete) {
    return fail(Errc::misuse, "not every tally has its result in the main log yet");
  }
  PSEPHOS_CHECK_OK(files_.write(std::string(kResultCsv), as_bytes(csv)));
  return files_.write(std::string(kResultJson), as_bytes(json));
}

}  // namespace psephos::server
