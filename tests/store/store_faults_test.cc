// A store whose process dies, whose disk is full, whose file is damaged, whose directory is
// forbidden.
#include <fcntl.h>
#include <sys/resource.h>

#include <array>
#include <csignal>
#include <fstream>
#include <iostream>
#include <random>

#include <gtest/gtest.h>

#include "src/store/roll_store.h"
#include "src/store/sqlite_store.h"
#include "tests/store/support.h"
#include "tests/support/memory_log_store.h"
#include "tests/support/seeded_random.h"

namespace psephos::store {
namespace {

namespace fs = std::filesystem;

const Digest32 kElection = digest(7);

class StoreFaults : public TemporaryDirectory {
 protected:
  [[nodiscard]] fs::path path() const { return root_ / "box.db"; }
};

Result<void> commit_one(SqliteStore& store, std::uint64_t index, std::size_t length = 100) {
  const protocol::LogBatch batch = one_entry("box/0", index, length);
  return store.commit(std::span(&batch, 1));
}

// The log has at least `acknowledged` entries, and all of them as they were committed.
std::uint64_t expect_sound(const SqliteStore& store, std::uint64_t acknowledged,
                           std::size_t length = 100) {
  std::uint64_t size = 0;
  const auto read = store.for_each_entry(
      "box/0", 0, test::kToTheEnd, [&](std::uint64_t index, ByteView entry) -> Result<void> {
        EXPECT_TRUE(equal(entry, one_entry("box/0", index, length).entries[0].bytes)) << index;
        size = index + 1;
        return {};
      });
  EXPECT_TRUE(read.has_value()) << read.error().message;
  EXPECT_GE(size, acknowledged);
  EXPECT_LE(size, acknowledged + 1);
  if (size > 0) {
    EXPECT_EQ(store.checkpoint("box/0").value(), "size " + std::to_string(size) + "\n");
  }
  EXPECT_EQ(store.integrity().value(), std::vector<std::string>{});
  return size;
}

TEST_F(StoreFaults, LosesNothingWhenKilled) {
  std::mt19937_64 random(test::test_seed());
  ASSERT_TRUE(SqliteStore::create(path(), kElection).has_value());
  std::uint64_t size = 0;
  for (std::size_t round = 0; round < test::iterations(10); ++round) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
    Process child([&] {
      const auto store = SqliteStore::open(path(), kElection);
      if (!store.has_value()) {
        return 1;
      }
      for (std::uint64_t index = size;; ++index) {
        if (!commit_one(**store, index).has_value() ||
            (index % 7 == 0 && !(*store)->maintain().has_value()) ||
            ::write(pipe[1], &index, sizeof index) != sizeof index) {
          return 2;
        }
      }
    });
    ::close(pipe[1]);
    std::uint64_t acknowledged = size;
    std::uint64_t index = 0;
    const std::uint64_t stop = size + 1 + random() % 40;
    while (acknowledged < stop && ::read(pipe[0], &index, sizeof index) == sizeof index) {
      acknowledged = index + 1;
    }
    EXPECT_EQ(child.kill(), -SIGKILL);
    // What it said before it died.
    while (::read(pipe[0], &index, sizeof index) == sizeof index) {
      acknowledged = index + 1;
    }
    ::close(pipe[0]);
    const auto store = SqliteStore::open(path(), kElection);
    ASSERT_TRUE(store.has_value()) << store.error().message;
    size = expect_sound(**store, acknowledged);
  }
}

TEST_F(StoreFaults, IsOpenOnlyOnce) {
  auto store = SqliteStore::create(path(), kElection);
  ASSERT_TRUE(store.has_value());
  const std::string holder = "process " + std::to_string(::getpid());
  const auto again = SqliteStore::open(path(), kElection);
  EXPECT_EQ(again.error().code, Errc::environment);
  EXPECT_NE(again.error().message.find(holder), std::string::npos) << again.error().message;
  Process other([&] {
    const auto opened = SqliteStore::open(path(), kElection);
    return !opened.has_value() && opened.error().message.find(holder) != std::string::npos ? 0 : 1;
  });
  EXPECT_EQ(other.wait(), 0);
  EXPECT_TRUE(commit_one(**store, 0).has_value());
  store->reset();
  EXPECT_TRUE(SqliteStore::open(path(), kElection).has_value());
}

TEST_F(StoreFaults, StopsWhenTheDiskIsFull) {
  ASSERT_TRUE(SqliteStore::create(path(), kElection).has_value());
  constexpr std::size_t kLength = 20000;
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  Process child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const auto store = SqliteStore::open(path(), kElection);
    // The soft limit only: it can be raised again.
    const rlimit limit{.rlim_cur = 500'000, .rlim_max = RLIM_INFINITY};
    if (!store.has_value() || ::setrlimit(RLIMIT_FSIZE, &limit) != 0) {
      return 1;
    }
    std::uint64_t index = 0;
    Result<void> result;
    for (; index < 1000 && (result = commit_one(**store, index, kLength)).has_value(); ++index) {
    }
    if (result.has_value() || result.error().code != Errc::environment ||
        result.error().message.find("box.db: ") == std::string::npos ||
        result.error().message.find("SQLite error") == std::string::npos) {
      return 2;
    }
    // There is space again, but what is on the disk is not known.
    const rlimit none{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &none);
    const auto later = commit_one(**store, index, kLength);
    if (later.has_value() ||
        later.error().message.find("open the store again") == std::string::npos ||
        (*store)->set("a", "b").has_value()) {
      return 3;
    }
    // Reading goes on.
    if (!(*store)->entry("box/0", index - 1).has_value()) {
      return 4;
    }
    return ::write(pipe[1], &index, sizeof index) == sizeof index ? 0 : 5;
  });
  ::close(pipe[1]);
  std::uint64_t acknowledged = 0;
  EXPECT_EQ(::read(pipe[0], &acknowledged, sizeof acknowledged), sizeof acknowledged);
  ::close(pipe[0]);
  EXPECT_EQ(child.wait(), 0);
  EXPECT_GT(acknowledged, 5U);
  const auto store = SqliteStore::open(path(), kElection);
  ASSERT_TRUE(store.has_value()) << store.error().message;
  const std::uint64_t size = expect_sound(**store, acknowledged, kLength);
  EXPECT_TRUE(commit_one(**store, size, kLength).has_value());
}

TEST_F(StoreFaults, CannotWorkInAForbiddenDirectory) {
  const fs::path inner = root_ / "inner";
  fs::create_directory(inner);
  ASSERT_TRUE(SqliteStore::create(inner / "box.db", kElection).has_value());
  fs::permissions(root_, fs::perms::owner_all | fs::perms::others_exec | fs::perms::group_exec);
  fs::permissions(inner, fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_exec);
  Process child([&] {
    // Permissions do not bind root.
    if (::geteuid() == 0 && ::setuid(65534) != 0) {
      return 1;
    }
    const auto created = SqliteStore::create(inner / "new.db", kElection);
    if (created.has_value() || created.error().code != Errc::environment ||
        created.error().message.find("new.db") == std::string::npos) {
      return 2;
    }
    fs::path locked = inner / "box.db";
    const auto opened = SqliteStore::open(locked, kElection);
    // Its owner may open the file and lock it, and finds no place for the write-ahead log.
    return !opened.has_value() && opened.error().code == Errc::environment &&
                   opened.error().message.find("box.db") != std::string::npos
               ? 0
               : 3;
  });
  EXPECT_EQ(child.wait(), 0);
  fs::permissions(inner, fs::perms::owner_all);
}

std::string content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A store with something in every table, as a file's content.
std::string sample(const fs::path& path) {
  auto store = SqliteStore::create(path, kElection).value();
  for (std::uint64_t i = 0; i < 40; ++i) {
    EXPECT_TRUE(commit_one(*store, i, 1000 + 400 * i).has_value());
  }
  RollStore roll(*store);
  std::vector<RollRow> rows;
  for (std::uint32_t i = 0; i < 300; ++i) {
    rows.push_back({"voter " + std::to_string(i), i % 3, digest(1), i});
  }
  EXPECT_TRUE(roll.import_list(rows, digest(2), bytes("message")).has_value());
  EXPECT_TRUE(store->set("stopped", "0").has_value());
  EXPECT_TRUE(store->close().has_value());
  return content_of(path);
}

void put(const fs::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(content.data(), static_cast<std::streamsize>(content.size()));
}

TEST_F(StoreFaults, NoticesACutFile) {
  const std::string whole = sample(path());
  std::mt19937_64 random(test::test_seed());
  std::vector<std::size_t> lengths{
      0, 1, 99, 100, 512, 8191, 8192, 8193, whole.size() - 8192, whole.size() - 1};
  for (std::size_t i = 0; i < test::iterations(30); ++i) {
    lengths.push_back(random() % whole.size());
  }
  for (const std::size_t length : lengths) {
    put(path(), std::string_view(whole).substr(0, length));
    const auto opened = SqliteStore::open(path(), kElection);
    ASSERT_FALSE(opened.has_value()) << length;
    EXPECT_NE(opened.error().message.find("restore a backup"), std::string::npos)
        << opened.error().message;
  }
  put(path(), whole);
  EXPECT_TRUE(SqliteStore::open(path(), kElection).has_value());
}

// A changed bit of the structure is found when the file is opened or by the reads and checks. One
// inside an entry or a checkpoint is nothing that SQLite can see: Log::open finds it.
TEST_F(StoreFaults, SurvivesChangedBits) {
  const std::string whole = sample(path());
  std::mt19937_64 random(test::test_seed() + 1);
  std::size_t refused = 0;
  std::size_t found = 0;
  std::size_t content = 0;
  const std::size_t rounds = test::iterations(200);
  for (std::size_t i = 0; i < rounds; ++i) {
    // Half of them where pages begin.
    std::size_t at = random() % whole.size();
    if (i % 2 == 0) {
      at = at / 8192 * 8192 + random() % 64;
    }
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ (1 << (random() % 8)));
    put(path(), changed);
    SCOPED_TRACE("byte " + std::to_string(at));
    const auto store = SqliteStore::open(path(), kElection);
    if (!store.has_value()) {
      EXPECT_FALSE(store.error().message.empty());
      ++refused;
      continue;
    }
    const auto problems = (*store)->integrity();
    std::uint64_t good = 0;
    const auto read = (*store)->for_each_entry(
        "box/0", 0, test::kToTheEnd, [&](std::uint64_t index, ByteView entry) -> Result<void> {
          good += equal(entry, one_entry("box/0", index, 1000 + 400 * index).entries[0].bytes);
          return {};
        });
    const RollStore roll(**store);
    bool as_expected = read.has_value() && good == 40;
    for (std::uint64_t index = 0; index < 40; ++index) {
      as_expected &= (*store)->find("box/0", digest(static_cast<std::uint8_t>(index))) == index;
      as_expected &= (*store)->entry("box/0", index).has_value();
      as_expected &=
          (*store)->checkpoint_over("box/0", index) == "size " + std::to_string(index + 1) + "\n";
    }
    for (std::uint32_t voter = 0; voter < 300; ++voter) {
      as_expected &=
          roll.find("voter " + std::to_string(voter)) == RollVoter{voter % 3, digest(1), false};
    }
    if (!problems.has_value() || !problems->empty()) {
      ++found;
    } else if (!as_expected) {
      ++content;
    }
    // Also what is damaged can be committed to or refuses, and does not crash.
    static_cast<void>(commit_one(**store, 40));
  }
  std::cout << "of " << rounds << " changed bits: " << refused << " refused, " << found
            << " found by the integrity check, " << content << " seen in content only, "
            << rounds - refused - found - content << " in unused space\n";
  EXPECT_GT(refused, 0U);
}

// The write-ahead log has checksums: from a changed bit on, whole commits are gone as if they had
// never been made. That is not seen here, only against a checkpoint that was published.
TEST_F(StoreFaults, TakesADamagedWriteAheadLogAsItsBeginning) {
  ASSERT_TRUE(SqliteStore::create(path(), kElection).has_value());
  Process child([&]() -> int {
    const auto store = SqliteStore::open(path(), kElection);
    for (std::uint64_t index = 0; index < 20; ++index) {
      if (!store.has_value() || !commit_one(**store, index).has_value()) {
        return 1;
      }
    }
    ::_exit(0);  // without closing the store
  });
  ASSERT_EQ(child.wait(), 0);
  const std::string database = content_of(path());
  const fs::path wal = path().string() + "-wal";
  const std::string log = content_of(wal);
  ASSERT_GT(log.size(), 20U * 8192);
  std::mt19937_64 random(test::test_seed() + 2);
  for (std::size_t i = 0; i < test::iterations(20); ++i) {
    const std::size_t at = random() % log.size();
    std::string changed = log;
    changed[at] = static_cast<char>(changed[at] ^ (1 << (random() % 8)));
    put(path(), database);
    put(wal, changed);
    fs::remove(path().string() + "-shm");
    const auto store = SqliteStore::open(path(), kElection);
    ASSERT_TRUE(store.has_value()) << store.error().message;
    std::uint64_t size = 0;
    ASSERT_TRUE((*store)
                    ->for_each_entry("box/0", 0, test::kToTheEnd,
                                     [&](std::uint64_t index, ByteView) -> Result<void> {
                                       size = index + 1;
                                       return {};
                                     })
                    .has_value());
    EXPECT_LE(size, 20U);
    EXPECT_EQ((*store)->checkpoint("box/0").value(),
              size == 0 ? std::nullopt : std::optional("size " + std::to_string(size) + "\n"));
    EXPECT_EQ((*store)->integrity().value(), std::vector<std::string>{});
  }
}

}  // namespace
}  // namespace psephos::store
