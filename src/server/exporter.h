// Exporting a store's logs as the files of a record.
#pragma once

#include <cstdint>
#include <memory>
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

  // run writes what is new. After an error it may be tried again.
  Result<void> run();
  // The number of entries of a log in its files.
  [[nodiscard]] std::uint64_t exported(const std::string& log) const;

 private:
  struct Log {
    std::string name;
    std::unique_ptr<protocol::LogFiles> files;  // null after an error: opened next time
    std::uint64_t published = 0;
  };
  Exporter(std::shared_ptr<const protocol::Election> election, const protocol::LogStore& store,
           protocol::RecordStore& record)
      : election_(std::move(election)), store_(&store), record_(&record) {}
  Result<void> open_files(Log& log);
  Result<void> run(Log& log);

  std::shared_ptr<const protocol::Election> election_;
  const protocol::LogStore* store_;
  protocol::RecordStore* record_;
  std::vector<Log> logs_;
};

}  // namespace psephos::server
