// Exporting a store's logs as the files of a record.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "psephos/protocol/log_files.h"
#include "psephos/protocol/opening.h"
#include "psephos/protocol/storage.h"

namespace psephos::server {

// not_beyond: Errc::rejected if the record's checkpoint of a log is signed by its key and is not
// over a beginning of the log in the store. A checkpoint that is missing or damaged says nothing.
Result<void> not_beyond(const protocol::LogStore& store, const protocol::RecordSource& record,
                        const std::string& log, const crypto::NoteVerifier& key);

// check_published compares the published files of a log with themselves, with its key and with the
// store, and writes nothing. Returns how many entries they hold: none if there is no checkpoint.
// Errc::rejected: they are not a beginning of the log in the store.
Result<std::uint64_t> check_published(const protocol::LogStore& store,
                                      const protocol::RecordSource& record, const std::string& log,
                                      const crypto::NoteVerifier& key);

// Exporter keeps the files of some logs up with a store. Readers see a log at one of its
// checkpoints, always whole; they are a little behind the store. One thread uses it.
class Exporter {
 public:
  // open compares the files with the store: they must be an earlier state of its logs.
  // Errc::rejected: they are not; then either is damaged or older than what was published, and
  // serving from the store would show two histories. Files that are not there are made.
  static Result<Exporter> open(std::shared_ptr<const protocol::Election> election,
                               const protocol::LogStore& store, protocol::RecordStore& record,
                               const std::vector<std::string>& logs);

  // run writes what is new. After an error it may be tried again; since the whole log is then read
  // again, a patient one only repeats the error for a while, longer each time.
  enum class Pace : std::uint8_t { patient, now };
  Result<void> run(Pace pace = Pace::patient);
  // The number of entries of a log in its files.
  [[nodiscard]] std::uint64_t exported(const std::string& log) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Log {
    std::string name;
    std::unique_ptr<protocol::LogFiles> files;  // null after an error: opened next time
    std::uint64_t published = 0;
    std::optional<Error> error;  // of the last run
    Clock::duration rest{};
    Clock::time_point again;  // after an error
  };
  Exporter(std::shared_ptr<const protocol::Election> election, const protocol::LogStore& store,
           protocol::RecordStore& record)
      : election_(std::move(election)), store_(&store), record_(&record) {}
  Result<void> open_files(Log& log);
  Result<void> run(Log& log);
  void attempt(Log& log);

  std::shared_ptr<const protocol::Election> election_;
  const protocol::LogStore* store_;
  protocol::RecordStore* record_;
  std::vector<Log> logs_;
};

}  // namespace psephos::server
