// SqliteStore: what it takes, what it refuses, what it gives back.
#include "src/store/sqlite_store.h"

#include <sys/stat.h>

#include <fstream>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "tests/store/support.h"
#include "tests/support/memory_log_store.h"
#include "tests/support/seeded_random.h"

namespace psephos::store {
namespace {

namespace fs = std::filesystem;
using protocol::LogBatch;
using protocol::LogEntry;
using protocol::LogStore;

const Digest32 kElection = digest(7);

class Store : public TemporaryDirectory {
 protected:
  [[nodiscard]] fs::path path() const { return root_ / "box.db"; }
  std::unique_ptr<SqliteStore> create() {
    auto made = SqliteStore::create(path(), kElection);
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return std::move(*made);
  }
  std::unique_ptr<SqliteStore> open() {
    auto opened = SqliteStore::open(path(), kElection);
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    return std::move(*opened);
  }
  // Opening fails with this code and these words.
  void refuses(Errc code, std::string_view words) {
    const auto opened = SqliteStore::open(path(), kElection);
    ASSERT_FALSE(opened.has_value()) << words;
    EXPECT_EQ(opened.error().code, code) << opened.error().message;
    EXPECT_NE(opened.error().message.find(words), std::string::npos) << opened.error().message;
    EXPECT_NE(opened.error().message.find("box.db"), std::string::npos) << opened.error().message;
  }
};

Result<void> commit(LogStore& store, const LogBatch& batch) {
  return store.commit(std::span(&batch, 1));
}

std::vector<Bytes> entries(const LogStore& store, const std::string& log, std::uint64_t first = 0) {
  std::vector<Bytes> all;
  const auto read = store.for_each_entry(log, first, test::kToTheEnd,
                                         [&](std::uint64_t index, ByteView entry) -> Result<void> {
                                           EXPECT_EQ(index, first + all.size());
                                           all.emplace_back(entry.begin(), entry.end());
                                           return {};
                                         });
  EXPECT_TRUE(read.has_value()) << read.error().message;
  return all;
}

TEST_F(Store, KeepsWhatWasCommitted) {
  LogEntry first{bytes("one"), bytes("k1"), digest(1)};
  LogEntry second{bytes("two"), {}, digest(1)};
  LogEntry empty{{}, {}, std::nullopt};
  const std::vector<LogBatch> batches{{"box/0", 0, {first, second, empty}, "over three\n"},
                                      {"main", 0, {}, "empty\n"}};
  {
    const auto store = create();
    ASSERT_TRUE(store->commit(batches).has_value());
    ASSERT_TRUE(commit(*store, {"box/0", 3, {{bytes("x"), {}, {}}}, "over four\n"}).has_value());
    ASSERT_TRUE(commit(*store, {"box/0", 4, {}, "again\n"}).has_value());
  }
  const auto store = open();
  EXPECT_EQ(entries(*store, "box/0"),
            (std::vector<Bytes>{bytes("one"), bytes("two"), {}, bytes("x")}));
  EXPECT_EQ(entries(*store, "box/0", 3), std::vector<Bytes>{bytes("x")});
  EXPECT_EQ(entries(*store, "box/0", 4), std::vector<Bytes>{});
  EXPECT_EQ(entries(*store, "main"), std::vector<Bytes>{});
  EXPECT_EQ(entries(*store, "nothing"), std::vector<Bytes>{});
  EXPECT_EQ(store->entry("box/0", 1).value(), bytes("two"));
  EXPECT_EQ(store->entry("box/0", 2).value(), Bytes());
  EXPECT_EQ(store->checkpoint("box/0").value(), "again\n");
  EXPECT_EQ(store->checkpoint("main").value(), "empty\n");
  EXPECT_EQ(store->checkpoint("nothing").value(), std::nullopt);
  EXPECT_EQ(store->checkpoint_over("box/0", 0).value(), "over three\n");
  EXPECT_EQ(store->checkpoint_over("box/0", 3).value(), "over four\n");
  EXPECT_EQ(store->find("box/0", digest(1)).value(), 0U);
  EXPECT_EQ(store->find("box/0", digest(2)).value(), std::nullopt);
  EXPECT_EQ(store->find("main", digest(1)).value(), std::nullopt);
  EXPECT_EQ(store->integrity().value(), std::vector<std::string>{});
}

TEST_F(Store, RefusesWhatTheLogsDoNotAllowAndGoesOn) {
  const auto store = create();
  ASSERT_TRUE(commit(*store, one_entry("box/0", 0)).has_value());
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{2}, ~std::uint64_t{0}}) {
    const auto result = commit(*store, one_entry("box/0", first));
    EXPECT_EQ(result.error().code, Errc::misuse);
    EXPECT_NE(result.error().message.find("box/0"), std::string::npos);
    EXPECT_NE(result.error().message.find("ends at 1"), std::string::npos);
  }
  LogBatch twice = one_entry("box/0", 1);
  twice.entries.push_back(twice.entries[0]);
  EXPECT_NE(commit(*store, twice).error().message.find("box/0 entry 2: its key"),
            std::string::npos);
  LogBatch old = one_entry("box/0", 1);
  old.entries[0].key = bytes("key 0");
  EXPECT_EQ(commit(*store, old).error().code, Errc::misuse);
  // All batches or none; keys are a log's own.
  std::vector<LogBatch> batches{one_entry("main", 0), one_entry("box/1", 0), old};
  EXPECT_EQ(store->commit(batches).error().code, Errc::misuse);
  EXPECT_EQ(store->checkpoint("main").value(), std::nullopt);
  batches.back() = one_entry("box/0", 1);
  EXPECT_TRUE(store->commit(batches).has_value());
  // Two batches of one log follow one another.
  EXPECT_TRUE(store->commit(std::vector{one_entry("main", 1), one_entry("main", 2)}).has_value());
  EXPECT_TRUE(store->commit({}).has_value());
  EXPECT_EQ(entries(*store, "box/0").size(), 2U);
  EXPECT_EQ(entries(*store, "main").size(), 3U);
  EXPECT_EQ(store->integrity().value(), std::vector<std::string>{});
}

TEST_F(Store, RefusesToReadWhatIsNotThere) {
  const auto store = create();
  ASSERT_TRUE(commit(*store, one_entry("box/0", 0)).has_value());
  ASSERT_TRUE(commit(*store, one_entry("box/1", 0)).has_value());
  // An index so large that it would reach into another log's positions.
  for (const std::uint64_t index :
       {std::uint64_t{1}, std::uint64_t{1} << 52U, std::uint64_t{1} << 53U, ~std::uint64_t{0}}) {
    EXPECT_EQ(store->entry("box/0", index).error().code, Errc::misuse);
    EXPECT_EQ(store->checkpoint_over("box/0", index).error().code, Errc::misuse);
    EXPECT_EQ(entries(*store, "box/0", index), std::vector<Bytes>{});
  }
  EXPECT_EQ(store->entry("nothing", 0).error().code, Errc::misuse);
  EXPECT_EQ(store->checkpoint_over("nothing", 0).error().code, Errc::misuse);
}

TEST_F(Store, StopsWhereTheVisitorSaysSo) {
  const auto store = create();
  LogBatch batch{"box/0", 0, std::vector<LogEntry>(50, {Bytes(65000, 3), {}, {}}), "c\n"};
  ASSERT_TRUE(commit(*store, batch).has_value());
  std::uint64_t seen = 0;
  const auto stopped =
      store->for_each_entry("box/0", 0, test::kToTheEnd, [&](std::uint64_t, ByteView) {
        // The store can be used meanwhile, also for writing.
        EXPECT_TRUE(store->entry("box/0", 49).has_value());
        EXPECT_TRUE(store->set("seen", std::to_string(seen)).has_value());
        return ++seen == 30 ? fail(Errc::rejected, "enough") : Result<void>();
      });
  EXPECT_EQ(stopped.error().message, "enough");
  EXPECT_EQ(seen, 30U);
}

TEST_F(Store, KeepsSettings) {
  {
    const auto store = create();
    EXPECT_EQ(store->get("stopped").value(), std::nullopt);
    ASSERT_TRUE(store->set("stopped", "1").has_value());
    ASSERT_TRUE(store->set("stopped", "0").has_value());
    ASSERT_TRUE(store->set("", "").has_value());
  }
  const auto store = open();
  EXPECT_EQ(store->get("stopped").value(), "0");
  EXPECT_EQ(store->get("").value(), "");
  EXPECT_EQ(store->get("Stopped").value(), std::nullopt);
}

TEST_F(Store, TellsHowLongACommitTook) {
  std::vector<double> seconds;
  SqliteStore::Options options;
  options.on_commit = [&](double took) { seconds.push_back(took); };
  const auto store = SqliteStore::create(path(), kElection, options).value();
  ASSERT_TRUE(commit(*store, one_entry("box/0", 0)).has_value());
  EXPECT_FALSE(commit(*store, one_entry("box/0", 0)).has_value());
  ASSERT_EQ(seconds.size(), 1U);
  EXPECT_GT(seconds[0], 0.0);
}

TEST_F(Store, IsReadableByItsOwnerOnly) {
  const auto store = create();
  ASSERT_TRUE(commit(*store, one_entry("box/0", 0)).has_value());
  ASSERT_TRUE(SqliteStore::backup(path(), kElection, root_ / "copy.db").has_value());
  for (const auto& file : fs::directory_iterator(root_)) {
    EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write)
        << file;
  }
}

TEST_F(Store, LeavesOneFileAndItsLock) {
  {
    const auto store = create();
    ASSERT_TRUE(commit(*store, one_entry("box/0", 0)).has_value());
    ASSERT_TRUE(store->maintain().has_value());
    ASSERT_TRUE(store->close().has_value());
    EXPECT_TRUE(store->close().has_value());
    EXPECT_EQ(commit(*store, one_entry("box/0", 1)).error().code, Errc::misuse);
    EXPECT_EQ(store->maintain().error().code, Errc::misuse);
  }
  std::set<std::string> names;
  for (const auto& file : fs::directory_iterator(root_)) {
    names.insert(file.path().filename().string());
  }
  EXPECT_EQ(names, (std::set<std::string>{"box.db", "box.db.lock"}));
}

TEST_F(Store, CreatesOverNothing) {
  std::ofstream(path()) << "something";
  const auto made = SqliteStore::create(path(), kElection);
  EXPECT_EQ(made.error().code, Errc::misuse);
  fs::remove(path());
  fs::create_symlink(root_ / "elsewhere", path());
  EXPECT_EQ(SqliteStore::create(path(), kElection).error().code, Errc::misuse);
  EXPECT_EQ(SqliteStore::create(root_ / "no" / "where", kElection).error().code, Errc::environment);
  EXPECT_EQ(SqliteStore::create(root_ / "", kElection).error().code, Errc::misuse);
  EXPECT_EQ(SqliteStore::create("", kElection).error().code, Errc::misuse);
  EXPECT_FALSE(fs::exists(root_ / "elsewhere"));
}

TEST_F(Store, OpensItsOwnElectionsOnly) {
  refuses(Errc::environment, "there is no store");
  EXPECT_FALSE(fs::exists(path()));
  create();
  const auto other = SqliteStore::open(path(), digest(8));
  EXPECT_EQ(other.error().code, Errc::rejected);
  EXPECT_NE(other.error().message.find(hex(kElection)), std::string::npos);
  EXPECT_NE(other.error().message.find(hex(digest(8))), std::string::npos);
  open();
}

// Writes bytes into a file.
void poke(const fs::path& file, std::streamoff at, std::string_view value) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(at);
  stream.write(value.data(), static_cast<std::streamsize>(value.size()));
}

TEST_F(Store, OpensNothingElse) {
  std::ofstream(path()).flush();
  refuses(Errc::malformed, "is no psephos store");
  std::ofstream(path()) << std::string(5000, 'x');
  refuses(Errc::malformed, "is no psephos store");
  fs::remove(path());
  fs::create_directory(path());
  refuses(Errc::environment, "is not a file");
  fs::remove(path());
  create();
  poke(path(), 68, "abcd");  // application_id
  refuses(Errc::malformed, "is no psephos store");
  poke(path(), 68, "psep");
  open();
  poke(path(), 60, std::string_view("\0\0\0\2", 4));  // user_version
  refuses(Errc::malformed, "version 2");
  poke(path(), 60, std::string_view("\0\0\0\0", 4));
  refuses(Errc::malformed, "version 0");
  poke(path(), 60, std::string_view("\0\0\0\1", 4));
  open();
}

TEST_F(Store, RefusesOtherTables) {
  create();
  // One letter of a column's name in the schema.
  std::ifstream in(path(), std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(in)), {});
  const auto at = content.find("active INTEGER");
  ASSERT_NE(at, std::string::npos);
  poke(path(), static_cast<std::streamoff>(at), "b");
  const auto opened = SqliteStore::open(path(), kElection);
  ASSERT_FALSE(opened.has_value());
}

TEST_F(Store, BacksUpAndOpensTheCopy) {
  const auto store = create();
  ASSERT_TRUE(commit(*store, one_entry("box/0", 0)).has_value());
  const fs::path copy = root_ / "copy.db";
  const auto backup = SqliteStore::backup(path(), kElection, copy);
  ASSERT_TRUE(backup.has_value()) << backup.error().message;
  EXPECT_EQ(SqliteStore::backup(path(), kElection, copy).error().code, Errc::misuse);
  EXPECT_EQ(SqliteStore::backup(path(), kElection, path()).error().code, Errc::misuse);
  EXPECT_EQ(SqliteStore::backup(path(), kElection, root_ / "no" / "where.db").error().code,
            Errc::environment);
  ASSERT_TRUE(commit(*store, one_entry("box/0", 1)).has_value());
  const auto restored = SqliteStore::open(copy, kElection);
  ASSERT_TRUE(restored.has_value()) << restored.error().message;
  EXPECT_EQ(entries(**restored, "box/0").size(), 1U);
  ASSERT_TRUE(commit(**restored, one_entry("box/0", 1)).has_value());
  EXPECT_EQ((*restored)->integrity().value(), std::vector<std::string>{});
  // Nothing is left of it but the copy.
  for (const auto& file : fs::directory_iterator(root_)) {
    EXPECT_NE(file.path().filename().string()[0], '.') << file;
  }
}

// The same calls on both stores have the same outcomes, also after the file was opened again.
TEST_F(Store, BehavesAsTheStoreInMemory) {
  for (std::size_t round = 0; round < test::iterations(20); ++round) {
    std::mt19937_64 random(test::test_seed() + round);
    SCOPED_TRACE("seed " + std::to_string(test::test_seed()) + " round " + std::to_string(round));
    const auto below = [&](std::uint64_t bound) { return random() % bound; };
    fs::remove(path());
    auto store = create();
    test::MemoryLogStore memory;
    const std::vector<std::string> logs{"main", "box/0", "box/1"};
    std::map<std::string, std::uint64_t> sizes;
    for (int step = 0; step < 60; ++step) {
      std::vector<LogBatch> batches;
      auto expected = sizes;
      for (std::uint64_t i = below(4); i > 0; --i) {
        LogBatch batch;
        batch.log = logs[below(logs.size())];
        batch.first = expected[batch.log] + (below(20) == 0 ? 1 : 0);
        for (std::uint64_t j = below(6); j > 0; --j) {
          LogEntry entry;
          entry.bytes = Bytes(below(below(10) == 0 ? 60000 : 300), static_cast<std::uint8_t>(j));
          if (below(3) != 0) {
            entry.key = bytes(std::to_string(below(2000)));
          }
          if (below(3) != 0) {
            entry.code = digest(static_cast<std::uint8_t>(below(50)));
          }
          batch.entries.push_back(entry);
        }
        expected[batch.log] += batch.entries.size();
        batch.checkpoint = "note " + std::to_string(random()) + "\n";
        batches.push_back(batch);
      }
      const auto a = store->commit(batches);
      const auto b = memory.commit(batches);
      ASSERT_EQ(a, b) << (a.has_value() ? b : a).error().message;
      if (a.has_value()) {
        sizes = expected;
      }
      if (below(10) == 0) {
        store.reset();
        store = open();
      }
      if (below(5) == 0) {
        ASSERT_TRUE(store->maintain().has_value());
      }
    }
    for (const std::string& log : logs) {
      EXPECT_EQ(entries(*store, log), entries(memory, log));
      EXPECT_EQ(store->checkpoint(log), memory.checkpoint(log));
      for (std::uint64_t i = 0; i <= sizes[log]; ++i) {
        EXPECT_EQ(store->entry(log, i), memory.entry(log, i));
        EXPECT_EQ(store->checkpoint_over(log, i), memory.checkpoint_over(log, i));
      }
      for (std::uint8_t code = 0; code < 50; ++code) {
        EXPECT_EQ(store->find(log, digest(code)), memory.find(log, digest(code)));
      }
    }
    EXPECT_EQ(store->integrity().value(), std::vector<std::string>{});
  }
}

TEST(MemoryLogStore, FailsAsItIsTold) {
  using Failure = test::MemoryLogStore::Failure;
  for (const Failure failure : {Failure::lost, Failure::persisted}) {
    test::MemoryLogStore store;
    store.fail_at(1, failure);
    ASSERT_TRUE(commit(store, one_entry("box/0", 0)).has_value());
    EXPECT_EQ(commit(store, one_entry("box/0", 1)).error().code, Errc::environment);
    EXPECT_EQ(store.entry("box/0", 1).has_value(), failure == Failure::persisted);
    const std::uint64_t size = failure == Failure::persisted ? 2 : 1;
    EXPECT_EQ(commit(store, one_entry("box/0", size)).error().code, Errc::environment);
    store.reopen();
    EXPECT_TRUE(commit(store, one_entry("box/0", size)).has_value());
    EXPECT_EQ(store.num_commits(), 3U);
  }
}

}  // namespace
}  // namespace psephos::store
