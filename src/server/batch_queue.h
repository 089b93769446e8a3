// A bounded queue between threads whose readers take many items at once.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

namespace psephos::server {

template <class T>
class BatchQueue {
 public:
  explicit BatchQueue(std::size_t capacity) : capacity_(capacity) {}

  // push takes the item, unless the queue is full or closed: then it is the caller's to answer.
  [[nodiscard]] bool push(T& item) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_ || items_.size() >= capacity_) {
        return false;
      }
      items_.push_back(std::move(item));
    }
    ready_.notify_one();
    return true;
  }

  // push_all takes all items whatever the capacity: for stages behind one that is bounded.
  void push_all(std::vector<T> items) {
    {
      const std::lock_guard lock(mutex_);
      std::ranges::move(items, std::back_inserter(items_));
    }
    ready_.notify_one();
  }

  // pop waits for items and takes up to `max` of them, oldest first. Empty: the queue was closed
  // and there are no more, or nothing came before the deadline.
  [[nodiscard]] std::vector<T> pop(std::size_t max) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return closed_ || !items_.empty(); });
    return take(max);
  }
  [[nodiscard]] std::vector<T> pop(std::size_t max, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    ready_.wait_for(lock, patience, [this] { return closed_ || !items_.empty(); });
    return take(max);
  }

  // close lets readers finish what is there and then tells them to end.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
  }
  [[nodiscard]] bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_ && items_.empty();
  }
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return items_.size();
  }

 private:
  // Under the lock.
  std::vector<T> take(std::size_t max) {
    const std::size_t count = std::min(max, items_.size());
    const auto end = items_.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<T> taken(std::make_move_iterator(items_.begin()), std::make_move_iterator(end));
    items_.erase(items_.begin(), end);
    if (!items_.empty()) {
      ready_.notify_one();  // for another reader
    }
    return taken;
  }

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace psephos::server
