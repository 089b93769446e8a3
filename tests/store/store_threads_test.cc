// Reading, committing, maintaining and backing up at once. The thread sanitizer runs this.
#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "src/store/sqlite_store.h"
#include "tests/store/support.h"
#include "tests/support/memory_log_store.h"
#include "tests/support/seeded_random.h"

namespace psephos::store {
namespace {

using StoreThreads = TemporaryDirectory;

TEST_F(StoreThreads, ReadBackUpAndMaintainBesideCommits) {
  const auto made = SqliteStore::create(root_ / "box.db", digest(7),
                                        {.readers = 2, .max_wal_bytes = 200'000, .on_commit = {}});
  ASSERT_TRUE(made.has_value()) << made.error().message;
  SqliteStore& store = **made;
  const std::uint64_t commits = test::iterations(100);
  std::atomic<std::uint64_t> acknowledged{0};
  const auto running = [&] { return acknowledged < commits; };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      do {
        const std::uint64_t size = acknowledged;
        std::uint64_t seen = 0;
        EXPECT_TRUE(store
                        .for_each_entry("box/0", 0, test::kToTheEnd,
                                        [&](std::uint64_t, ByteView) -> Result<void> {
                                          ++seen;
                                          return {};
                                        })
                        .has_value());
        EXPECT_GE(seen, size);
        if (size > 0) {
          EXPECT_TRUE(store.entry("box/0", size - 1).has_value());
          EXPECT_TRUE(store.checkpoint_over("box/0", size - 1).has_value());
        }
      } while (running());
    });
  }
  threads.emplace_back([&] {
    do {
      const auto done = store.maintain();
      EXPECT_TRUE(done.has_value()) << done.error().message;
    } while (running());
  });
  threads.emplace_back([&] {
    std::uint64_t number = 0;
    do {
      const std::uint64_t size = acknowledged;
      const auto copy = root_ / ("copy" + std::to_string(number++));
      const auto backup = SqliteStore::backup(root_ / "box.db", digest(7), copy);
      ASSERT_TRUE(backup.has_value()) << backup.error().message;
      const auto opened = SqliteStore::open(copy, digest(7));
      ASSERT_TRUE(opened.has_value()) << opened.error().message;
      // One state: as many entries as its newest checkpoint says.
      EXPECT_EQ((*opened)->integrity().value(), std::vector<std::string>{});
      if (size > 0) {
        EXPECT_TRUE((*opened)->entry("box/0", size - 1).has_value());
      }
    } while (running());
  });
  for (std::uint64_t index = 0; index < commits; ++index) {
    const protocol::LogBatch batch = one_entry("box/0", index, 5000);
    const auto taken = store.commit(std::span(&batch, 1));
    EXPECT_TRUE(taken.has_value()) << taken.error().message;
    acknowledged = index + 1;
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(store.integrity().value(), std::vector<std::string>{});
}

}  // namespace
}  // namespace psephos::store
