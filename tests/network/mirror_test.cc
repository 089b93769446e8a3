#include "psephos/network/mirror.h"

#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "psephos/crypto/note_signer.h"
#include "psephos/protocol/log_writer.h"
#include "psephos/runtime/directory.h"
#include "psephos/runtime/thread_executor.h"

#include "tests/network/fake_server.h"
#include "tests/record/forge.h"

namespace psephos::test {
namespace {

using network::Conflict;
using network::HttpRecord;
using network::Mirror;
using network::MirrorOptions;
using network::MirrorReport;
using protocol::MainLog;
using protocol::Manifest;
using Files = MemoryStore::Files;

const std::filesystem::path kGolden = PSEPHOS_GOLDEN;

Files golden() {
  const runtime::DirectoryRecord record(kGolden);
  Files files;
  for (const std::string& path : value(record.list())) {
    files[path] = value(record.read(path, protocol::kMaxRecordFileBytes));
  }
  return files;
}

// An election in which all of this file's elections but golden() are: the polls are open, and what
// stands in box and roll need not be ballots, for a mirror does not look.
Forge& election() {
  static Forge forge{tiny_manifest()};
  return forge;
}

Bytes payload(std::size_t i, std::uint8_t variant) {
  Bytes bytes(20 + i % 7, variant);
  bytes[0] = static_cast<std::uint8_t>(i);
  bytes[1] = static_cast<std::uint8_t>(i >> 8U);
  return bytes;
}

std::vector<Bytes> payloads(std::size_t size, std::uint8_t variant = 1) {
  std::vector<Bytes> all;
  for (std::size_t i = 0; i < size; ++i) {
    all.push_back(payload(i, variant));
  }
  return all;
}

Files published(Forge& forge, std::vector<Bytes> box, std::size_t roll) {
  forge.boxes[0] = std::move(box);
  forge.rolls[0] = payloads(roll);
  return forge.publish();
}

// The election with logs of these sizes.
Files record_of(std::size_t box, std::size_t roll = 3) {
  return published(election(), payloads(box), roll);
}

// Another history of the box log: the same up to `same`, then other entries up to `size`.
Files forked(std::size_t same, std::size_t size) {
  auto box = payloads(same);
  for (std::size_t i = same; i < size; ++i) {
    box.push_back(payload(i, 2));
  }
  return published(election(), std::move(box), 3);
}

struct World {
  explicit World(Files files) : server(std::move(files)) {
    record = value(HttpRecord::create(server, kBase, {.sleep = [](auto) {}}));
  }
  // A mirror that starts anew over what is in the store, as after a restart.
  Result<MirrorReport> update(MirrorOptions options = {}) {
    mirror = std::make_unique<Mirror>(*record, store, evaluator, *executor, std::move(options));
    return mirror->update();
  }
  void expect_equal() const { EXPECT_EQ(store.files(), server.files); }
  // The update fails so, without evidence, unless a kind of conflict is named.
  void expect_failure(Errc code, const std::string& words,
                      std::optional<Conflict::Kind> kind = std::nullopt,
                      MirrorOptions options = {}) {
    const auto report = update(std::move(options));
    ASSERT_FALSE(report.has_value()) << words;
    EXPECT_EQ(report.error().code, code) << report.error().message;
    EXPECT_NE(report.error().message.find(words), std::string::npos) << report.error().message;
    ASSERT_EQ(!mirror->conflicts().empty(), kind.has_value()) << report.error().message;
    if (kind.has_value()) {
      EXPECT_EQ(mirror->conflicts().front().kind, *kind) << report.error().message;
    }
  }

  FakeServer server;
  std::unique_ptr<HttpRecord> record;
  MemoryStore store;
  crypto::IndividualEvaluator evaluator;
  protocol::SerialExecutor serial;
  protocol::Executor* executor = &serial;
  std::unique_ptr<Mirror> mirror;
};

std::string text(const Files& files, const std::string& path) {
  return std::string(as_text(files.at(path)));
}

bool is_fetched(const std::string& path) {
  return path.find("/tile/") == std::string::npos || path.find("/entries/") != std::string::npos;
}

// --- copies --------------------------------------------------------------------------------------

TEST(Mirror, CopiesARecordByteForByte) {
  World world(golden());
  const auto report = value(world.update());
  world.expect_equal();
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.phase, MainLog::Phase::complete);
  EXPECT_EQ(report.fault, "");
  ASSERT_EQ(report.logs.size(), 3U);
  EXPECT_EQ(report.logs[0].log, "main");
  EXPECT_EQ(report.logs[0].size, 22U);
  EXPECT_EQ(report.logs[0].added, 22U);
  EXPECT_EQ(report.logs[1].log, "box/0");
  EXPECT_EQ(report.logs[2].log, "roll/0");
  EXPECT_TRUE(report.election_id.has_value());
}

TEST(Mirror, CopiesWithSeveralThreadsIntoADirectory) {
  const auto directory =
      std::filesystem::path(::testing::TempDir()) /
      ("mirror_test." + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) + "." +
       std::to_string(test_seed()));
  std::filesystem::remove_all(directory);
  World world(record_of(3000, 300));
  runtime::ThreadExecutor threads(4);
  runtime::DirectoryRecord copy(directory);
  std::filesystem::create_directories(directory);
  Mirror mirror(*world.record, copy, world.evaluator, threads, {});
  value(mirror.update());
  Files copied;
  for (const std::string& path : value(copy.list())) {
    copied[path] = value(copy.read(path, protocol::kMaxRecordFileBytes));
  }
  EXPECT_EQ(copied, world.server.files);
  std::filesystem::remove_all(directory);
}

TEST(Mirror, SecondUpdateFetchesNoEntries) {
  World world(record_of(700, 256));
  value(world.update());
  for (const bool restarted : {false, true}) {
    world.server.requests.clear();
    const auto report = restarted ? value(world.update()) : value(world.mirror->update());
    world.expect_equal();
    EXPECT_EQ(report.logs[1].added, 0U);
    for (const std::string& path : world.server.requests) {
      EXPECT_EQ(path.find("/tile/"), std::string::npos) << path;
    }
  }
}

TEST(Mirror, FollowsAGrowingLog) {
  for (const bool restarted : {false, true}) {
    World world(record_of(0));
    value(world.update());
    for (const std::size_t size : {1U, 2U, 255U, 256U, 257U, 300U, 512U, 1030U}) {
      world.server.files = record_of(size, size / 2 + 3);
      world.server.requests.clear();
      const auto report = restarted ? value(world.update()) : value(world.mirror->update());
      world.expect_equal();
      EXPECT_EQ(report.logs[1].size, size);
      EXPECT_LE(world.server.requests.size(), 14U);
    }
  }
}

TEST(Mirror, FollowsAnElectionFromItsFirstEntryToItsEnd) {
  auto forge = tiny_election();
  const Files complete = forge->publish();
  const auto main = forge->main;
  World world({});
  for (std::size_t size = 1; size <= main.size(); ++size) {
    forge->main.assign(main.begin(), main.begin() + static_cast<std::ptrdiff_t>(size));
    Files files = forge->publish();
    // The result files come after the last message.
    files.erase("result.json");
    files.erase("result.csv");
    world.server.files = files;
    const auto report = value(world.update());
    EXPECT_FALSE(report.complete);
    EXPECT_EQ(report.fault, "");
    if (report.election_id.has_value()) {
      world.expect_equal();
      EXPECT_EQ(report.logs.size(), 3U);
    } else {
      EXPECT_EQ(report.logs.size(), 1U);
    }
  }
  world.server.files = complete;
  EXPECT_TRUE(value(world.update()).complete);
  world.expect_equal();
  EXPECT_TRUE(verify_files(world.store.files()).accepted());
}

TEST(Mirror, TellsItsProgress) {
  World world(record_of(700, 300));
  std::vector<std::pair<std::uint64_t, std::uint64_t>> told;
  const auto report =
      value(world.update({.election = std::nullopt,
                          .logs = {},
                          .progress = [&](auto done, auto all) { told.emplace_back(done, all); },
                          .max_refetches = 1}));
  std::uint64_t all = 0;
  for (const auto& log : report.logs) {
    all += log.added;
  }
  ASSERT_FALSE(told.empty());
  EXPECT_TRUE(std::ranges::is_sorted(told, {}, [](const auto& step) { return step.first; }));
  EXPECT_EQ(told.back(), (std::pair<std::uint64_t, std::uint64_t>{all, all}));
}

TEST(Mirror, IsStoppedBetweenBundles) {
  World world(record_of(2000));
  unsigned asked = 0;
  MirrorOptions options;
  options.stop = [&] { return ++asked > 3; };
  const auto report = world.update(options);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, Errc::environment);
  EXPECT_TRUE(world.mirror->conflicts().empty());
  EXPECT_FALSE(world.store.exists("box/0/checkpoint"));
  const std::size_t fetched = world.server.count("box/0/tile/entries/000");
  EXPECT_EQ(fetched, 1U);
  // Another goes on from there.
  value(world.update());
  world.expect_equal();
  EXPECT_EQ(world.server.count("box/0/tile/entries/000"), fetched);
}

// --- some of the logs
// -----------------------------------------------------------------------------

MirrorOptions only(std::vector<std::string> logs) {
  MirrorOptions options;
  options.logs = std::move(logs);
  return options;
}

// The files whose names begin so.
Files part(const Files& files, const std::vector<std::string>& beginnings) {
  Files found;
  for (const auto& [path, content] : files) {
    if (std::ranges::any_of(beginnings, [&](const auto& name) { return path.starts_with(name); })) {
      found[path] = content;
    }
  }
  return found;
}

TEST(Mirror, CopiesTheMainLogAlone) {
  World world(golden());
  const auto report = value(world.update(only({"main"})));
  EXPECT_EQ(world.store.files(), part(golden(), {"manifest.json", "main/"}));
  ASSERT_EQ(report.logs.size(), 1U);
  EXPECT_EQ(report.logs[0].size, 22U);
  EXPECT_TRUE(report.complete);
  EXPECT_TRUE(std::ranges::none_of(world.server.requests, [](const std::string& path) {
    return path.starts_with("box/") || path.starts_with("roll/") || path.starts_with("result");
  }));
  // The rest may follow.
  value(world.update());
  world.expect_equal();
}

TEST(Mirror, CopiesABoxLogBesideAMainLogThatIsThere) {
  World world(record_of(300));
  const auto missing = world.update(only({"box/0"}));
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Errc::environment) << missing.error().message;

  const Files here = part(record_of(0), {"manifest.json", "main/"});
  for (const auto& [path, content] : here) {
    value(world.store.write(path, content));
  }
  // Somebody else is writing here.
  value(world.store.write(".manifest.json.1", Bytes(1)));
  world.server.requests.clear();
  const auto report = value(world.update(only({"box/0"})));
  ASSERT_EQ(report.logs.size(), 1U);
  EXPECT_EQ(report.logs[0].added, 300U);
  EXPECT_EQ(report.title, election().manifest->title);
  EXPECT_TRUE(report.election_id.has_value());
  EXPECT_TRUE(world.store.exists(".manifest.json.1"));
  Files wanted = part(record_of(300), {"manifest.json", "main/", "box/"});
  wanted[".manifest.json.1"] = Bytes(1);
  EXPECT_EQ(world.store.files(), wanted);
  EXPECT_TRUE(std::ranges::all_of(
      world.server.requests, [](const std::string& path) { return path.starts_with("box/0/"); }));

  world.server.files = record_of(700);
  EXPECT_EQ(value(world.mirror->update()).logs[0].added, 400U);
}

TEST(Mirror, FollowsAMainLogThatSomebodyElseExtends) {
  auto forge = tiny_election();
  const Files complete = forge->publish();
  const auto main = forge->main;
  forge->main.resize(forge->find(protocol::MessageType::close));
  World world(forge->publish());
  for (const auto& [path, content] : part(world.server.files, {"manifest.json", "main/"})) {
    value(world.store.write(path, content));
  }
  EXPECT_EQ(value(world.update(only({"box/0"}))).phase, MainLog::Phase::voting);
  for (const auto& [path, content] : part(complete, {"main/"})) {
    value(world.store.write(path, content));
  }
  world.server.files = complete;
  const auto report = value(world.mirror->update());
  EXPECT_EQ(report.phase, MainLog::Phase::complete);
  EXPECT_TRUE(report.complete);
  EXPECT_FALSE(world.store.exists("result.json"));
}

TEST(Mirror, RefusesLogsThatAreNot) {
  for (const std::string log : {"box/1", "box", "", "roll/0/", "../main"}) {
    World world(golden());
    world.expect_failure(Errc::misuse, "has no log \"" + log + "\"", std::nullopt,
                         only({"main", log}));
  }
}

// --- stopped and taken up ------------------------------------------------------------------------

TEST(Mirror, ResumesAfterAFailureAtEveryRequest) {
  for (const bool growing : {false, true}) {
    for (std::size_t k = 0;; ++k) {
      World world(record_of(600, 300));
      if (growing) {
        world.server.files = record_of(100, 30);
        value(world.update());
        world.server.files = record_of(600, 300);
        world.server.requests.clear();
      }
      world.server.fail_from = k;
      const auto first = world.update();
      if (first.has_value()) {
        EXPECT_GT(k, 8U);
        break;
      }
      EXPECT_EQ(first.error().code, Errc::environment);
      EXPECT_TRUE(world.mirror->conflicts().empty());
      // What the copy's checkpoints promise is there.
      FakeServer half(world.store.files());
      if (world.store.exists("main/checkpoint")) {
        const auto source = value(HttpRecord::create(half, kBase));
        MemoryStore second;
        Mirror mirror(*source, second, world.evaluator, world.serial, {});
        EXPECT_TRUE(mirror.update().has_value());
      }
      world.server.fail_from = FakeServer::kNever;
      const bool same = k % 2 == 0;
      value(same ? world.mirror->update() : world.update());
      world.expect_equal();
      // The request that failed is in the count.
      for (const std::string bundle : {"box/0/tile/entries/000", "box/0/tile/entries/001"}) {
        EXPECT_LE(world.server.count(bundle), 2U);
        EXPECT_TRUE(world.server.count(bundle) < 2U || world.server.requests[k] == bundle) << k;
      }
    }
  }
}

TEST(Mirror, ResumesAfterEveryWriteThatFailed) {
  for (const auto failure : {MemoryStore::Failure::lost, MemoryStore::Failure::persisted}) {
    for (std::size_t k = 0;; ++k) {
      World world(record_of(300, 3));
      value(world.update());
      world.server.files = record_of(600, 270);
      world.store.fail_at(k, failure);
      const auto first = world.update();
      if (first.has_value()) {
        EXPECT_GT(k, 8U);
        break;
      }
      EXPECT_EQ(first.error().code, Errc::environment);
      value(k % 2 == 0 ? world.mirror->update() : world.update());
      world.expect_equal();
    }
  }
}

TEST(Mirror, ResumesAnEmptyCopyAfterEveryWriteThatFailed) {
  for (const auto failure : {MemoryStore::Failure::lost, MemoryStore::Failure::persisted}) {
    for (std::size_t k = 0;; ++k) {
      World world(record_of(600, 3));
      world.store.fail_at(k, failure);
      if (world.update().has_value()) {
        break;
      }
      world.server.files = record_of(601, 4);  // the partial ones have other names now
      value(world.update());
      world.expect_equal();
    }
  }
}

TEST(Mirror, ClearsAwayWhatAnEarlierUpdateLeft) {
  World world(record_of(300));
  value(world.update());
  for (const std::string path :
       {".manifest.json.Xq2b3A", ".result.csv.aaaaaa", "box/0/.checkpoint.aaaaaa",
        "box/0/tile/0/001.p/200", "box/0/tile/entries/000.p/7", "box/0/tile/entries/009",
        "roll/0/tile/entries/000", "main/junk"}) {
    ASSERT_TRUE(world.store.write(path, as_bytes("junk")).has_value());
  }
  value(world.update());
  world.expect_equal();
}

TEST(Mirror, KeepsFilesThatAreNotItsOwn) {
  World world(record_of(1));
  ASSERT_TRUE(world.store.write("notes.txt", as_bytes("mine")).has_value());
  value(world.update());
  EXPECT_TRUE(world.store.exists("notes.txt"));
}

TEST(Mirror, FetchesAgainWhatIsDamagedAmongItsLeftovers) {
  // Full bundles beyond the checkpoint: of another history, damaged, and no bundle at all.
  const Files other = forked(100, 700);
  for (const std::string log : {"box/0", "roll/0"}) {
    for (const bool started : {false, true}) {
      for (int kind = 0; kind < 3; ++kind) {
        World world(record_of(700, 700));
        if (started) {
          world.server.files = record_of(80, 80);
          value(world.update());
          world.server.files = record_of(700, 700);
        }
        const std::string path = log + "/tile/entries/001";
        Bytes content = world.server.files.at(path);
        if (kind == 0) {
          content = other.at("box/0/tile/entries/001");
        } else if (kind == 1) {
          content[content.size() / 2] ^= 1U;
        } else {
          content = {};
        }
        ASSERT_TRUE(world.store.write(path, content).has_value());
        value(world.update());
        world.expect_equal();
        EXPECT_TRUE(world.mirror->conflicts().empty());
      }
    }
  }
}

TEST(Mirror, ADamagedCopyIsRefused) {
  for (const std::string& path : std::vector<std::string>{
           "box/0/tile/entries/000", "box/0/tile/0/000", "box/0/checkpoint", "main/checkpoint",
           "manifest.json", "main/tile/0/000.p/" + std::to_string(election().main.size())}) {
    World world(record_of(300));
    value(world.update());
    Bytes content = value(world.store.read(path, protocol::kMaxRecordFileBytes));
    content[content.size() / 3] ^= 1U;
    ASSERT_TRUE(world.store.write(path, content).has_value());
    const auto report = world.update();
    ASSERT_FALSE(report.has_value()) << path;
    EXPECT_NE(report.error().code, Errc::environment) << report.error().message;
  }
}

// --- two histories -------------------------------------------------------------------------------

struct Fork {
  std::size_t copied;  // entries of payloads() in the copy
  std::size_t same;    // what the server's log has in common with it
  std::size_t size;    // of the server's log
  Conflict::Kind kind;
};

TEST(Mirror, KeepsTheEvidenceOfTwoHistories) {
  using enum Conflict::Kind;
  for (const bool restarted : {false, true}) {
    for (const Fork& fork :
         {Fork{300, 299, 300, forked}, Fork{300, 0, 300, forked}, Fork{1, 0, 1, forked},
          Fork{256, 255, 256, forked}, Fork{300, 299, 301, forked}, Fork{300, 0, 1000, forked},
          Fork{300, 255, 256, forked}, Fork{256, 255, 300, forked}, Fork{256, 255, 512, forked},
          Fork{300, 270, 280, forked}, Fork{300, 280, 280, older}, Fork{300, 256, 256, older},
          Fork{300, 1, 1, older}, Fork{300, 0, 0, older}, Fork{700, 600, 1025, forked}}) {
      const Files copied = record_of(fork.copied);
      World world(copied);
      value(world.update());
      world.server.files = test::forked(fork.same, fork.size);
      const auto report = restarted ? world.update() : world.mirror->update();
      const auto where = std::to_string(fork.copied) + " " + std::to_string(fork.same) + " " +
                         std::to_string(fork.size);
      ASSERT_FALSE(report.has_value()) << where;
      EXPECT_EQ(report.error().code, Errc::rejected) << where;
      EXPECT_NE(report.error().message.find("http://fake/record/box/0"), std::string::npos)
          << report.error().message;
      ASSERT_EQ(world.mirror->conflicts().size(), 1U) << where;
      const Conflict& conflict = world.mirror->conflicts().front();
      EXPECT_EQ(conflict.log, "box/0");
      EXPECT_EQ(conflict.kind, fork.kind) << where;
      EXPECT_EQ(conflict.earlier, text(copied, "box/0/checkpoint"));
      EXPECT_EQ(conflict.later, text(world.server.files, "box/0/checkpoint"));
      // The copy is what it was, and goes on with the history it has.
      EXPECT_EQ(world.store.files(), copied) << where;
      world.server.files = record_of(fork.copied + 1);
      value(restarted ? world.update() : world.mirror->update());
      world.expect_equal();
      EXPECT_TRUE(world.mirror->conflicts().empty());
    }
  }
}

TEST(Mirror, AForkWithoutItsTilesIsUnproven) {
  const Files copied = record_of(300);
  World world(copied);
  value(world.update());
  world.server.files = forked(299, 700);
  std::erase_if(world.server.files, [](const auto& file) { return !is_fetched(file.first); });
  world.expect_failure(Errc::rejected, "do not lead", Conflict::Kind::unproven);
  EXPECT_EQ(world.store.files(), copied);
}

TEST(Mirror, DamagedEntriesAreNoSecondHistory) {
  const Files copied = record_of(300);
  for (const std::string path : {"box/0/tile/entries/001", "box/0/tile/entries/002.p/188"}) {
    World world(copied);
    value(world.update());
    world.server.files = record_of(700);
    Bytes& bundle = world.server.files.at(path);
    bundle[bundle.size() - 3] ^= 1U;
    world.expect_failure(Errc::rejected, "");
    EXPECT_EQ(world.store.files(), copied);
  }
}

TEST(Mirror, AMainLogMayNotForkEither) {
  Forge& forge = election();
  const auto main = forge.main;
  forge.main.push_back(main.back());
  const Files one = record_of(3);
  forge.main.back() = main.front();
  const Files other = record_of(3);
  forge.main = main;
  const Files shorter = record_of(3);
  World world(one);
  value(world.update());
  world.server.files = other;
  world.expect_failure(Errc::rejected, "main/checkpoint", Conflict::Kind::forked);
  world.server.files = shorter;
  world.expect_failure(Errc::rejected, "main/checkpoint", Conflict::Kind::older);
  EXPECT_EQ(world.store.files(), one);
}

TEST(Mirror, ALogThatGoesOnOtherwiseWhileItIsCopiedIsAFork) {
  // The first checkpoint's partial bundle has gone; the log that is there then is another one.
  World world(record_of(300));
  const Files other = forked(100, 700);
  world.server.instead = [&](const std::string& path) {
    if (path == "box/0/tile/entries/001.p/44") {
      world.server.files = other;
    }
    return std::optional<Result<network::HttpResponse>>();
  };
  world.expect_failure(Errc::rejected, "two histories", Conflict::Kind::forked);
  EXPECT_FALSE(world.store.exists("box/0/checkpoint"));
}

// --- what a server may try -----------------------------------------------------------------------

TEST(Mirror, EveryFileCorruptedIsRefused) {
  const Files good = golden();
  for (const auto& [path, content] : good) {
    for (const std::size_t at : {std::size_t{0}, content.size() / 2, content.size() - 1}) {
      World world(good);
      world.server.files[path][at] ^= 1U;
      const auto report = world.update();
      const bool is_result = path.starts_with("result.");
      if (!is_fetched(path)) {
        EXPECT_EQ(world.store.files(), good) << path;  // made, not fetched
      } else if (is_result) {
        EXPECT_TRUE(report.has_value());  // only a verification can tell
      } else {
        ASSERT_FALSE(report.has_value()) << path << " " << at;
        EXPECT_NE(report.error().code, Errc::environment) << report.error().message;
        EXPECT_NE(report.error().message.find(kBase), std::string::npos) << report.error().message;
        EXPECT_TRUE(world.mirror->conflicts().empty());
        const std::string log = path.substr(0, path.find("tile/"));
        EXPECT_FALSE(world.store.exists(log == path ? path : log + "checkpoint"));
        world.server.files = good;
        value(at == 0 ? world.update() : world.mirror->update());
        world.expect_equal();
      }
    }
  }
}

TEST(Mirror, EveryFileTruncatedExtendedOrMissingIsRefused) {
  const Files good = golden();
  for (const auto& [path, content] : good) {
    if (!is_fetched(path) || path.starts_with("result.")) {
      continue;
    }
    for (int kind = 0; kind < 3; ++kind) {
      World world(good);
      if (kind == 0) {
        world.server.files[path].pop_back();
      } else if (kind == 1) {
        world.server.files[path].push_back(0);
      } else {
        world.server.files.erase(path);
      }
      const auto report = world.update();
      ASSERT_FALSE(report.has_value()) << path;
      EXPECT_EQ(report.error().code == Errc::environment, kind == 2) << report.error().message;
      EXPECT_NE(report.error().message.find(kBase), std::string::npos) << report.error().message;
      world.server.files = good;
      value(world.update());
      world.expect_equal();
    }
  }
}

TEST(Mirror, ALogThatFailsDoesNotHideTheOthers) {
  World world(record_of(300, 30));
  value(world.update());
  // The box shows another history, the registrar's log goes on.
  world.server.files = forked(100, 400);
  const Files grown = record_of(300, 50);
  for (const auto& [path, content] : grown) {
    if (path.starts_with("roll/")) {
      world.server.files[path] = content;
    }
  }
  const auto report = world.mirror->update();
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, Errc::rejected);
  ASSERT_EQ(world.mirror->conflicts().size(), 1U);
  EXPECT_EQ(world.mirror->conflicts().front().log, "box/0");
  EXPECT_EQ(text(world.store.files(), "roll/0/checkpoint"), text(grown, "roll/0/checkpoint"));
  EXPECT_EQ(text(world.store.files(), "box/0/checkpoint"), text(grown, "box/0/checkpoint"));

  // Two histories, and a log that is not there: the worst first, with the evidence of both forks.
  world.server.files["roll/0/checkpoint"] = record_of(1, 20).at("roll/0/checkpoint");
  const auto both = world.mirror->update();
  ASSERT_FALSE(both.has_value());
  EXPECT_EQ(world.mirror->conflicts().size(), 2U);
  EXPECT_NE(both.error().message.find("record/box/0"), std::string::npos) << both.error().message;
  EXPECT_NE(both.error().message.find("record/roll/0"), std::string::npos) << both.error().message;

  World missing(record_of(300));
  missing.server.files.erase("box/0/tile/entries/000");
  missing.server.files.at("roll/0/checkpoint").back() ^= 1U;
  missing.expect_failure(Errc::malformed, "; http://fake/record/box/0/tile/entries/000: ");
}

TEST(Mirror, AServerThatIsAwayCostsNoReading) {
  World world(record_of(300));
  value(world.update());
  world.server.fail_from = 0;
  EXPECT_FALSE(world.mirror->update().has_value());
  world.server.fail_from = world.server.requests.size() + 2;  // the main log still answers
  EXPECT_FALSE(world.mirror->update().has_value());
  // Whoever reads the copy again finds this.
  Bytes damaged = world.store.files().at("box/0/tile/entries/000");
  damaged[damaged.size() / 2] ^= 1U;
  value(world.store.write("box/0/tile/entries/000", damaged));
  world.server.fail_from = FakeServer::kNever;
  world.server.files = record_of(700);
  const auto report = world.mirror->update();
  EXPECT_TRUE(report.has_value()) << report.error().message;
  EXPECT_FALSE(world.update().has_value());
}

TEST(Mirror, AnotherElectionsMainLogIsNotReadToItsEnd) {
  Forge other(tiny_manifest());
  for (const bool has_opening : {true, false}) {
    auto main = other.main;
    if (!has_opening) {
      other.main.resize(other.find(protocol::MessageType::opening));
    }
    other.main.insert(other.main.end(), 2000, other.main.front());
    World world(published(other, {}, 0));
    other.main = main;
    world.expect_failure(
        Errc::rejected, has_opening ? "is the election" : "main entry ", std::nullopt,
        {.election = election().election->id(), .logs = {}, .progress = {}, .max_refetches = 4});
    EXPECT_EQ(world.server.count("main/tile/entries/001"), 0U);
    EXPECT_EQ(world.store.files(), Files());
  }
}

TEST(Mirror, AnotherManifestIsRefused) {
  World world(golden());
  value(world.update());
  Bytes& manifest = world.server.files.at("manifest.json");
  manifest.push_back(' ');
  world.expect_failure(Errc::rejected, "manifest.json");
  EXPECT_FALSE(world.mirror->update().has_value());
  EXPECT_EQ(world.store.files(), golden());
}

TEST(Mirror, AResultThatChangesIsRefused) {
  for (const std::string name : {"result.json", "result.csv"}) {
    World world(golden());
    value(world.update());
    world.server.files.at(name).push_back(' ');
    world.expect_failure(Errc::rejected, name);
    EXPECT_EQ(world.store.files(), golden());
  }
}

TEST(Mirror, AResultThatWasNoneIsReplaced) {
  for (const std::string name : {"result.json", "result.csv"}) {
    World world(golden());
    Bytes& file = world.server.files.at(name);
    *std::ranges::find(file, std::uint8_t{'1'}) = '7';
    EXPECT_TRUE(value(world.update()).complete);  // only a verification can tell
    EXPECT_EQ(world.store.files(), world.server.files);
    world.server.files = golden();
    EXPECT_TRUE(value(world.mirror->update()).complete);
    world.expect_equal();
  }
}

TEST(Mirror, WaitsForTheResultFiles) {
  World world(golden());
  world.server.files.erase("result.csv");
  EXPECT_FALSE(value(world.update()).complete);
  world.server.files = golden();
  EXPECT_TRUE(value(world.mirror->update()).complete);
  world.expect_equal();
}

TEST(Mirror, ALogSignedByAnotherKeyIsRefused) {
  Forge other(tiny_manifest());
  const Files others = published(other, payloads(300), 3);
  const Files good = record_of(300);
  for (const std::string log : {"main", "box/0", "roll/0"}) {
    for (const bool started : {false, true}) {
      World world(good);
      if (started) {
        value(world.update());
      }
      for (const auto& [path, content] : others) {
        if (path.starts_with(log + "/")) {
          world.server.files[path] = content;
        }
      }
      if (log == "main" && !started) {
        // Another election's main log, whole: box and roll are not its own.
        world.expect_failure(Errc::rejected, "box/0/checkpoint");
        EXPECT_FALSE(world.store.exists("box/0/checkpoint"));
        continue;
      }
      world.expect_failure(Errc::rejected, log + "/checkpoint");
      EXPECT_EQ(world.store.exists(log + "/checkpoint"), started);
    }
  }
}

TEST(Mirror, ALogUnderTheNameOfAnotherIsRefused) {
  World world(record_of(3));
  world.server.files["roll/0/checkpoint"] = world.server.files.at("box/0/checkpoint");
  world.expect_failure(Errc::rejected, "roll/0");
}

TEST(Mirror, OnlyTheElectionAskedForIsCopied) {
  const Digest32 id = election().election->id();
  Forge other(tiny_manifest());
  const Files others = published(other, payloads(2), 3);
  const MirrorOptions pinned{.election = id, .progress = {}, .max_refetches = 4};
  World world(others);
  world.expect_failure(Errc::rejected, "is the election " + hex(other.election->id()), std::nullopt,
                       pinned);
  EXPECT_EQ(world.store.files(), Files());
  // Nothing of it stands in the way of the right one.
  world.server.files = record_of(2);
  EXPECT_EQ(value(world.mirror->update()).election_id, id);
  world.expect_equal();
  // A copy of another one is not gone on with.
  World wrong(others);
  value(wrong.update());
  wrong.expect_failure(Errc::rejected, "is the election", std::nullopt, pinned);
  EXPECT_EQ(wrong.store.files(), others);
}

TEST(Mirror, AnElectionWithoutOpeningIsNotTheOneAskedFor) {
  Forge& forge = election();
  const auto main = forge.main;
  forge.main.resize(forge.find(protocol::MessageType::opening), main.front());
  const Files files = record_of(0);
  forge.main = main;
  World world(files);
  const MirrorOptions pinned{
      .election = election().election->id(), .progress = {}, .max_refetches = 4};
  world.expect_failure(Errc::misuse, "not open yet", std::nullopt, pinned);
  EXPECT_FALSE(world.store.exists("manifest.json"));
  EXPECT_FALSE(world.store.exists("main/checkpoint"));
  world.server.files = record_of(2);
  value(world.update(pinned));
  world.expect_equal();
}

TEST(Mirror, AnEmptyMainLogIsRefused) {
  Forge& forge = election();
  const auto main = std::exchange(forge.main, {});
  const Files files = record_of(0);
  forge.main = main;
  World world(files);
  world.expect_failure(Errc::rejected, "must begin with the roster");
}

TEST(Mirror, AFaultInTheMainLogIsCopiedAndReported) {
  Forge& forge = election();
  const auto main = forge.main;
  forge.main.insert(forge.main.end(), 300, main.front());
  const Files after_opening = record_of(5);
  forge.main.resize(main.size(), main.front());
  forge.main.erase(forge.main.begin() + 2);
  const Files before_opening = record_of(5);
  forge.main = main;

  World world(after_opening);
  for (int i = 0; i < 2; ++i) {
    const auto report = value(world.update());
    EXPECT_NE(report.fault.find("main entry " + std::to_string(main.size())), std::string::npos)
        << report.fault;
    EXPECT_FALSE(report.complete);
    world.expect_equal();
  }
  World early(before_opening);
  const auto report = value(early.update());
  EXPECT_NE(report.fault, "");
  EXPECT_FALSE(report.election_id.has_value());
  EXPECT_EQ(report.logs.size(), 1U);
}

// A box log's checkpoint that claims more than there is.
void claim(Files& files, std::uint64_t size) {
  const auto signer = value(election().box_keys->log_signer(*election().manifest, 0));
  const crypto::Checkpoint checkpoint{.origin = signer->verifier().name(),
                                      .tree = {.size = size, .root = Digest32{7}},
                                      .extensions = {}};
  const std::string note = value(signer->sign(checkpoint.print()));
  files["box/0/checkpoint"] = Bytes(note.begin(), note.end());
}

TEST(Mirror, AHugeClaimEndsAtTheFirstMissingFile) {
  for (const std::uint64_t size : {std::uint64_t{1} << 52U, std::uint64_t{1} << 40U}) {
    World world(record_of(600));
    claim(world.server.files, size);
    world.expect_failure(Errc::environment, "box/0/tile/entries/002");
    EXPECT_LT(world.server.requests.size(), 20U);
    EXPECT_FALSE(world.store.exists("box/0/checkpoint"));
  }
  World world(record_of(600));
  claim(world.server.files, (std::uint64_t{1} << 52U) + 1);
  world.expect_failure(Errc::malformed, "2^52");
}

TEST(Mirror, AClaimAboveTheEntriesIsRefused) {
  World world(record_of(600));
  value(world.update());
  claim(world.server.files, 601);
  world.expect_failure(Errc::environment, "002.p/89");
  claim(world.server.files, 600);
  world.expect_failure(Errc::rejected, "two histories", Conflict::Kind::forked);
  claim(world.server.files, 0);
  world.expect_failure(Errc::malformed, "box/0/checkpoint");
}

TEST(Mirror, FilesAboveTheirBoundAreRefused) {
  for (const bool obedient : {true, false}) {
    for (const std::string path : {"manifest.json", "main/checkpoint", "box/0/checkpoint",
                                   "box/0/tile/entries/000", "box/0/tile/entries/001.p/44"}) {
      World world(record_of(300));
      world.server.obedient = obedient;
      world.server.files.at(path).resize(protocol::kMaxRecordFileBytes + 1);
      world.expect_failure(Errc::malformed, path);
    }
  }
}

TEST(Mirror, ALogMayBeginAfterTheOpeningAndMustBeThereAtTheEnd) {
  const auto without = [](Files files, const std::string& log) {
    std::erase_if(files, [&](const auto& file) { return file.first.starts_with(log + "/"); });
    return files;
  };
  for (const std::string log : {"box/0", "roll/0"}) {
    World world(without(record_of(3), log));
    EXPECT_EQ(value(world.update()).logs.size(), 2U);
    world.expect_equal();
    world.server.files = record_of(3);
    EXPECT_EQ(value(world.mirror->update()).logs.size(), 3U);
    world.server.files = without(record_of(3), log);
    world.expect_failure(Errc::environment, log + "/checkpoint");
    World complete(without(golden(), log));
    complete.expect_failure(Errc::environment, log + "/checkpoint");
  }
}

TEST(Mirror, ACosignedCheckpointTakesThePlaceOfOneThatIsNot) {
  const auto key_of = [](std::uint8_t number) {
    SecretBytes<32> seed;
    seed.expose_secret()[0] = number;
    return crypto::Ed25519SecretKey::from_seed(seed);
  };
  const auto witness_key = key_of(1);
  const auto witness = value(crypto::NoteVerifier::create(
      "witness.example", crypto::NoteAlgorithm::cosignature_v1, witness_key.public_key()));
  std::string manifest(tiny_manifest());
  manifest.insert(manifest.size() - 1,
                  R"(,"witnesses":{"keys":[")" + witness.vkey() + R"("],"quorum":1})");
  Forge forge(manifest);
  const Files plain = published(forge, payloads(3), 3);
  Files cosigned = plain;
  const std::string note = text(plain, "box/0/checkpoint");
  const auto cosign = [&](const crypto::NoteVerifier& name, const crypto::Ed25519SecretKey& key) {
    return note + crypto::Note::print_signature(value(crypto::cosign(
                      value(crypto::Note::parse(note)).text, name, key, 1'700'000'000)));
  };
  const std::string good = cosign(witness, witness_key);
  cosigned["box/0/checkpoint"] = Bytes(good.begin(), good.end());

  World world(plain);
  value(world.update());
  world.server.files = cosigned;
  value(world.mirror->update());
  world.expect_equal();
  // It is not given up for one with fewer.
  world.server.files = plain;
  value(world.update());
  EXPECT_EQ(world.store.files(), cosigned);
  // A witness the manifest does not name, and a cosignature of another tree.
  const auto other_key = key_of(2);
  const auto other = value(crypto::NoteVerifier::create(
      "other.example", crypto::NoteAlgorithm::cosignature_v1, other_key.public_key()));
  const std::string unknown = cosign(other, other_key);
  world.server.files["box/0/checkpoint"] = Bytes(unknown.begin(), unknown.end());
  world.expect_failure(Errc::rejected, "witness");
  const std::string grown = text(published(forge, payloads(4), 3), "box/0/checkpoint");
  const std::string moved = grown + good.substr(note.size());
  world.server.files = published(forge, payloads(4), 3);
  world.server.files["box/0/checkpoint"] = Bytes(moved.begin(), moved.end());
  world.expect_failure(Errc::rejected, "box/0/checkpoint");
  EXPECT_EQ(world.store.files(), cosigned);
}

// --- a server that works meanwhile ---------------------------------------------------------------

TEST(Mirror, FetchesTheCheckpointAgainIfAPartialBundleHasGone) {
  for (const std::size_t newer : {301U, 512U, 513U, 1100U}) {
    World world(record_of(300));
    world.server.instead = [&](const std::string& path) {
      if (path == "box/0/tile/entries/001.p/44") {
        world.server.files = record_of(newer);
      }
      return std::optional<Result<network::HttpResponse>>();
    };
    value(world.update());
    world.expect_equal();
    EXPECT_EQ(world.server.count("box/0/tile/entries/000"), 1U);
  }
}

TEST(Mirror, FetchesTheMainLogsCheckpointAgainToo) {
  Forge& forge = election();
  const auto main = forge.main;
  forge.main.pop_back();
  const Files before = record_of(2);
  forge.main = main;
  const Files after = record_of(2);
  // The first time to find the key, the second time to copy.
  for (std::size_t vanishes : {1U, 2U}) {
    World world(before);
    world.server.instead = [&](const std::string& path) {
      if (path.starts_with("main/tile/entries/") && --vanishes == 0) {
        world.server.files = after;
      }
      return std::optional<Result<network::HttpResponse>>();
    };
    value(world.update());
    world.expect_equal();
  }
}

TEST(Mirror, GivesUpOnAServerThatIsAlwaysAhead) {
  std::size_t size = 300;
  World world(record_of(size));
  world.server.instead = [&](const std::string& path) {
    if (path.starts_with("box/0/tile/entries/001.p/")) {
      world.server.files = record_of(++size);
    }
    return std::optional<Result<network::HttpResponse>>();
  };
  world.expect_failure(Errc::environment, "box/0/tile/entries/001.p/", std::nullopt,
                       {.election = std::nullopt, .logs = {}, .progress = {}, .max_refetches = 7});
  EXPECT_EQ(world.server.count("box/0/checkpoint"), 8U);
}

TEST(Mirror, APartialBundleThatIsMissingUnderTheSameCheckpointIsAnError) {
  World world(record_of(300));
  world.server.files.erase("box/0/tile/entries/001.p/44");
  world.expect_failure(Errc::environment, "http://fake/record/box/0/tile/entries/001.p/44");
  EXPECT_EQ(world.server.count("box/0/checkpoint"), 2U);
}

TEST(Mirror, WaitsForABusyServer) {
  World world(record_of(600));
  std::map<std::string, int> asked;
  world.server.instead =
      [&](const std::string& path) -> std::optional<Result<network::HttpResponse>> {
    if (++asked[path] % 2 == 1) {
      return answer(503, {{.name = "Retry-After", .value = "1"}});
    }
    return std::nullopt;
  };
  value(world.update());
  world.expect_equal();
}

TEST(Mirror, EveryOtherAnswerEndsTheUpdateAndNamesTheUrl) {
  for (const std::string path :
       {"manifest.json", "main/checkpoint", "box/0/checkpoint", "box/0/tile/entries/000"}) {
    for (const unsigned status : {500U, 403U, 301U, 503U}) {
      World world(record_of(300));
      world.server.instead =
          [&](const std::string& asked) -> std::optional<Result<network::HttpResponse>> {
        return asked == path ? std::optional<Result<network::HttpResponse>>(answer(status))
                             : std::nullopt;
      };
      world.expect_failure(Errc::environment, kBase + path);
    }
  }
}

}  // namespace
}  // namespace psephos::test
