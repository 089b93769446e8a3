// What a board does with logs of other processes.
#include "src/server/board_service.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/network/fake_server.h"
#include "tests/record/forge.h"
#include "tests/server/directory.h"

namespace psephos::server {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::Forge;
using test::value;
using Files = test::MemoryStore::Files;

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

class BoardServiceTest : public ::testing::Test {
 protected:
  // The record with a box log of these many entries, whose last one has this content.
  Files record_of(std::size_t entries, std::uint8_t last) {
    forge_.boxes[0].clear();
    for (std::size_t i = 0; i < entries; ++i) {
      // All that the live feed reads: type, style, credential, sequence.
      Bytes entry = Writer().u8(1).u32(0).bytes();
      entry.resize(entry.size() + 40, i + 1 == entries ? last : std::uint8_t{1});
      forge_.boxes[0].push_back(std::move(entry));
    }
    return forge_.publish();
  }
  std::unique_ptr<BoardService> open() {
    BoardService::Options options;
    options.evidence = directory_ / "record.conflict-";
    options.board.mirrors.push_back({.logs = {"box/0"}, .url = test::kBase});
    options.board.poll = Duration(50);
    options.stopped = [] { return false; };
    options.on_mirror = [this](const std::string& /*log*/, const Error* error) {
      ++updates_;
      failures_ += error != nullptr ? 1 : 0;
    };
    options.on_live = [](const Error* /*error*/) {};
    options.on_conflict = [this](const network::Conflict& conflict) {
      const std::lock_guard lock(mutex_);
      told_.push_back(conflict.kind);
    };
    return value(BoardService::open(std::move(options), record_, &server_, forge_.evaluator));
  }
  void open_record(const Files& files) {
    directory_.write_record(files);
    record_ = value(ElectionRecord::open(directory_ / "record", forge_.evaluator));
  }
  static json conflicts(const BoardService& board) {
    return json::parse(*board.snapshot()).at("conflicts");
  }

  Forge forge_{test::tiny_manifest()};
  test::Directory directory_;
  test::FakeServer server_;
  std::shared_ptr<ElectionRecord> record_;
  std::atomic<int> updates_ = 0;
  std::atomic<int> failures_ = 0;
  std::mutex mutex_;
  std::vector<network::Conflict::Kind> told_;
};

TEST_F(BoardServiceTest, KeepsAndTellsTheEvidenceOfAFork) {
  const Files one = record_of(3, 7);
  const Files other = record_of(3, 8);
  open_record(one);
  server_.files = other;
  auto board = open();
  EXPECT_EQ(conflicts(*board), json::array());
  board->start();
  EXPECT_TRUE(eventually([&] { return failures_ >= 3; }));
  board->finish();
  EXPECT_EQ(conflicts(*board), json({"box/0"}));
  EXPECT_EQ(told_, std::vector{network::Conflict::Kind::forked});  // once
  const json kept = json::parse(as_text(
      value(runtime::read_file(directory_ / "record.conflict-box-0-forked.json", 100'000))));
  EXPECT_EQ(kept.at("log"), "box/0");
  EXPECT_EQ(kept.at("conflict"), "forked");
  EXPECT_EQ(kept.at("election"), record_->id());
  EXPECT_EQ(kept.at("earlier"), as_text(one.at("box/0/checkpoint")));
  EXPECT_EQ(kept.at("later"), as_text(other.at("box/0/checkpoint")));

  // It is not forgotten, though the other server shows the first history again.
  server_.files = one;
  board = open();
  EXPECT_EQ(conflicts(*board), json({"box/0"}));
  updates_ = failures_ = 0;
  board->start();
  EXPECT_TRUE(eventually([&] { return updates_ >= 2; }));
  board->finish();
  EXPECT_EQ(failures_, 0);
  EXPECT_EQ(conflicts(*board), json({"box/0"}));
}

// A cache may serve an old file: it is kept, but nobody is accused.
TEST_F(BoardServiceTest, AnOlderCheckpointIsKeptAndNotToldToAll) {
  const Files shorter = record_of(2, 1);
  open_record(record_of(3, 1));
  server_.files = shorter;
  const auto board = open();
  board->start();
  EXPECT_TRUE(eventually([&] { return failures_ >= 1; }));
  board->finish();
  EXPECT_EQ(conflicts(*board), json::array());
  EXPECT_TRUE(std::filesystem::exists(directory_ / "record.conflict-box-0-older.json"));
}

TEST_F(BoardServiceTest, FilesOfOthersAreNoEvidence) {
  open_record(record_of(3, 1));
  const auto put = [&](const std::string& name, const std::string& text) {
    value(runtime::write_file(directory_ / ("record.conflict-" + name), as_bytes(text)));
  };
  const json other{{"election", std::string(64, '0')}, {"log", "box/0"}, {"conflict", "forked"}};
  put("box-0-forked.json", other.dump());
  put("a.json", "{");
  put("b.json", R"({"election": 1, "log": [], "conflict": null})");
  put("c.txt", json{{"election", record_->id()}, {"log", "box/0"}, {"conflict", "forked"}}.dump());
  EXPECT_EQ(conflicts(*open()), json::array());
}

// A long copy does not keep a server from ending.
TEST_F(BoardServiceTest, FinishStopsAMirror) {
  constexpr std::size_t kBundles = 40;
  const Files whole = record_of(kBundles * 256, 1);
  open_record(record_of(0, 1));
  server_.files = whole;
  std::atomic<int> asked = 0;
  server_.instead = [&](const std::string& path) {
    if (path.contains("/entries/")) {
      ++asked;
      std::this_thread::sleep_for(10ms);  // FakeServer answers one after another
    }
    return std::optional<Result<network::HttpResponse>>();
  };
  const auto board = open();
  board->start();
  EXPECT_TRUE(eventually([&] { return asked > 0; }));
  board->finish();
  EXPECT_LT(asked, static_cast<int>(kBundles) / 2);
  EXPECT_EQ(failures_, 0);  // it is no failure of the other server
}

}  // namespace
}  // namespace psephos::server
