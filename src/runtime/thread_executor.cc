#include "psephos/runtime/thread_executor.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace psephos::runtime {

ThreadExecutor::ThreadExecutor(std::size_t threads)
    : threads_(threads != 0 ? threads : std::max(1U, std::thread::hardware_concurrency())) {}

void ThreadExecutor::run(std::size_t count, const std::function<void(std::size_t)>& task) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      task(i);
    }
  };
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < std::min(threads_, count); ++i) {
    others.emplace_back(work);
  }
  work();
}

}  // namespace psephos::runtime
