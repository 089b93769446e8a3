#include "src/server/live.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "psephos/crypto/ed25519_signer.h"
#include "psephos/crypto/note_signer.h"
#include "psephos/protocol/log_writer.h"
#include "psephos/runtime/directory.h"

#include "tests/crypto/expect.h"
#include "tests/protocol/election_fixture.h"
#include "tests/support/memory_store.h"

namespace psephos::server {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;
using Phase = protocol::MainLog::Phase;
using protocol::EntryType;
using test::fails_with;
using test::is_ok;
using test::kBoth;
using test::kIsland;
using test::kMayor;
using test::must;

constexpr std::int64_t kStart = 1'700'000'000;  // a multiple of 5

crypto::Ed25519SecretKey key_of(std::uint8_t number) {
  SecretBytes<32> seed;
  seed.expose_secret()[0] = number;
  return crypto::Ed25519SecretKey::from_seed(seed);
}

struct Event {
  std::string name;
  json data;
};

// The published record of an election, which grows.
class LiveFeedTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kShards = 2;

  void SetUp() override {
    history_ =
        fs::temp_directory_path() / ("psephos_live_" + std::to_string(::getpid()) + "_" +
                                     testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(history_);
    elect({.revote = "last", .shards = kShards});
  }
  void TearDown() override { fs::remove_all(history_); }

  void elect(const test::ElectionOptions& options) {
    writers_.clear();
    store_ = std::make_unique<test::MemoryStore>();
    election_ = test::make_election(options).election;
    for (std::uint32_t shard = 0; shard < options.shards; ++shard) {
      writers_.push_back(writer(protocol::Manifest::box_log(shard)));
    }
  }
  protocol::LogWriter writer(const std::string& log) {
    const std::string origin = election_->manifest().log_origin(log);
    auto signer = std::make_shared<const crypto::NoteSigner>(
        must(crypto::NoteSigner::create(origin, key_of(1))));
    return must(protocol::LogWriter::create(*store_, log, std::move(signer)));
  }

  // Entries of voters `first`, `first` + 1, …; nothing but their beginning is right.
  void cast(std::uint32_t style, std::uint64_t first, std::uint64_t count,
            EntryType type = EntryType::ballot, std::uint32_t shard = 0) {
    for (std::uint64_t voter = first; voter < first + count; ++voter) {
      Bytes pk(24, static_cast<std::uint8_t>(style));
      const Bytes number = Writer().u64(voter).bytes();
      pk.insert(pk.end(), number.begin(), number.end());
      must(writers_[shard].append(
          Writer().u8(static_cast<std::uint8_t>(type)).u32(style).raw(pk).u64(0).bytes()));
    }
    must(writers_[shard].publish());
  }

  std::unique_ptr<LiveFeed> open() {
    return must(LiveFeed::create(
        options_, *store_, election_,
        [this](std::string_view name, const std::string& data) {
          EXPECT_EQ(data.find('\n'), std::string::npos);
          events_.push_back({std::string(name), json::parse(data)});
        },
        [this] { return std::chrono::sys_seconds(std::chrono::seconds(now_)); }));
  }

  // The events of one poll.
  std::vector<Event> poll(LiveFeed& feed) {
    events_.clear();
    EXPECT_TRUE(is_ok(feed.poll(state_)));
    return events_;
  }
  std::vector<json> poll(LiveFeed& feed, std::string_view name) {
    std::vector<json> found;
    for (Event& event : poll(feed)) {
      if (event.name == name) {
        found.push_back(std::move(event.data));
      }
    }
    return found;
  }
  static json snapshot(const LiveFeed& feed) { return json::parse(*feed.snapshot()); }

  std::unique_ptr<test::MemoryStore> store_;
  std::shared_ptr<const protocol::Election> election_;
  std::vector<protocol::LogWriter> writers_;
  fs::path history_;
  LiveFeed::Options options_{.config = {.step = 10, .interval = 5000ms, .districts = {}},
                             .history = {}};
  LiveFeed::State state_{.phase = Phase::voting, .stopped = false};
  std::int64_t now_ = kStart;
  std::vector<Event> events_;
};

TEST_F(LiveFeedTest, CountsInSteps) {
  const auto feed = open();
  EXPECT_TRUE(snapshot(*feed).at("turnout").is_null());
  cast(kBoth, 0, 9);
  cast(kMayor, 0, 20, EntryType::ballot, 1);
  auto told = poll(*feed, "turnout");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0], json::parse(R"({"election": 20, "districts": {}, "time": 1700000000,
                                     "styles": {"both": 0, "mayor": 20, "island": 0}})"));
  EXPECT_EQ(snapshot(*feed).at("turnout"), told[0]);

  now_ += 5;
  cast(kBoth, 9, 1);
  told = poll(*feed, "turnout");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].at("styles").at("both"), 10);
  EXPECT_EQ(told[0].at("election"), 30);
}

TEST_F(LiveFeedTest, NothingIsToldUntilARoundedNumberChanges) {
  const auto feed = open();
  cast(kMayor, 0, 10);
  EXPECT_EQ(poll(*feed, "turnout").size(), 1U);
  for (std::uint64_t voter = 10; voter < 19; ++voter) {
    now_ += 60;
    cast(kMayor, voter, 1);
    EXPECT_EQ(poll(*feed, "turnout").size(), 0U) << voter;
  }
  now_ += 60;
  cast(kMayor, 19, 1);
  EXPECT_EQ(poll(*feed, "turnout").size(), 1U);
}

// Two styles with remainders that add up to a step: neither the election's number nor a district's
// may say so.
TEST_F(LiveFeedTest, SumsSayNoMoreThanTheirParts) {
  options_.config.districts = {{"Town", {"both", "mayor"}}, {"Sea", {"island"}}};
  const auto feed = open();
  cast(kBoth, 0, 19);
  cast(kMayor, 0, 18);
  cast(kIsland, 0, 9);
  const auto told = poll(*feed, "turnout");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].at("election"), 20);
  EXPECT_EQ(told[0].at("districts"), json::parse(R"({"Sea": 0, "Town": 20})"));
}

TEST_F(LiveFeedTest, ToldAtMostOnceAnIntervalAtItsMultiples) {
  now_ = kStart + 3;
  const auto feed = open();
  cast(kMayor, 0, 10);
  auto told = poll(*feed, "turnout");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].at("time"), kStart);
  cast(kMayor, 10, 10);
  now_ = kStart + 4;
  EXPECT_EQ(poll(*feed, "turnout").size(), 0U);
  now_ = kStart + 7;
  told = poll(*feed, "turnout");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].at("time"), kStart + 5);
}

TEST_F(LiveFeedTest, AVoterCountsOnce) {
  const auto feed = open();
  cast(kMayor, 0, 15);
  cast(kMayor, 0, 15);  // cast again
  cast(kBoth, 0, 30, EntryType::challenge);
  cast(kMayor, 5, 5, EntryType::challenge);
  EXPECT_EQ(poll(*feed, "turnout").at(0).at("styles"),
            json::parse(R"({"both": 0, "mayor": 10, "island": 0})"));
}

TEST_F(LiveFeedTest, ElectionsWithoutRevote) {
  elect({.revote = "first"});
  const auto feed = open();
  cast(kMayor, 0, 10, EntryType::challenge);
  cast(kMayor, 0, 10);
  EXPECT_EQ(poll(*feed, "turnout").at(0).at("election"), 10);
}

// Also over the ends of bundles, and with partial ones replaced.
TEST_F(LiveFeedTest, FollowsALogThatGrows) {
  const auto feed = open();
  options_.config.step = 1;
  const auto exact = open();
  std::uint64_t voters = 0;
  for (const std::uint64_t more : {1U, 254U, 1U, 1U, 255U, 300U, 1U}) {
    cast(kIsland, voters, more);
    voters += more;
    now_ += 5;
    EXPECT_EQ(poll(*exact, "turnout").at(0).at("election"), voters);
    EXPECT_LE(poll(*feed, "turnout").size(), 1U);
    EXPECT_EQ(snapshot(*feed).at("turnout").at("election"), voters / 10 * 10);
  }
}

TEST_F(LiveFeedTest, TellsNothingBeforeAllIsRead) {
  elect({.revote = "last"});
  const std::uint64_t many = LiveFeed::kMaxEntries + 500;
  cast(kMayor, 0, many);
  const auto feed = open();
  EXPECT_FALSE(must(feed->poll(state_)));
  EXPECT_TRUE(snapshot(*feed).at("turnout").is_null());
  now_ += 1;
  EXPECT_TRUE(must(feed->poll(state_)));
  EXPECT_EQ(snapshot(*feed).at("turnout").at("election"), many / 10 * 10);
}

TEST_F(LiveFeedTest, PhasesAndStops) {
  const auto feed = open();
  EXPECT_EQ(poll(*feed, "state"),
            std::vector<json>{json::parse(R"({"phase": "voting", "stopped": false})")});
  EXPECT_TRUE(poll(*feed, "state").empty());
  state_.stopped = true;
  EXPECT_EQ(poll(*feed, "state"),
            std::vector<json>{json::parse(R"({"phase": "voting", "stopped": true})")});
  EXPECT_EQ(snapshot(*feed).at("stopped"), true);
  state_ = {.phase = Phase::closed, .stopped = true};
  EXPECT_EQ(poll(*feed, "state").size(), 1U);
  EXPECT_EQ(snapshot(*feed).at("phase"), "closed");
}

TEST_F(LiveFeedTest, Checkpoints) {
  const auto feed = open();
  cast(kMayor, 0, 3);
  auto main = writer("main");
  must(main.publish());
  auto told = poll(*feed, "checkpoint");
  ASSERT_EQ(told.size(), 3U);  // box/1 is empty, roll/0 is not there yet
  EXPECT_EQ(told[0].at("log"), "main");
  EXPECT_EQ(told[1].at("log"), "box/0");
  EXPECT_EQ(told[1].at("size"), 3);
  EXPECT_EQ(told[1].at("witnesses"), json::array());
  const auto reader =
      must(protocol::LogReader::open(*store_, "box/0", election_->manifest().log_origin("box/0")));
  EXPECT_EQ(told[1].at("root"), base64(reader.tree().root));
  EXPECT_EQ(snapshot(*feed).at("checkpoints"), json(told));

  cast(kMayor, 3, 1);
  EXPECT_TRUE(poll(*feed, "checkpoint").empty());  // in the same interval
  now_ += 5;
  told = poll(*feed, "checkpoint");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].at("size"), 4);
  now_ += 5;
  EXPECT_TRUE(poll(*feed, "checkpoint").empty());
}

TEST_F(LiveFeedTest, WitnessesAreThoseWhoseCosignaturesVerify) {
  const auto base = test::make_election({.shards = 1});
  std::vector<crypto::NoteVerifier> witnesses;
  std::string keys;
  for (const std::uint8_t i : std::vector<std::uint8_t>{10, 11, 12}) {
    witnesses.push_back(must(crypto::NoteVerifier::create("witness.example/" + std::to_string(i),
                                                          crypto::NoteAlgorithm::cosignature_v1,
                                                          key_of(i).public_key())));
    keys += (keys.empty() ? "\"" : ", \"") + witnesses.back().vkey() + '"';
  }
  std::string text = test::manifest_json({.shards = 1});
  text.insert(text.find("\"voters\""),
              R"("witnesses": {"keys": [)" + keys + R"(], "quorum": 1}, )");
  const auto manifest =
      std::make_shared<const protocol::Manifest>(must(protocol::Manifest::parse(as_bytes(text))));
  const protocol::Opening& opening = base.election->opening();
  test::Parties parties{.joint_key = opening.joint_key,
                        .registrar_logs = {opening.registrars[0].log},
                        .credentials = {{}},
                        .box_logs = opening.box_logs};
  for (std::uint32_t style = 0; style < manifest->num_styles(); ++style) {
    parties.credentials[0].push_back(base.election->registrar_key(0, style));
  }
  store_ = std::make_unique<test::MemoryStore>();
  election_ = test::election_with(manifest, std::move(parties));
  writers_.clear();
  writers_.push_back(writer("box/0"));
  const auto feed = open();
  cast(kMayor, 0, 1);
  EXPECT_EQ(poll(*feed, "checkpoint").at(0).at("witnesses"), json::array());

  const auto with = [&](const std::vector<crypto::NoteSignature>& cosignatures) {
    std::string note = std::string(as_text(must(store_->read("box/0/checkpoint", 1 << 16))));
    note = note.substr(0, note.find('\n', note.find("\n\n") + 2) + 1);
    for (const auto& cosignature : cosignatures) {
      note += crypto::Note::print_signature(cosignature);
    }
    must(store_->write("box/0/checkpoint", as_bytes(note)));
    now_ += 5;
    return poll(*feed, "checkpoint").at(0).at("witnesses");
  };
  const std::string note_text =
      must(crypto::Note::parse(as_text(must(store_->read("box/0/checkpoint", 1 << 16))))).text;
  const auto cosigned = [&](std::size_t i) {
    return must(
        crypto::cosign(note_text, witnesses[i], key_of(static_cast<std::uint8_t>(10 + i)), kStart));
  };
  EXPECT_EQ(with({cosigned(0), cosigned(2)}), json({"witness.example/10", "witness.example/12"}));
  auto forged = cosigned(1);
  forged.signature.back() ^= 1U;
  EXPECT_EQ(with({forged}), json::array());
  EXPECT_EQ(with({cosigned(0), forged}), json::array());
}

TEST_F(LiveFeedTest, Results) {
  const auto feed = open();
  EXPECT_TRUE(poll(*feed, "result").empty());
  EXPECT_EQ(snapshot(*feed).at("result"), false);
  must(store_->write("result.json", as_bytes("{}")));
  EXPECT_EQ(poll(*feed, "result"),
            std::vector<json>{json::parse(R"({"files": ["result.json", "result.csv"]})")});
  EXPECT_TRUE(poll(*feed, "result").empty());
  EXPECT_EQ(snapshot(*feed).at("result"), true);
}

TEST_F(LiveFeedTest, HistoryOfTheDay) {
  const auto feed = open();
  poll(*feed);
  for (std::uint64_t i = 0; i < 5; ++i) {
    now_ += 600;
    cast(kMayor, i * 7, 7);
    poll(*feed);
  }
  // 7, 14, 21, 28, 35 voters.
  EXPECT_EQ(snapshot(*feed).at("history"),
            json::parse("[[1700000000,0],[1700001200,10],[1700001800,20],[1700003000,30]]"));
}

TEST_F(LiveFeedTest, HistoryIsBounded) {
  options_.config.step = 1;
  const auto feed = open();
  for (std::uint64_t i = 0; i < 3 * LiveFeed::kMaxSamples; ++i) {
    now_ += 5;
    cast(kMayor, i, 1);
    poll(*feed);
  }
  const json history = snapshot(*feed).at("history");
  EXPECT_LE(history.size(), LiveFeed::kMaxSamples);
  EXPECT_GE(history.size(), LiveFeed::kMaxSamples / 3);
  EXPECT_EQ(history.front(), json({kStart + 5, 1}));
  EXPECT_EQ(history.back(), json({now_, 3 * LiveFeed::kMaxSamples}));
  for (std::size_t i = 1; i < history.size(); ++i) {
    EXPECT_LT(history[i - 1][0], history[i][0]);
    EXPECT_LT(history[i - 1][1], history[i][1]);
    EXPECT_LE(history[i][0].get<std::int64_t>() - history[i - 1][0].get<std::int64_t>(), 40);
  }
}

TEST_F(LiveFeedTest, HistoryOutlivesTheProcess) {
  options_.history = history_;
  cast(kMayor, 0, 10);
  {
    const auto feed = open();
    poll(*feed);
    EXPECT_TRUE(fs::exists(history_));
    now_ += 30;
    cast(kMayor, 10, 10);
    poll(*feed);  // too early to save again
  }
  now_ += 600;
  cast(kMayor, 20, 10);
  const auto feed = open();
  EXPECT_EQ(snapshot(*feed).at("history").size(), 2U);  // the destructor saved
  EXPECT_TRUE(snapshot(*feed).at("turnout").is_null());
  poll(*feed);
  EXPECT_EQ(snapshot(*feed).at("history"),
            json::parse("[[1700000000,10],[1700000030,20],[1700000630,30]]"));
}

TEST_F(LiveFeedTest, AHistoryOfSomethingElseIsNone) {
  options_.history = history_;
  cast(kMayor, 0, 10);
  poll(*open());
  const auto samples = [&] { return snapshot(*open()).at("history").size(); };
  EXPECT_EQ(samples(), 1U);
  const std::string good = std::string(as_text(must(runtime::read_file(history_, 1 << 20))));
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  for (const std::string& bad :
       {std::string(), std::string("{"), std::string("[]"), std::string("\xff"),
        replaced("\"step\":10", "\"step\":1"), replaced("live-history/v1", "live-history/v2"),
        replaced("\"election\":\"", "\"election\":\"0"), replaced("[1700000000,", "[\"x\","),
        replaced("[1700000000,10]", "[1700000000,10],[1600000000,10]"),
        replaced("[1700000000,10]", "[1700000000]"), replaced("[1700000000,10]", "7")}) {
    std::ofstream(history_) << bad;
    EXPECT_EQ(samples(), 0U) << bad;
  }
  options_.config.step = 20;  // never shown before in these steps
  std::ofstream(history_) << good;
  EXPECT_EQ(samples(), 0U);
}

TEST_F(LiveFeedTest, AHistoryThatCannotBeSavedIsAnErrorOnly) {
  fs::create_directories(history_ / "in the way");
  options_.history = history_;
  const auto feed = open();
  cast(kMayor, 0, 10);
  EXPECT_TRUE(fails_with(Errc::environment, feed->poll(state_)));
  EXPECT_EQ(snapshot(*feed).at("turnout").at("election"), 10);
  now_ += 5;
  EXPECT_TRUE(is_ok(feed->poll(state_)));  // not tried each time
}

TEST_F(LiveFeedTest, AClockSetBackDoesNotTurnTheChartBack) {
  const auto feed = open();
  cast(kMayor, 0, 10);
  poll(*feed);
  now_ -= 3600;
  cast(kMayor, 10, 10);
  EXPECT_EQ(poll(*feed, "turnout").at(0).at("time"), kStart);
  EXPECT_EQ(snapshot(*feed).at("history").back(), json({kStart, 20}));
}

TEST_F(LiveFeedTest, GoesOnAfterAnError) {
  const auto feed = open();
  cast(kMayor, 0, 30);
  const Bytes good = must(store_->read("box/0/tile/entries/000.p/30", 1 << 20));
  must(store_->remove("box/0/tile/entries/000.p/30"));
  cast(kBoth, 0, 10, EntryType::ballot, 1);
  events_.clear();
  EXPECT_TRUE(fails_with(Errc::environment, feed->poll(state_)));
  EXPECT_EQ(std::ranges::count(events_, "state", &Event::name), 1);
  EXPECT_EQ(std::ranges::count(events_, "turnout", &Event::name), 0);
  EXPECT_EQ(std::ranges::count(events_, "checkpoint", &Event::name), 2);
  must(store_->write("box/0/tile/entries/000.p/30", good));
  EXPECT_EQ(poll(*feed, "turnout").at(0).at("election"), 40);
}

TEST_F(LiveFeedTest, WrongRecords) {
  const auto wrong = [&](ByteView payload) {
    elect({.revote = "last", .shards = kShards});
    const auto feed = open();
    must(writers_[0].append(payload));
    must(writers_[0].publish());
    return feed->poll(state_);
  };
  const Bytes rest(64);
  EXPECT_TRUE(fails_with(Errc::malformed, wrong(Writer().u8(32).u32(3).raw(rest).bytes())));
  EXPECT_TRUE(fails_with(Errc::malformed, wrong(Writer().u8(48).u32(0).raw(rest).bytes())));
  EXPECT_TRUE(fails_with(Errc::malformed, wrong(Writer().u8(32).u32(0).bytes())));
}

TEST_F(LiveFeedTest, ALogThatShrankIsAnError) {
  const auto feed = open();
  cast(kMayor, 0, 10);
  const Bytes checkpoint = must(store_->read("box/0/checkpoint", 1 << 16));
  cast(kMayor, 10, 1);
  poll(*feed);
  must(store_->write("box/0/checkpoint", checkpoint));
  EXPECT_TRUE(fails_with(Errc::rejected, feed->poll(state_)));
}

TEST_F(LiveFeedTest, WrongOptions) {
  const auto create = [&] {
    return LiveFeed::create(
        options_, *store_, election_, [](auto, const auto&) {},
        [] { return std::chrono::sys_seconds(); });
  };
  options_.config.districts = {{"Town", {"both", "village"}}};
  EXPECT_TRUE(fails_with(Errc::misuse, create()));
  options_.config.districts = {{"Town", {"both"}}, {"Sea", {"both"}}};
  EXPECT_TRUE(fails_with(Errc::misuse, create()));
  options_.config.districts = {};
  options_.config.step = 0;
  EXPECT_TRUE(fails_with(Errc::misuse, create()));
}

TEST_F(LiveFeedTest, SnapshotIsWhole) {
  const auto feed = open();
  const json before = snapshot(*feed);
  EXPECT_EQ(before.at("election"), hex(election_->id()));
  EXPECT_EQ(before.at("step"), 10);
  EXPECT_EQ(before.at("interval"), 5);
  EXPECT_EQ(before.at("history"), json::array());
  EXPECT_EQ(before.at("checkpoints"), json::array());
}

}  // namespace
}  // namespace psephos::server
