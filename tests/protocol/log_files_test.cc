// LogFiles: the files of a log whose entries and checkpoints come from elsewhere. What a dying
// machine leaves of files that a LogWriter signs itself is in log_test.cc.
#include "psephos/protocol/log_files.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "psephos/crypto/hash.h"
#include "psephos/crypto/note_signer.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/log_writer.h"

#include "tests/crypto/expect.h"
#include "tests/support/memory_store.h"

namespace psephos::protocol {
namespace {

using test::fails_with;
using test::is_ok;
using test::MemoryStore;
using test::must;

constexpr std::size_t kNever = 1U << 30;
constexpr const char* kOrigin = "test.example/log/box/0";

std::shared_ptr<const crypto::NoteSigner> signer(const std::string& origin = kOrigin,
                                                 std::uint8_t seed_byte = 7) {
  SecretBytes<32> seed;
  seed.expose_secret()[0] = seed_byte;
  return std::make_shared<const crypto::NoteSigner>(
      must(crypto::NoteSigner::create(origin, crypto::Ed25519SecretKey::from_seed(seed))));
}

// What somebody else's log says: its entries, and checkpoints over as many as one likes.
struct Source {
  explicit Source(std::uint64_t size) {
    Digest32 previous = chain_start(kOrigin);
    for (std::uint64_t i = 0; i < size; ++i) {
      Bytes entry(previous.begin(), previous.end());
      entry.push_back(32);
      entry.insert(entry.end(), i % 5, static_cast<std::uint8_t>(i));
      previous = crypto::sha256({entry});
      entries.push_back(std::move(entry));
    }
  }
  [[nodiscard]] crypto::TreeHead tree(std::uint64_t size) const {
    crypto::MerkleFrontier frontier;
    for (std::uint64_t i = 0; i < size; ++i) {
      frontier.append(crypto::merkle_leaf(entries[i]));
    }
    return frontier.head();
  }
  [[nodiscard]] std::string checkpoint(std::uint64_t size) const {
    return must(signer()->sign(
        crypto::Checkpoint{.origin = kOrigin, .tree = tree(size), .extensions = {}}.print()));
  }
  std::vector<Bytes> entries;
};

// Entries up to `size`, then the checkpoint over them.
Result<void> copy_to(LogFiles& files, const Source& source, std::uint64_t size) {
  for (std::uint64_t i = files.size(); i < size; ++i) {
    PSEPHOS_CHECK_OK(files.append(source.entries[i]));
  }
  return files.publish(source.checkpoint(size));
}

LogFiles new_files(MemoryStore& store) { return must(LogFiles::create(store, "box/0", kOrigin)); }
Result<LogFiles> open(MemoryStore& store) {
  return LogFiles::open(store, "box/0", signer()->verifier());
}

// The same files as a LogWriter with this key writes at once.
MemoryStore::Files expected_files(const Source& source, std::uint64_t size) {
  MemoryStore store;
  LogWriter writer = must(LogWriter::create(store, "box/0", signer()));
  for (std::uint64_t i = 0; i < size; ++i) {
    must(writer.append(ByteView(source.entries[i]).subspan(32)));
  }
  must(writer.publish());
  return store.files();
}

TEST(LogFiles, AreThoseOfTheLogWriter) {
  const Source source(600);
  MemoryStore store;
  LogFiles files = new_files(store);
  EXPECT_TRUE(store.files().empty()) << "no log before its first checkpoint";
  EXPECT_EQ(files.origin(), kOrigin);
  EXPECT_EQ(files.previous(), chain_start(kOrigin));
  for (const std::uint64_t size : {0U, 1U, 2U, 2U, 255U, 256U, 257U, 511U, 513U, 600U}) {
    ASSERT_TRUE(is_ok(copy_to(files, source, size)));
    EXPECT_EQ(files.size(), size);
    EXPECT_EQ(files.tree(), source.tree(size));
    EXPECT_EQ(store.files(), expected_files(source, size)) << size;
    if (size % 2 == 1) {
      files = must(open(store));
      EXPECT_EQ(files.size(), size);
      EXPECT_EQ(files.tree(), source.tree(size));
      EXPECT_EQ(files.previous(), crypto::sha256({source.entries[size - 1]}));
    }
  }
}

TEST(LogFiles, CreateRefusesALogThatIsThere) {
  MemoryStore store;
  LogFiles files = new_files(store);
  must(files.publish(Source(0).checkpoint(0)));
  EXPECT_TRUE(fails_with(Errc::misuse, LogFiles::create(store, "box/0", kOrigin)));
  EXPECT_TRUE(is_ok(LogFiles::create(store, "box/1", kOrigin)));
}

TEST(LogFiles, RefuseEntriesThatDoNotContinue) {
  const Source source(4);
  MemoryStore store;
  LogFiles files = new_files(store);
  EXPECT_TRUE(fails_with(Errc::rejected, files.append(source.entries[1])));
  must(files.append(source.entries[0]));
  EXPECT_TRUE(fails_with(Errc::rejected, files.append(source.entries[0])));
  EXPECT_TRUE(fails_with(Errc::rejected, files.append(source.entries[2])));
  for (std::size_t at = 0; at < 32; ++at) {
    Bytes changed = source.entries[1];
    changed[at] ^= 0x10;
    EXPECT_TRUE(fails_with(Errc::rejected, files.append(changed))) << at;
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{31}, std::size_t{32}}) {
    Bytes cut(source.entries[1].begin(),
              source.entries[1].begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_TRUE(fails_with(Errc::misuse, files.append(cut))) << size;
  }
  Bytes longest = source.entries[1];
  longest.resize(crypto::kMaxEntryBytes + 1);
  EXPECT_TRUE(fails_with(Errc::misuse, files.append(longest)));
  // After all that, the right one is taken, and so is the longest there can be.
  EXPECT_EQ(must(files.append(source.entries[1])), 1U);
  longest.resize(crypto::kMaxEntryBytes);
  std::ranges::copy(files.previous(), longest.begin());
  EXPECT_EQ(must(files.append(longest)), 2U);
}

TEST(LogFiles, RefuseCheckpointsOfSomethingElse) {
  const Source source(300);
  MemoryStore store;
  LogFiles files = new_files(store);
  ASSERT_TRUE(is_ok(copy_to(files, source, 299)));
  must(files.append(source.entries[299]));
  const auto before = store.files();

  EXPECT_TRUE(fails_with(Errc::rejected, files.publish(source.checkpoint(299)))) << "older";
  EXPECT_TRUE(fails_with(Errc::rejected, files.publish(source.checkpoint(0))));
  const auto signed_checkpoint = [&](const crypto::Checkpoint& checkpoint) {
    return must(signer()->sign(checkpoint.print()));
  };
  crypto::Checkpoint good{.origin = kOrigin, .tree = source.tree(300), .extensions = {}};
  auto other = good;
  other.origin = "test.example/log/box/1";
  EXPECT_TRUE(fails_with(Errc::rejected, files.publish(signed_checkpoint(other))));
  other = good;
  other.tree.size = 301;
  EXPECT_TRUE(fails_with(Errc::rejected, files.publish(signed_checkpoint(other))));
  for (std::size_t at = 0; at < 32; ++at) {
    other = good;
    other.tree.root[at] ^= 1;
    EXPECT_TRUE(fails_with(Errc::rejected, files.publish(signed_checkpoint(other)))) << at;
  }
  other = good;
  other.extensions = {"an extension"};
  EXPECT_TRUE(fails_with(Errc::rejected, files.publish(signed_checkpoint(other))))
      << "a reader would refuse the whole log";
  for (const std::string& none : {std::string(), good.print(), std::string("nothing\n")}) {
    EXPECT_TRUE(fails_with(Errc::malformed, files.publish(none)));
  }
  EXPECT_EQ(store.files(), before) << "nothing was written for them";
  must(files.publish(signed_checkpoint(good)));
  EXPECT_EQ(store.files(), expected_files(source, 300));
}

TEST(LogFiles, OpenChecksTheWholeLog) {
  const Source source(300);
  MemoryStore store;
  LogFiles files = new_files(store);
  must(copy_to(files, source, 300));
  const auto good = store.files();
  EXPECT_TRUE(is_ok(open(store)));
  // Another key under the same name, the same key under another name.
  EXPECT_FALSE(LogFiles::open(store, "box/0", signer(kOrigin, 8)->verifier()).has_value());
  EXPECT_FALSE(
      LogFiles::open(store, "box/0", signer("test.example/log/box/1")->verifier()).has_value());
  for (const auto& [path, content] : good) {
    for (const std::size_t at : {std::size_t{0}, content.size() / 2, content.size() - 1}) {
      auto changed = good;
      changed[path][at] ^= 1;
      MemoryStore damaged(changed);
      EXPECT_FALSE(open(damaged).has_value()) << path << " " << at;
    }
    auto missing = good;
    missing.erase(path);
    MemoryStore damaged(missing);
    EXPECT_FALSE(open(damaged).has_value()) << path;
  }
}

// A copy or an export dies before its first checkpoint, at every change of the store, and its
// second try is of a longer log: nothing of the first may stay behind.
TEST(LogFiles, FirstCheckpointAfterAFailure) {
  const Source source(600);
  for (const auto failure : {MemoryStore::Failure::lost, MemoryStore::Failure::persisted}) {
    for (const std::uint64_t first : {3U, 256U, 300U}) {
      for (const std::uint64_t second : {300U, 301U, 512U, 600U}) {
        bool failed = true;
        for (std::size_t at = 0; failed; ++at) {
          MemoryStore store;
          must(store.write("box/1/tile/0/000.p/3", Bytes(96)));  // another log's
          {
            LogFiles files = new_files(store);
            store.fail_at(at, failure);
            const auto copied = copy_to(files, source, first);
            failed = !copied.has_value();
            store.fail_at(kNever, failure);
            if (failed) {
              EXPECT_TRUE(fails_with(Errc::environment, copied));
            }
          }
          const bool is_there = store.exists("box/0/checkpoint");
          LogFiles files = is_there ? must(open(store)) : new_files(store);
          ASSERT_TRUE(is_ok(copy_to(files, source, second)));
          auto expected = expected_files(source, second);
          expected["box/1/tile/0/000.p/3"] = Bytes(96);
          ASSERT_EQ(store.files(), expected) << first << ", then " << second << ", at " << at;
        }
      }
    }
  }
}

// Goes on from the checkpoint that is there after a failure anywhere.
TEST(LogFiles, LaterCheckpointAfterAFailure) {
  const Source source(600);
  for (const auto failure : {MemoryStore::Failure::lost, MemoryStore::Failure::persisted}) {
    for (const std::uint64_t size : {256U, 258U, 513U}) {
      bool failed = true;
      for (std::size_t at = 0; failed; ++at) {
        MemoryStore store;
        LogFiles files = new_files(store);
        must(copy_to(files, source, 255));
        store.fail_at(at, failure);
        failed = !copy_to(files, source, size).has_value();
        store.fail_at(kNever, failure);
        LogFiles again = must(open(store));
        ASSERT_TRUE(again.size() == 255 || again.size() == size);
        ASSERT_EQ(store.files(), expected_files(source, again.size())) << size << " at " << at;
        ASSERT_TRUE(is_ok(copy_to(again, source, 600)));
        ASSERT_EQ(store.files(), expected_files(source, 600));
      }
    }
  }
}

}  // namespace
}  // namespace psephos::protocol
