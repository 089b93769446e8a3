// Logs in memory, as protocol::LogStore says, whose commits can be made to fail.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "psephos/protocol/storage.h"

namespace psephos::test {

// For for_each_entry: all there are.
inline constexpr std::uint64_t kToTheEnd = ~std::uint64_t{0};

class MemoryLogStore final : public protocol::LogStore {
 public:
  // What has become of a commit that was reported as failed.
  enum class Failure : std::uint8_t { lost, persisted };

  MemoryLogStore() = default;

  Result<void> commit(std::span<const protocol::LogBatch> batches) override {
    const std::lock_guard lock(mutex_);
    if (failed_) {
      return fail(Errc::environment, "an earlier commit failed; open the store again");
    }
    // All or none: the change is made on a copy of the logs that it touches.
    std::map<std::string, Log> changed;
    for (const protocol::LogBatch& batch : batches) {
      const auto known = logs_.find(batch.log);
      auto& log = changed.try_emplace(batch.log, known == logs_.end() ? Log() : known->second)
                      .first->second;
      if (auto taken = append(log, batch); !taken.has_value()) {
        return taken;
      }
    }
    const auto failure = fail_at_ == num_commits_++ ? std::optional(failure_) : std::nullopt;
    if (failure != Failure::lost) {
      for (auto& [name, log] : changed) {
        logs_[name] = std::move(log);
      }
    }
    if (failure.has_value()) {
      failed_ = true;
      return fail(Errc::environment, "the disk failed");
    }
    return {};
  }

  [[nodiscard]] Result<std::optional<std::string>> checkpoint(
      const std::string& log) const override {
    const std::lock_guard lock(mutex_);
    const auto found = logs_.find(log);
    return found == logs_.end() ? std::nullopt
                                : std::optional(found->second.checkpoints.back().second);
  }

  [[nodiscard]] Result<std::string> checkpoint_over(const std::string& log,
                                                    std::uint64_t index) const override {
    const std::lock_guard lock(mutex_);
    if (const auto found = logs_.find(log); found != logs_.end()) {
      for (const auto& [size, note] : found->second.checkpoints) {
        if (size > index) {
          return note;
        }
      }
    }
    return fail(Errc::misuse, log + ": no checkpoint is over entry " + std::to_string(index));
  }

  [[nodiscard]] Result<Bytes> entry(const std::string& log, std::uint64_t index) const override {
    const std::lock_guard lock(mutex_);
    const auto found = logs_.find(log);
    if (found == logs_.end() || index >= found->second.entries.size()) {
      return fail(Errc::misuse, log + ": there is no entry " + std::to_string(index));
    }
    return found->second.entries[index];
  }

  [[nodiscard]] Result<void> for_each_entry(const std::string& log, std::uint64_t first,
                                            std::uint64_t end, const Visit& visit) const override {
    for (std::uint64_t index = first; index < end; ++index) {
      // Nothing is held while `visit` works: it may use the store.
      const auto bytes = entry(log, index);
      if (!bytes.has_value()) {
        return {};
      }
      PSEPHOS_CHECK_OK(visit(index, *bytes));
    }
    return {};
  }

  [[nodiscard]] Result<std::optional<std::uint64_t>> find(const std::string& log,
                                                          const Digest32& code) const override {
    const std::lock_guard lock(mutex_);
    if (const auto found = logs_.find(log); found != logs_.end()) {
      if (const auto at = found->second.codes.find(code); at != found->second.codes.end()) {
        return at->second;
      }
    }
    return std::nullopt;
  }

  // fail_at lets `commits` more commits succeed and the one after them fail. After that nothing is
  // committed until reopen().
  void fail_at(std::size_t commits, Failure failure) {
    const std::lock_guard lock(mutex_);
    fail_at_ = num_commits_ + commits;
    failure_ = failure;
  }
  void reopen() {
    const std::lock_guard lock(mutex_);
    failed_ = false;
  }
  // How many commits reached the disk, or failed there.
  [[nodiscard]] std::size_t num_commits() const {
    const std::lock_guard lock(mutex_);
    return num_commits_;
  }
  // tamper changes an entry behind the back of whoever relies on it; an empty one removes it and
  // all after it.
  void tamper(const std::string& log, std::uint64_t index, Bytes bytes) {
    const std::lock_guard lock(mutex_);
    auto& entries = logs_.at(log).entries;
    if (bytes.empty()) {
      entries.resize(index);
    } else {
      entries.at(index) = std::move(bytes);
    }
  }

 private:
  struct Log {
    std::vector<Bytes> entries;
    std::set<Bytes> keys;
    std::map<Digest32, std::uint64_t> codes;  // of the first entry that has it
    std::vector<std::pair<std::uint64_t, std::string>> checkpoints;
  };

  static Result<void> append(Log& log, const protocol::LogBatch& batch) {
    if (batch.first != log.entries.size()) {
      return fail(Errc::misuse, batch.log + ": the batch begins at entry " +
                                    std::to_string(batch.first) + ", the log ends at " +
                                    std::to_string(log.entries.size()));
    }
    for (const protocol::LogEntry& entry : batch.entries) {
      if (!entry.key.empty() && !log.keys.insert(entry.key).second) {
        return fail(Errc::misuse, batch.log + " entry " + std::to_string(log.entries.size()) +
                                      ": its key stands in the log already");
      }
      if (entry.code.has_value()) {
        log.codes.try_emplace(*entry.code, log.entries.size());
      }
      log.entries.push_back(entry.bytes);
    }
    log.checkpoints.emplace_back(log.entries.size(), batch.checkpoint);
    return {};
  }

  mutable std::mutex mutex_;
  std::map<std::string, Log> logs_;
  std::size_t num_commits_ = 0;
  std::optional<std::size_t> fail_at_;
  Failure failure_ = Failure::lost;
  bool failed_ = false;
};

}  // namespace psephos::test
