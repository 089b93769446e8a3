// A directory that disappears, and processes for tests of a store.
#pragma once

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "psephos/bytes.h"
#include "psephos/protocol/storage.h"

namespace psephos::store {

inline Bytes bytes(std::string_view text) { return {as_bytes(text).begin(), as_bytes(text).end()}; }

inline Digest32 digest(std::uint8_t first) {
  Digest32 value{};
  value[0] = first;
  return value;
}

class TemporaryDirectory : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "psephos-test.XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  std::filesystem::path root_;
};

// Process runs `body` in a child process, which ends with what it returns.
class Process {
 public:
  explicit Process(const std::function<int()>& body) : id_(::fork()) {
    if (id_ == 0) {
      ::_exit(body());
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (id_ > 0) {
      kill();
    }
  }
  [[nodiscard]] pid_t id() const { return id_; }
  // wait returns the exit status, or minus the signal that ended it.
  int wait() {
    int status = 0;
    EXPECT_EQ(::waitpid(std::exchange(id_, -1), &status, 0) > 0, true);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }
  int kill() {
    ::kill(id_, SIGKILL);
    return wait();
  }

 private:
  pid_t id_;
};

// A batch of one entry, with a checkpoint that names its size.
inline protocol::LogBatch one_entry(const std::string& log, std::uint64_t index,
                                    std::size_t length = 100) {
  protocol::LogEntry entry;
  entry.bytes = Bytes(length, static_cast<std::uint8_t>(index));
  entry.key = bytes("key " + std::to_string(index));
  entry.code = digest(static_cast<std::uint8_t>(index));
  return {log, index, {entry}, "size " + std::to_string(index + 1) + "\n"};
}

}  // namespace psephos::store
