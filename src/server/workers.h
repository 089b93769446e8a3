// Threads for what may block: files, the store, administration.
#pragma once

#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

#include "src/server/batch_queue.h"

namespace psephos::server {

class Workers {
 public:
  using Work = std::move_only_function<void()>;  // throws nothing

  Workers(std::size_t threads, std::size_t queue) : queue_(queue) {
    for (std::size_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this] {
        for (auto work = queue_.pop(1); !work.empty(); work = queue_.pop(1)) {
          work.front()();
        }
      });
    }
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers() { finish(); }

  // run takes the work unless too much is waiting: then it is the caller's again.
  [[nodiscard]] bool run(Work& work) { return queue_.push(work); }
  // finish does what was taken, and ends the threads.
  void finish() {
    queue_.close();
    threads_.clear();
  }

 private:
  BatchQueue<Work> queue_;
  std::vector<std::jthread> threads_;
};

}  // namespace psephos::server
