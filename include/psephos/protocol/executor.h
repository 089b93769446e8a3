// Parallel work comes in as a parameter; the library starts no threads.
#pragma once

#include <cstddef>
#include <functional>

namespace psephos::protocol {

class Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;
  // run calls task(0) … task(count − 1), each once, perhaps at the same time, and returns when all
  // have. Tasks do not throw.
  virtual void run(std::size_t count, const std::function<void(std::size_t)>& task) = 0;
  // How many tasks run at the same time.
  [[nodiscard]] virtual std::size_t concurrency() const { return 1; }
};

// SerialExecutor runs tasks one after another in the calling thread.
class SerialExecutor final : public Executor {
 public:
  void run(std::size_t count, const std::function<void(std::size_t)>& task) override {
    for (std::size_t i = 0; i < count; ++i) {
      task(i);
    }
  }
};

}  // namespace psephos::protocol
