#include "src/http/rate_limit.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "src/http/connection_limit.h"

namespace psephos::http {
namespace {

using namespace std::chrono_literals;

constexpr RateLimiter::Clock::time_point kStart{1'000'000s};

TEST(RateLimiter, BurstThenRate) {
  RateLimiter limiter(2, 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(limiter.take("a", kStart), 0ms);
  }
  EXPECT_EQ(limiter.take("a", kStart), 500ms);
  EXPECT_EQ(limiter.take("a", kStart + 400ms), 100ms);
  EXPECT_EQ(limiter.take("a", kStart + 500ms), 0ms);
  EXPECT_EQ(limiter.take("a", kStart + 500ms), 500ms);
}

TEST(RateLimiter, RefusalsCostNothing) {
  RateLimiter limiter(1, 1);
  EXPECT_EQ(limiter.take("a", kStart), 0ms);
  for (int i = 0; i < 100; ++i) {
    EXPECT_GT(limiter.take("a", kStart + 999ms), 0ms);
  }
  EXPECT_EQ(limiter.take("a", kStart + 1s), 0ms);
}

TEST(RateLimiter, NeverMoreThanABurstIsSaved) {
  RateLimiter limiter(10, 2);
  EXPECT_EQ(limiter.take("a", kStart), 0ms);
  EXPECT_EQ(limiter.take("a", kStart + 24h), 0ms);
  EXPECT_EQ(limiter.take("a", kStart + 24h), 0ms);
  EXPECT_GT(limiter.take("a", kStart + 24h), 0ms);
}

TEST(RateLimiter, ClientsAreSeparate) {
  RateLimiter limiter(1, 1);
  EXPECT_EQ(limiter.take("a", kStart), 0ms);
  EXPECT_EQ(limiter.take("b", kStart), 0ms);
  EXPECT_GT(limiter.take("a", kStart), 0ms);
}

TEST(RateLimiter, TimeThatGoesBackGivesNothing) {
  RateLimiter limiter(1, 1);
  EXPECT_EQ(limiter.take("a", kStart), 0ms);
  EXPECT_GT(limiter.take("a", kStart - 10s), 0ms);
  EXPECT_GT(limiter.take("a", kStart), 0ms);
  EXPECT_EQ(limiter.take("a", kStart + 1s), 0ms);
}

TEST(RateLimiter, ZeroIsNoLimit) {
  RateLimiter limiter(0, 0);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(limiter.take("a", kStart), 0ms);
  }
  EXPECT_EQ(limiter.size(), 0U);
}

TEST(RateLimiter, SmallRatesWaitAtMostADay) {
  RateLimiter limiter(1e-300, 1);
  EXPECT_EQ(limiter.take("a", kStart), 0ms);
  EXPECT_EQ(limiter.take("a", kStart), 24h);
}

TEST(RateLimiter, MemoryIsBounded) {
  RateLimiter limiter(1, 1, 100);
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_EQ(limiter.take(std::to_string(i), kStart), 0ms);
    EXPECT_LE(limiter.size(), 200U);
  }
  // The most recent ones are not forgotten.
  for (int i = 9'900; i < 10'000; ++i) {
    EXPECT_GT(limiter.take(std::to_string(i), kStart), 0ms);
  }
}

TEST(RateLimiter, ThreadsShareTheBurst) {
  RateLimiter limiter(1, 100);
  std::atomic<int> taken = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < 100; ++j) {
          taken += limiter.take("a", kStart) == 0ms ? 1 : 0;
        }
      });
    }
  }
  EXPECT_EQ(taken, 100);
}

TEST(ConnectionLimit, AllAndEach) {
  using Verdict = ConnectionLimit::Verdict;
  ConnectionLimit limit(3, 2);
  EXPECT_EQ(limit.enter("a"), Verdict::admitted);
  EXPECT_EQ(limit.enter("a"), Verdict::admitted);
  EXPECT_EQ(limit.enter("a"), Verdict::too_many_of_client);
  EXPECT_EQ(limit.size(), 2U);
  EXPECT_EQ(limit.enter("b"), Verdict::admitted);
  EXPECT_EQ(limit.enter("c"), Verdict::full);
  limit.leave("a");
  EXPECT_EQ(limit.enter("a"), Verdict::admitted);
}

TEST(ConnectionLimit, ProxiesCountAmongAllOnly) {
  using Verdict = ConnectionLimit::Verdict;
  ConnectionLimit limit(3, 1);
  EXPECT_EQ(limit.enter(""), Verdict::admitted);
  EXPECT_EQ(limit.enter(""), Verdict::admitted);
  limit.leave("");
  EXPECT_EQ(limit.enter(""), Verdict::admitted);
  EXPECT_EQ(limit.enter(""), Verdict::admitted);
  EXPECT_EQ(limit.enter(""), Verdict::full);
}

}  // namespace
}  // namespace psephos::http
