#include "src/http/rate_limit.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace psephos::http {

// The server names them where it calls this.
// NOLINTNEXTLINE(bugprone-easily-swappable-parameters)
RateLimiter::RateLimiter(double per_second, double burst, std::size_t max_clients)
    : per_second_(per_second), burst_(std::max(1.0, burst)), max_clients_(max_clients) {}

RateLimiter::Bucket& RateLimiter::find(std::string_view client, Clock::time_point now) {
  std::string name(client);
  if (const auto found = recent_.find(name); found != recent_.end()) {
    return found->second;
  }
  Bucket bucket{burst_, now};
  if (const auto found = older_.find(name); found != older_.end()) {
    bucket = found->second;
    older_.erase(found);
  }
  if (recent_.size() >= max_clients_) {
    older_ = std::exchange(recent_, {});
  }
  return recent_.emplace(std::move(name), bucket).first->second;
}

std::chrono::milliseconds RateLimiter::take(std::string_view client, Clock::time_point now) {
  using std::chrono::milliseconds;
  if (per_second_ <= 0) {
    return milliseconds(0);  // no limit
  }
  const std::scoped_lock lock(mutex_);
  Bucket& bucket = find(client, now);
  const double passed = std::chrono::duration<double>(now - bucket.at).count();
  bucket.tokens = std::min(burst_, bucket.tokens + std::max(0.0, passed) * per_second_);
  bucket.at = std::max(bucket.at, now);
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return milliseconds(0);
  }
  // A rate of nearly nothing must not overflow.
  const double wait = std::min(86'400.0, (1 - bucket.tokens) / per_second_);
  return milliseconds(static_cast<milliseconds::rep>(std::ceil(wait * 1000)));
}

std::size_t RateLimiter::size() const {
  const std::scoped_lock lock(mutex_);
  return recent_.size() + older_.size();
}

}  // namespace psephos::http
