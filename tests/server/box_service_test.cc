#include "src/server/box_service.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "tests/record/forge.h"
#include "tests/server/directory.h"

namespace psephos::server {
namespace {

using namespace std::chrono_literals;
using test::Forge;
using test::value;

// Holds the box before it commits, for as long as a test wants.
class Observer final : public BoxObserver {
 public:
  void on_stage(Stage stage, double /*seconds*/) override {
    if (stage == Stage::decide) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !held_; });
    }
  }
  void on_batch(std::size_t entries) override { judged_ += entries; }
  void on_outcome(Outcome outcome, const protocol::Fault* /*fault*/) override {
    shed_ += outcome == Outcome::shed ? 1U : 0U;
  }
  void on_store(const Error* /*error*/) override {}
  void on_export(const Error* /*error*/) override {}
  void on_commit(double /*seconds*/) override {}

  void release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  [[nodiscard]] std::size_t judged() const { return judged_; }
  [[nodiscard]] std::size_t shed() const { return shed_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = true;
  std::atomic<std::size_t> judged_ = 0;
  std::atomic<std::size_t> shed_ = 0;
};

// What is judged already takes room, too: a commit that hangs must not fill the memory.
TEST(BoxServiceTest, TakesNoMoreThanItsQueueWhileACommitHangs) {
  constexpr std::size_t kQueue = 4;
  constexpr std::size_t kBallots = 12;
  Forge forge{test::tiny_manifest()};
  const test::Directory directory;
  directory.write_record(forge.publish());
  const auto record = value(ElectionRecord::open(directory / "record", forge.evaluator));
  Observer observer;
  std::atomic<std::size_t> not_now = 0;
  std::atomic<std::size_t> refused = 0;
  const auto service = value(BoxService::open(
      {.store = directory / "box.sqlite",
       .shards = {},
       .threads = 1,
       .queue = kQueue,
       .batch = 1,
       .export_interval = 1000ms},
      record, value(protocol::BoxKeys::load(forge.box_keys->save())), forge.evaluator, observer));
  service->start();
  for (std::size_t i = 0; i < kBallots; ++i) {
    service->submit(Bytes(100, static_cast<std::uint8_t>(i)), [&](const BallotAnswer& answer) {
      not_now += std::holds_alternative<NotNow>(answer) ? 1U : 0U;
      refused += std::holds_alternative<Refused>(answer) ? 1U : 0U;
    });
    // The judge has taken it away from where it came in.
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (observer.judged() < std::min(i + 1, kQueue) && std::chrono::steady_clock::now() < end) {
      std::this_thread::yield();
    }
  }
  EXPECT_EQ(not_now, kBallots - kQueue);
  EXPECT_EQ(observer.shed(), kBallots - kQueue);
  EXPECT_EQ(service->waiting(), kQueue);
  observer.release();
  service->finish();
  EXPECT_EQ(refused, kQueue);
  EXPECT_EQ(not_now, kBallots - kQueue);
  EXPECT_EQ(service->waiting(), 0U);
}

}  // namespace
}  // namespace psephos::server
