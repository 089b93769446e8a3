// Log over a LogStore: appending, sealing, proofs, and that it opens over nothing but what was
// signed. The stores: one in memory, one that hands out whatever a test likes, and RecordLogStore.
#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "psephos/crypto/hash.h"
#include "psephos/protocol/log.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/log_writer.h"
#include "psephos/protocol/record_log_store.h"

#include "tests/crypto/expect.h"
#include "tests/protocol/election_fixture.h"
#include "tests/support/memory_log_store.h"
#include "tests/support/memory_store.h"

namespace psephos::protocol {
namespace {

using test::fails_with;
using test::is_ok;
using test::MemoryLogStore;
using test::MemoryStore;
using test::must;
using test::TestElection;

using SignerPtr = std::shared_ptr<const crypto::NoteSigner>;

const TestElection& election() {
  static const TestElection election = test::make_election({.shards = 2});
  return election;
}
SignerPtr signer_of(std::uint32_t shard) {
  return must(election().box_keys.log_signer(election().manifest(), shard));
}
// box/0's key, made anew from its seed, under another name; and another key under box/0's name.
SignerPtr stranger(const std::string& origin) {
  SecretBytes<32> seed;
  return std::make_shared<const crypto::NoteSigner>(
      must(crypto::NoteSigner::create(origin, crypto::Ed25519SecretKey::from_seed(seed))));
}
std::string origin() { return election().manifest().log_origin("box/0"); }

Bytes payload(std::uint64_t i) {
  Writer out;
  out.u8(32).u64(i);
  return out.bytes();
}

constexpr std::size_t kNever = 1U << 30;
constexpr auto kIgnore = [](std::uint64_t, ByteView) -> Result<void> { return {}; };

Result<Log> open(const LogStore& store, const Log::Visit& visit = kIgnore) {
  return Log::open(store, "box/0", signer_of(0), visit);
}

Result<void> commit(LogStore& store, LogBatch batch) {
  const std::vector<LogBatch> batches = {std::move(batch)};
  return store.commit(batches);
}

// Appends and commits `count` payloads.
Result<void> append_some(Log& log, LogStore& store, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    PSEPHOS_CHECK_OK(log.append(payload(log.size())));
  }
  PSEPHOS_TRY(LogBatch batch, log.seal());
  return commit(store, std::move(batch));
}

void create(LogStore& store) { must(commit(store, must(Log::create("box/0", *signer_of(0))))); }

// What a store that trusts nobody and is trusted by nobody might hold.
struct Held final : LogStore {
  Result<void> commit(std::span<const LogBatch> /*batches*/) override {
    return fail(Errc::environment, "read only");
  }
  [[nodiscard]] Result<std::optional<std::string>> checkpoint(
      const std::string& /*log*/) const override {
    return newest;
  }
  [[nodiscard]] Result<std::string> checkpoint_over(const std::string& /*log*/,
                                                    std::uint64_t index) const override {
    return index < over.size() ? over[index] : *newest;
  }
  [[nodiscard]] Result<Bytes> entry(const std::string& /*log*/,
                                    std::uint64_t index) const override {
    return entries.at(index);
  }
  [[nodiscard]] Result<void> for_each_entry(const std::string& /*log*/, std::uint64_t first,
                                            std::uint64_t end, const Visit& visit) const override {
    for (std::uint64_t i = first; i < std::min<std::uint64_t>(end, entries.size()); ++i) {
      PSEPHOS_CHECK_OK(visit(i + shift, entries[i]));
    }
    return {};
  }
  [[nodiscard]] Result<std::optional<std::uint64_t>> find(const std::string& /*log*/,
                                                          const Digest32& /*code*/) const override {
    return std::nullopt;
  }

  std::optional<std::string> newest;
  std::vector<std::string> over;  // by index; where it ends, the newest
  std::vector<Bytes> entries;
  std::uint64_t shift = 0;  // of the indices it tells
};

// A log of five entries, with the checkpoints over all its sizes.
struct Five {
  Five() {
    Log log = must(open_empty());
    checkpoints.push_back(must(log.seal()).checkpoint);
    for (std::uint64_t i = 0; i < 5; ++i) {
      must(log.append(payload(i)));
      LogBatch batch = must(log.seal());
      held.entries.push_back(batch.entries[0].bytes);
      checkpoints.push_back(batch.checkpoint);
    }
    held.newest = checkpoints[5];
    tree = log.tree();
  }
  static Result<Log> open_empty() {
    Held empty;
    empty.newest = must(Log::create("box/0", *signer_of(0))).checkpoint;
    return open(empty);
  }
  Held held;
  std::vector<std::string> checkpoints;  // by size
  crypto::TreeHead tree;
};

TEST(LogOverStore, GrowsAndReopens) {
  MemoryLogStore store;
  EXPECT_TRUE(fails_with(Errc::misuse, open(store))) << "no such log";
  create(store);
  Log log = must(open(store));
  EXPECT_EQ(log.name(), "box/0");
  EXPECT_EQ(log.size(), 0U);
  EXPECT_EQ(log.tree(), crypto::MerkleTree().head());
  EXPECT_EQ(log.signer().verifier(), signer_of(0)->verifier());
  std::uint64_t size = 0;
  for (const std::uint64_t step : {1U, 3U, 0U, 252U, 1U, 50U}) {
    ASSERT_TRUE(is_ok(append_some(log, store, step)));
    size += step;
    ASSERT_EQ(log.size(), size);
    std::vector<std::uint64_t> shown;
    Log again = must(open(store, [&](std::uint64_t index, ByteView entry) -> Result<void> {
      shown.push_back(index);
      EXPECT_TRUE(equal(entry, payload(index)));
      return {};
    }));
    EXPECT_EQ(shown.size(), size);
    EXPECT_EQ(again.size(), size);
    EXPECT_EQ(again.tree(), log.tree());
    log = std::move(again);
  }
}

TEST(LogOverStore, SealReturnsWhatCameSince) {
  MemoryLogStore store;
  create(store);
  Log log = must(open(store));
  EXPECT_EQ(must(log.append(payload(0), Bytes{1}, Digest32{2})), 0U);
  EXPECT_EQ(must(log.append(payload(1))), 1U);
  const LogBatch batch = must(log.seal());
  EXPECT_EQ(batch.log, "box/0");
  EXPECT_EQ(batch.first, 0U);
  ASSERT_EQ(batch.entries.size(), 2U);
  EXPECT_EQ(batch.entries[0].key, Bytes{1});
  EXPECT_EQ(batch.entries[0].code, Digest32{2});
  EXPECT_TRUE(batch.entries[1].key.empty());
  EXPECT_FALSE(batch.entries[1].code.has_value());
  // The entries' bytes are the chain of §7.1, the checkpoint a note of the log's key over them.
  Digest32 previous = chain_start(origin());
  crypto::MerkleFrontier frontier;
  for (std::uint64_t i = 0; i < 2; ++i) {
    Bytes entry(previous.begin(), previous.end());
    const Bytes said = payload(i);
    entry.insert(entry.end(), said.begin(), said.end());
    EXPECT_EQ(batch.entries[i].bytes, entry);
    previous = crypto::sha256({entry});
    frontier.append(crypto::merkle_leaf(entry));
  }
  EXPECT_EQ(log.tree(), frontier.head());
  const auto note = must(crypto::Note::parse(batch.checkpoint));
  EXPECT_EQ(note.signatures.size(), 1U);
  EXPECT_TRUE(is_ok(note.verified_by(std::vector{signer_of(0)->verifier()})));
  const auto checkpoint = must(crypto::Checkpoint::parse(note.text));
  EXPECT_EQ(checkpoint.origin, origin());
  EXPECT_EQ(checkpoint.tree, frontier.head());
  EXPECT_TRUE(checkpoint.extensions.empty());

  const LogBatch nothing = must(log.seal());
  EXPECT_EQ(nothing.first, 2U);
  EXPECT_TRUE(nothing.entries.empty());
  EXPECT_EQ(nothing.checkpoint, batch.checkpoint);
  must(log.append(payload(2)));
  const LogBatch next = must(log.seal());
  EXPECT_EQ(next.first, 2U);
  EXPECT_EQ(next.entries.size(), 1U);
}

TEST(LogOverStore, EntriesHaveTheirLength) {
  Log log = must(Five::open_empty());
  EXPECT_TRUE(fails_with(Errc::misuse, log.append({})));
  EXPECT_TRUE(fails_with(Errc::misuse, log.append(Bytes(65535 - 31))));
  EXPECT_EQ(log.size(), 0U);
  EXPECT_TRUE(is_ok(log.append(Bytes(65535 - 32))));
  EXPECT_TRUE(is_ok(log.append(Bytes(1))));
}

// The store is the net below the folds: no key twice, no batch that does not continue.
TEST(LogOverStore, StoreRefusesTwoBeginningsOrOneKeyTwice) {
  MemoryLogStore store;
  create(store);
  Log one = must(open(store));
  Log two = must(open(store));
  must(one.append(payload(0), Bytes{7}));
  must(two.append(payload(1)));
  ASSERT_TRUE(is_ok(commit(store, must(one.seal()))));
  EXPECT_TRUE(fails_with(Errc::misuse, commit(store, must(two.seal()))));
  must(one.append(payload(2), Bytes{7}));
  EXPECT_TRUE(fails_with(Errc::misuse, commit(store, must(one.seal()))));
  EXPECT_EQ(must(open(store)).size(), 1U);
  // A log that is there is not begun again.
  EXPECT_TRUE(fails_with(Errc::misuse, commit(store, must(Log::create("box/0", *signer_of(0))))));
}

TEST(LogOverStore, VisitCanRefuse) {
  const Five five;
  const auto refused = open(five.held, [](std::uint64_t index, ByteView) -> Result<void> {
    if (index == 3) {
      return fail(Errc::environment, "enough");
    }
    return {};
  });
  EXPECT_TRUE(fails_with(Errc::environment, refused));
}

// --- what open refuses ------------------------------------------------------------------------

TEST(LogOpen, TakesWhatWasSigned) {
  const Five five;
  const Log log = must(open(five.held));
  EXPECT_EQ(log.tree(), five.tree);
}

TEST(LogOpen, RefusesMissingExtraAndMovedEntries) {
  const Five five;
  for (std::size_t i = 0; i < 5; ++i) {
    Held missing;
    missing.newest = five.held.newest;
    missing.entries = five.held.entries;
    missing.entries.erase(missing.entries.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_TRUE(fails_with(Errc::rejected, open(missing))) << i;
    Held twice;
    twice.newest = five.held.newest;
    twice.entries = five.held.entries;
    twice.entries.insert(twice.entries.begin() + static_cast<std::ptrdiff_t>(i),
                         five.held.entries[i]);
    EXPECT_TRUE(fails_with(Errc::rejected, open(twice))) << i;
    for (std::size_t j = 0; j < i; ++j) {
      Held swapped;
      swapped.newest = five.held.newest;
      swapped.entries = five.held.entries;
      std::swap(swapped.entries[i], swapped.entries[j]);
      EXPECT_TRUE(fails_with(Errc::rejected, open(swapped))) << i << " " << j;
    }
  }
  Held none;
  none.newest = five.held.newest;
  EXPECT_TRUE(fails_with(Errc::rejected, open(none)));
  // One that continues the chain as it should, but was never signed.
  Held longer;
  longer.newest = five.held.newest;
  longer.entries = five.held.entries;
  const Digest32 previous = crypto::sha256({longer.entries.back()});
  longer.entries.emplace_back(previous.begin(), previous.end()).push_back(32);
  const auto refused = open(longer);
  EXPECT_TRUE(fails_with(Errc::rejected, refused));
  EXPECT_TRUE(refused.error().message.contains("6 entries")) << refused.error().message;
  // Indices that do not count from 0.
  Held shifted;
  shifted.newest = five.held.newest;
  shifted.entries = five.held.entries;
  shifted.shift = 1;
  EXPECT_TRUE(fails_with(Errc::rejected, open(shifted)));
}

TEST(LogOpen, RefusesEveryChangedByte) {
  const Five five;
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::size_t at = 0; at < five.held.entries[i].size(); ++at) {
      Held changed;
      changed.newest = five.held.newest;
      changed.entries = five.held.entries;
      changed.entries[i][at] ^= static_cast<std::uint8_t>(1U << (at % 8));
      EXPECT_TRUE(fails_with(Errc::rejected, open(changed))) << i << " " << at;
    }
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{31}, std::size_t{32}, five.held.entries[i].size() - 1}) {
      Held cut;
      cut.newest = five.held.newest;
      cut.entries = five.held.entries;
      cut.entries[i].resize(size);
      EXPECT_TRUE(fails_with(Errc::rejected, open(cut))) << i << " " << size;
    }
  }
}

TEST(LogOpen, RefusesOtherCheckpoints) {
  const Five five;
  Held held;
  held.entries = five.held.entries;
  EXPECT_TRUE(fails_with(Errc::misuse, open(held))) << "none";
  const auto with = [&](const std::string& checkpoint) {
    held.newest = checkpoint;
    return open(held);
  };
  EXPECT_TRUE(is_ok(with(five.checkpoints[5])));
  for (std::size_t size = 0; size < 5; ++size) {
    EXPECT_TRUE(fails_with(Errc::rejected, with(five.checkpoints[size]))) << "older: " << size;
  }
  const crypto::Checkpoint good{.origin = origin(), .tree = five.tree, .extensions = {}};
  // Another key under this name; this key's log under another name.
  EXPECT_TRUE(fails_with(Errc::rejected, with(must(stranger(origin())->sign(good.print())))));
  auto other = good;
  other.origin = signer_of(1)->verifier().name();
  EXPECT_TRUE(fails_with(Errc::rejected, with(must(signer_of(1)->sign(other.print())))));
  EXPECT_TRUE(fails_with(Errc::rejected, with(must(signer_of(0)->sign(other.print())))));
  other = good;
  other.tree.size = 6;
  EXPECT_TRUE(fails_with(Errc::rejected, with(must(signer_of(0)->sign(other.print())))));
  other = good;
  other.tree.root[31] ^= 1;
  EXPECT_TRUE(fails_with(Errc::rejected, with(must(signer_of(0)->sign(other.print())))));
  EXPECT_TRUE(is_ok(with(must(signer_of(0)->sign(good.print())))));
  // Whatever byte is changed.
  for (std::size_t at = 0; at < five.checkpoints[5].size(); ++at) {
    for (const unsigned bit : {0U, 3U, 7U}) {
      std::string changed = five.checkpoints[5];
      changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ (1U << bit));
      EXPECT_FALSE(with(changed).has_value()) << at;
    }
  }
  for (std::size_t size = 0; size < five.checkpoints[5].size(); ++size) {
    EXPECT_FALSE(with(five.checkpoints[5].substr(0, size)).has_value()) << size;
  }
}

TEST(LogCheck, LooksAtOlderCheckpointsToo) {
  const Five five;
  const crypto::NoteVerifier key = signer_of(0)->verifier();
  const auto with = [&](std::size_t index, const std::string& checkpoint) {
    Held held;
    held.newest = five.checkpoints[5];
    held.entries = five.held.entries;
    held.over.assign(five.checkpoints.begin() + 1, five.checkpoints.end());
    held.over[index] = checkpoint;
    return Log::check(held, "box/0", key);
  };
  EXPECT_EQ(must(with(0, five.checkpoints[1])), five.tree);
  EXPECT_EQ(must(with(1, five.checkpoints[4])), five.tree) << "one checkpoint over three entries";
  EXPECT_TRUE(fails_with(Errc::rejected, with(2, five.checkpoints[2]))) << "not over entry 2";
  EXPECT_TRUE(fails_with(Errc::malformed, with(2, "nothing")));
  crypto::Checkpoint third =
      must(crypto::Checkpoint::parse(must(crypto::Note::parse(five.checkpoints[3])).text));
  EXPECT_TRUE(is_ok(with(2, must(signer_of(0)->sign(third.print())))));
  EXPECT_TRUE(fails_with(Errc::rejected, with(2, must(stranger(origin())->sign(third.print())))));
  third.tree.root[5] ^= 1;
  EXPECT_TRUE(fails_with(Errc::rejected, with(2, must(signer_of(0)->sign(third.print())))));
  third.tree.size = 9;
  EXPECT_TRUE(fails_with(Errc::rejected, with(2, must(signer_of(0)->sign(third.print())))));
  for (std::size_t at = 0; at < five.checkpoints[3].size(); ++at) {
    std::string changed = five.checkpoints[3];
    changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ (1U << (at % 8)));
    EXPECT_FALSE(with(2, changed).has_value()) << at;
  }
}

// --- proofs -----------------------------------------------------------------------------------

TEST(LogProofs, OfEveryEntryUnderEveryCheckpoint) {
  const Five five;
  const Log log = must(open(five.held));
  for (std::uint64_t size = 0; size <= 5; ++size) {
    const auto tree =
        must(crypto::Checkpoint::parse(must(crypto::Note::parse(five.checkpoints[size])).text))
            .tree;
    for (std::uint64_t index = 0; index < 7; ++index) {
      const Bytes& entry = five.held.entries[std::min<std::uint64_t>(index, 4)];
      const auto proof = log.proof(index, entry, five.checkpoints[size]);
      if (index >= size) {
        EXPECT_TRUE(fails_with(Errc::misuse, proof)) << index << " of " << size;
        continue;
      }
      ASSERT_TRUE(is_ok(proof));
      EXPECT_EQ(proof->index, index);
      EXPECT_EQ(proof->checkpoint, five.checkpoints[size]);
      EXPECT_TRUE(equal(*proof->extra, entry));
      EXPECT_TRUE(
          is_ok(crypto::verify_inclusion(index, crypto::merkle_leaf(entry), tree, proof->hashes)));
      EXPECT_EQ(must(crypto::LogProof::parse(proof->print())).print(), proof->print());
    }
  }
}

TEST(LogProofs, NotOfAnotherEntryOrTree) {
  const Five five;
  const Log log = must(open(five.held));
  EXPECT_TRUE(fails_with(Errc::rejected, log.proof(0, five.held.entries[1], five.checkpoints[5])));
  Bytes changed = five.held.entries[0];
  changed.back() ^= 1;
  EXPECT_TRUE(fails_with(Errc::rejected, log.proof(0, changed, five.checkpoints[5])));
  EXPECT_TRUE(fails_with(Errc::rejected, log.proof(0, {}, five.checkpoints[5])));
  const auto with = [&](const crypto::Checkpoint& checkpoint) {
    return log.proof(0, five.held.entries[0], must(signer_of(0)->sign(checkpoint.print())));
  };
  const crypto::Checkpoint good{.origin = origin(), .tree = five.tree, .extensions = {}};
  EXPECT_TRUE(is_ok(with(good)));
  auto other = good;
  other.tree.size = 6;
  EXPECT_TRUE(fails_with(Errc::misuse, with(other)));
  other = good;
  other.tree.size = 4;
  EXPECT_TRUE(fails_with(Errc::rejected, with(other)));
  other = good;
  other.tree.root[0] ^= 1;
  EXPECT_TRUE(fails_with(Errc::rejected, with(other)));
  other = good;
  other.origin = signer_of(1)->verifier().name();
  EXPECT_TRUE(fails_with(Errc::rejected, with(other)));
  EXPECT_TRUE(fails_with(Errc::malformed, log.proof(0, five.held.entries[0], "nothing")));
  EXPECT_TRUE(fails_with(Errc::rejected, log.proof(0, five.held.entries[0],
                                                   must(stranger(origin())->sign(good.print())))));
}

// --- RecordLogStore ---------------------------------------------------------------------------

TEST(RecordLogStore, KeepsALogInARecordsFiles) {
  MemoryStore files;
  RecordLogStore store(files, *election().election);
  EXPECT_EQ(must(store.checkpoint("box/0")), std::nullopt);
  EXPECT_TRUE(fails_with(Errc::misuse, open(store)));
  EXPECT_TRUE(fails_with(Errc::misuse, store.checkpoint_over("box/0", 0)));
  create(store);
  Log log = must(open(store));
  MemoryStore written;
  LogWriter writer = must(LogWriter::create(written, "box/0", signer_of(0)));
  EXPECT_EQ(files.files(), written.files());
  for (const std::uint64_t step : {1U, 254U, 1U, 1U, 300U}) {
    for (std::uint64_t i = 0; i < step; ++i) {
      must(writer.append(payload(writer.size())));
    }
    must(writer.publish());
    ASSERT_TRUE(is_ok(append_some(log, store, step)));
    ASSERT_EQ(files.files(), written.files()) << "what a LogWriter writes";
  }
  const std::uint64_t size = log.size();
  EXPECT_EQ(size, 557U);
  // Through another store over the same files, as after a restart.
  RecordLogStore again(files, *election().election);
  Log reopened = must(open(again));
  EXPECT_EQ(reopened.tree(), log.tree());
  const std::string newest = must(again.checkpoint("box/0")).value();
  for (const std::uint64_t index : {std::uint64_t{0}, std::uint64_t{256}, size - 1}) {
    const Bytes entry = must(again.entry("box/0", index));
    EXPECT_TRUE(equal(must(payload_of(entry)), payload(index)));
    EXPECT_EQ(must(again.checkpoint_over("box/0", index)), newest);
    EXPECT_TRUE(is_ok(reopened.proof(index, entry, newest)));
  }
  EXPECT_TRUE(fails_with(Errc::misuse, again.entry("box/0", size)));
  EXPECT_TRUE(fails_with(Errc::misuse, again.checkpoint_over("box/0", size)));
  EXPECT_TRUE(fails_with(Errc::misuse, again.find("box/0", Digest32{})));
  for (const std::uint64_t first :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{255}, std::uint64_t{256}, size - 1, size,
        size + 1, std::uint64_t{5000}}) {
    std::uint64_t next = first;
    const auto look = [&](std::uint64_t index, ByteView entry) {
      EXPECT_EQ(index, next++);
      EXPECT_TRUE(equal(entry.subspan(32), payload(index)));
      return Result<void>();
    };
    must(again.for_each_entry("box/0", first, test::kToTheEnd, look));
    EXPECT_EQ(next, std::max(first, size));
    for (const std::uint64_t end : {first, first + 1, first + 300}) {
      next = first;
      must(again.for_each_entry("box/0", first, end, look));
      EXPECT_EQ(next, std::max(first, std::min(end, size)));
    }
  }
  ASSERT_TRUE(is_ok(append_some(reopened, again, 3)));
  EXPECT_EQ(must(open(again)).size(), size + 3);
}

TEST(RecordLogStore, RefusesWhatDoesNotContinue) {
  MemoryStore files;
  RecordLogStore store(files, *election().election);
  create(store);
  Log log = must(open(store));
  ASSERT_TRUE(is_ok(append_some(log, store, 3)));
  const auto before = files.files();
  EXPECT_TRUE(fails_with(Errc::misuse, commit(store, must(Log::create("box/0", *signer_of(0))))));
  must(log.append(payload(3)));
  LogBatch batch = must(log.seal());
  for (const std::uint64_t first : {0U, 2U, 4U}) {
    LogBatch other = batch;
    other.first = first;
    EXPECT_TRUE(fails_with(Errc::misuse, commit(store, other))) << first;
  }
  LogBatch other = batch;
  other.entries[0].bytes[0] ^= 1;
  EXPECT_TRUE(fails_with(Errc::rejected, commit(store, other)));
  other = batch;
  other.entries.clear();
  EXPECT_TRUE(fails_with(Errc::rejected, commit(store, other))) << "checkpoint of another tree";
  other = batch;
  other.log = "box/1";
  EXPECT_FALSE(commit(store, other).has_value());
  other.log = "box/2";
  EXPECT_FALSE(commit(store, other).has_value()) << "no log of this election";
  other.log = "../box/0";
  EXPECT_FALSE(commit(store, other).has_value());
  EXPECT_EQ(files.files(), before);
  EXPECT_TRUE(is_ok(commit(store, batch)));
  EXPECT_TRUE(fails_with(Errc::misuse, commit(store, batch))) << "once more";
  EXPECT_EQ(must(open(store)).size(), 4U);
}

TEST(RecordLogStore, LogOpenRefusesDamagedFiles) {
  MemoryStore files;
  RecordLogStore store(files, *election().election);
  create(store);
  Log log = must(open(store));
  ASSERT_TRUE(is_ok(append_some(log, store, 300)));
  const auto good = files.files();
  for (const auto& [path, content] : good) {
    const bool is_tile = path.starts_with("box/0/tile/") && !path.contains("/entries/");
    for (const std::size_t at : {std::size_t{0}, content.size() / 2, content.size() - 1}) {
      auto changed = good;
      changed[path][at] ^= 1;
      MemoryStore damaged(changed);
      RecordLogStore over(damaged, *election().election);
      // A log is rebuilt from its entries; the tiles are looked at when it is written.
      EXPECT_EQ(open(over).has_value(), is_tile) << path << " " << at;
      if (is_tile) {
        Log rebuilt = must(open(over));
        EXPECT_FALSE(append_some(rebuilt, over, 1).has_value()) << path << " " << at;
      }
    }
  }
}

// Whatever change of the files fails: the log opens as it was or as it should be, and goes on.
TEST(RecordLogStore, FailuresOfTheDisk) {
  for (const auto failure : {MemoryStore::Failure::lost, MemoryStore::Failure::persisted}) {
    bool failed = true;
    for (std::size_t at = 0; failed; ++at) {
      MemoryStore files;
      RecordLogStore store(files, *election().election);
      create(store);
      Log log = must(open(store));
      must(append_some(log, store, 255));
      files.fail_at(at, failure);
      const auto appended = append_some(log, store, 2);
      failed = !appended.has_value();
      files.fail_at(kNever, failure);
      if (failed) {
        EXPECT_TRUE(fails_with(Errc::environment, appended));
      }
      Log again = must(open(store));  // the same store object: it must have forgotten what failed
      ASSERT_TRUE(again.size() == 255 || again.size() == 257) << at;
      ASSERT_TRUE(is_ok(append_some(again, store, 258 - again.size())));
      MemoryStore written;
      LogWriter writer = must(LogWriter::create(written, "box/0", signer_of(0)));
      for (std::uint64_t i = 0; i < 258; ++i) {
        must(writer.append(payload(i)));
      }
      must(writer.publish());
      ASSERT_EQ(files.files(), written.files()) << at;
    }
  }
}

}  // namespace
}  // namespace psephos::protocol
