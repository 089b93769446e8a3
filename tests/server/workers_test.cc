#include "src/server/workers.h"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <new>

#include <gtest/gtest.h>

namespace psephos::server {
namespace {

using namespace std::chrono_literals;
constexpr auto kPatience = 20s;

// Tells when it is destroyed.
class Held {
 public:
  explicit Held(std::promise<void>& gone) : gone_(&gone) {}
  Held(Held&& other) noexcept : gone_(std::exchange(other.gone_, nullptr)) {}
  Held& operator=(Held&&) = delete;
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() {
    if (gone_ != nullptr) {
      gone_->set_value();
    }
  }

 private:
  std::promise<void>* gone_;
};

TEST(Workers, WorkThatThrowsEndsAndNothingElseDoes) {
  std::atomic<int> faults = 0;
  Workers workers(1, 10, [&] { ++faults; });
  std::promise<void> gone;
  std::future<void> destroyed = gone.get_future();
  Workers::Work bad = [held = Held(gone)] { throw std::bad_alloc(); };
  ASSERT_TRUE(workers.run(bad));
  // Its Respond would answer now, not when other work comes.
  ASSERT_EQ(destroyed.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(faults, 1);
  std::promise<void> done;
  std::future<void> after = done.get_future();
  Workers::Work good = [&] { done.set_value(); };
  ASSERT_TRUE(workers.run(good));
  EXPECT_EQ(after.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(faults, 1);
}

TEST(Workers, TakeNoMoreThanTheirQueueHolds) {
  std::promise<void> release;
  std::promise<void> begun;
  Workers workers(1, 1, [] {});
  Workers::Work first = [&begun, until = release.get_future()] {
    begun.set_value();
    until.wait();
  };
  ASSERT_TRUE(workers.run(first));
  begun.get_future().wait();
  Workers::Work second = [] {};
  Workers::Work third = [] {};
  EXPECT_TRUE(workers.run(second));
  EXPECT_FALSE(workers.run(third));
  EXPECT_TRUE(third != nullptr);  // is the caller's
  release.set_value();
}

}  // namespace
}  // namespace psephos::server
