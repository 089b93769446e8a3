// A record's directory as a LogStore.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "psephos/protocol/log_files.h"
#include "psephos/protocol/opening.h"
#include "psephos/protocol/storage.h"

namespace psephos::protocol {

// RecordLogStore keeps logs in the files of a record, for tools that work on a directory. It has
// the newest checkpoint of a log only, looks nothing up by code and knows no keys. A commit is
// atomic for each log, not for all of them.
class RecordLogStore final : public LogStore {
 public:
  // Both must outlive it. Only logs of this election are read and written.
  RecordLogStore(RecordStore& record, const Election& election)
      : record_(&record), election_(&election) {}

  Result<void> commit(std::span<const LogBatch> batches) override;
  [[nodiscard]] Result<std::optional<std::string>> checkpoint(
      const std::string& log) const override;
  [[nodiscard]] Result<std::string> checkpoint_over(const std::string& log,
                                                    std::uint64_t index) const override;
  [[nodiscard]] Result<Bytes> entry(const std::string& log, std::uint64_t index) const override;
  [[nodiscard]] Result<void> for_each_entry(const std::string& log, std::uint64_t first,
                                            std::uint64_t end, const Visit& visit) const override;
  // Errc::misuse: there is no such index here.
  [[nodiscard]] Result<std::optional<std::uint64_t>> find(const std::string& log,
                                                          const Digest32& code) const override;

 private:
  RecordStore* record_;
  const Election* election_;
  std::map<std::string, LogFiles> files_;  // of logs written to
};

}  // namespace psephos::protocol
