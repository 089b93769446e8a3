// A token bucket for each client.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace psephos::http {

// RateLimiter gives each client `burst` requests at once and `per_second` in the long run. It is
// used by several threads. Its memory is bounded: it keeps at most twice max_clients buckets, the
// most recently used; a client forgotten is one not seen while max_clients others were.
class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;

  RateLimiter(double per_second, double burst, std::size_t max_clients = 65'536);

  // take uses up one request. Zero: the client may go on; else how long it has to wait.
  [[nodiscard]] std::chrono::milliseconds take(std::string_view client, Clock::time_point now);

  // How many buckets are kept.
  [[nodiscard]] std::size_t size() const;

 private:
  struct Bucket {
    double tokens;
    Clock::time_point at;
  };
  using Buckets = std::unordered_map<std::string, Bucket>;

  Bucket& find(std::string_view client, Clock::time_point now);

  const double per_second_;
  const double burst_;
  const std::size_t max_clients_;
  mutable std::mutex mutex_;
  Buckets recent_;  // when full, these become the older ones, and those are forgotten
  Buckets older_;
};

}  // namespace psephos::http
