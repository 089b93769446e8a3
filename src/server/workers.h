// Threads for what may block: files, the store, administration.
#pragma once

#include <cstddef>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "src/server/batch_queue.h"

namespace psephos::server {

class Workers {
 public:
  // Work that throws (no memory) is given up, and destroyed: a Respond in it answers 500 then.
  using Work = std::move_only_function<void()>;

  // on_fault is told of each such work, by the thread that did it.
  Workers(std::size_t threads, std::size_t queue, std::function<void()> on_fault)
      : on_fault_(std::move(on_fault)), queue_(queue) {
    for (std::size_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this] {
        for (auto work = queue_.pop(1); !work.empty(); work = queue_.pop(1)) {
          try {
            work.front()();
          } catch (...) {
            tell_fault();
          }
          work.clear();  // not only when other work comes
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
  void tell_fault() {
    try {
      on_fault_();
    } catch (...) {  // NOLINT(bugprone-empty-catch): no memory for that either
    }
  }

  const std::function<void()> on_fault_;
  BatchQueue<Work> queue_;
  std::vector<std::jthread> threads_;
};

}  // namespace psephos::server
