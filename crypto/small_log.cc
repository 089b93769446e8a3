#include "psephos/crypto/small_log.h"

#include <algorithm>
#include <cmath>

namespace psephos::crypto {

namespace {

constexpr std::uint64_t kMaxSteps = std::uint64_t{1} << 22;

std::uint64_t key(const Point& point) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    value = value << 8 | point.bytes()[i];
  }
  return value;
}

}  // namespace

Result<SmallLog> SmallLog::prepare(std::uint64_t bound, std::uint64_t num_logs) {
  if (bound >= std::uint64_t{1} << 44) {
    return fail(Errc::misuse, "logarithms are searched below 2^44 only");
  }
  // About √(bound·num_logs) baby steps balance building the table against num_logs searches.
  const double balanced = std::sqrt(static_cast<double>(bound)) *
                          std::sqrt(static_cast<double>(std::max<std::uint64_t>(1, num_logs)));
  SmallLog log;
  log.bound_ = bound;
  log.steps_ = std::min(bound + 1, kMaxSteps);
  if (balanced < static_cast<double>(log.steps_)) {
    log.steps_ = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(balanced));
  }

  log.baby_.reserve(log.steps_);
  Point point;
  for (std::uint32_t v = 0; v < log.steps_; ++v) {
    log.baby_.push_back({.key = key(point), .value = v});
    point = point + Point::base();
  }
  std::ranges::sort(log.baby_, {}, &Step::key);
  log.giant_ = Point() - point;
  return log;
}

Result<std::uint64_t> SmallLog::find_vartime(const Point& point) const {
  Point rest = point;
  for (std::uint64_t offset = 0; offset <= bound_; offset += steps_) {
    for (const Step& step : std::ranges::equal_range(baby_, key(rest), {}, &Step::key)) {
      // Eight bytes are a hint; only the whole point decides.
      const std::uint64_t v = offset + step.value;
      if (v <= bound_ && Scalar::from_u64(v) * Point::base() == point) {
        return v;
      }
    }
    rest = rest + giant_;
  }
  return fail(Errc::rejected,
              "the point has no logarithm in 0.." + std::to_string(bound_) + ": a wrong total");
}

}  // namespace psephos::crypto
