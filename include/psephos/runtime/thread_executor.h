// Parallel work on the machine's cores.
#pragma once

#include <cstddef>
#include <functional>

#include "psephos/protocol/executor.h"

namespace psephos::runtime {

// ThreadExecutor runs tasks on up to `threads` threads, which it starts for each run: a run is
// milliseconds to seconds of cryptography, starting threads is microseconds.
class ThreadExecutor final : public protocol::Executor {
 public:
  // 0 means as many as the machine has cores.
  explicit ThreadExecutor(std::size_t threads = 0);
  void run(std::size_t count, const std::function<void(std::size_t)>& task) override;
  [[nodiscard]] std::size_t concurrency() const override { return threads_; }

 private:
  std::size_t threads_;
};

}  // namespace psephos::runtime
