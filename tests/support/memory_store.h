// A record in memory, whose writes can be made to fail.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "psephos/protocol/storage.h"

namespace psephos::test {

class MemoryStore final : public protocol::RecordStore {
 public:
  using Files = std::map<std::string, Bytes>;

  // What has become of a change that was reported as failed.
  enum class Failure : std::uint8_t { lost, persisted };

  MemoryStore() = default;
  explicit MemoryStore(Files files) : files_(std::move(files)) {}

  [[nodiscard]] Result<Bytes> read(const std::string& path, std::size_t max) const override {
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(path);
    if (found == files_.end()) {
      return fail(Errc::environment, path + ": no such file");
    }
    if (found->second.size() > max) {
      return fail(Errc::malformed, path + ": too large");
    }
    return found->second;
  }

  [[nodiscard]] Result<std::vector<std::string>> list() const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> paths;
    for (const auto& [path, content] : files_) {
      paths.push_back(path);
    }
    return paths;
  }

  [[nodiscard]] bool exists(const std::string& path) const override {
    const std::lock_guard lock(mutex_);
    return files_.contains(path);
  }

  Result<void> write(const std::string& path, ByteView content) override {
    const std::lock_guard lock(mutex_);
    const auto failure = next_change();
    if (failure != Failure::lost) {
      files_[path] = Bytes(content.begin(), content.end());
    }
    return outcome(path, failure);
  }

  Result<void> remove(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    const auto failure = next_change();
    if (failure != Failure::lost && files_.erase(path) == 0) {
      return fail(Errc::environment, path + ": no such file");
    }
    return outcome(path, failure);
  }

  // fail_at lets `changes` more writes and removals succeed and the one after them fail.
  void fail_at(std::size_t changes, Failure failure) {
    const std::lock_guard lock(mutex_);
    fail_at_ = num_changes_ + changes;
    failure_ = failure;
  }

  [[nodiscard]] std::size_t num_changes() const {
    const std::lock_guard lock(mutex_);
    return num_changes_;
  }
  [[nodiscard]] Files files() const {
    const std::lock_guard lock(mutex_);
    return files_;
  }

 private:
  std::optional<Failure> next_change() {
    if (fail_at_ != num_changes_++) {
      return std::nullopt;
    }
    return failure_;
  }

  static Result<void> outcome(const std::string& path, std::optional<Failure> failure) {
    if (failure.has_value()) {
      return fail(Errc::environment, path + ": the disk failed");
    }
    return {};
  }

  mutable std::mutex mutex_;
  Files files_;
  std::size_t num_changes_ = 0;
  std::optional<std::size_t> fail_at_;
  Failure failure_ = Failure::lost;
};

}  // namespace psephos::test
