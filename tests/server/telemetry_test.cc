#include "src/server/telemetry.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/crypto/expect.h"

namespace psephos::server {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;
using test::must;

class TelemetryTest : public testing::Test {
 protected:
  void SetUp() override {
    file_ =
        fs::temp_directory_path() / ("psephos_telemetry_" + std::to_string(::getpid()) + "_" +
                                     testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove(file_);
    log_ = must(Log::create({.level = LogLevel::info, .file = file_}));
  }
  void TearDown() override { fs::remove(file_); }

  // The lines written since the last call: "event member member".
  std::vector<std::string> said(const std::vector<std::string>& members) {
    std::ifstream in(file_);
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) {
      const json object = json::parse(line);
      std::string text = object.at("event").get<std::string>();
      for (const std::string& member : members) {
        if (object.contains(member)) {
          const json& value = object[member];
          text += " " + (value.is_string() ? value.get<std::string>() : value.dump());
        }
      }
      all.push_back(text);
    }
    std::vector<std::string> fresh(all.begin() + static_cast<std::ptrdiff_t>(told_), all.end());
    told_ = all.size();
    return fresh;
  }
  using Lines = std::vector<std::string>;

  fs::path file_;
  std::unique_ptr<Log> log_;
  Metrics metrics_{std::chrono::system_clock::time_point()};
  const Error error_{Errc::environment, "broken"};
  std::size_t told_ = 0;
};

// One that works says nothing of another that does not.
TEST_F(TelemetryTest, EachMirrorHasItsOwnState) {
  BoardTelemetry board(0, metrics_, *log_);
  for (int tick = 0; tick < 3; ++tick) {
    board.on_mirror("box/0", nullptr);
    board.on_mirror("roll/0", &error_);
    board.on_mirror("roll/1", nullptr);
  }
  EXPECT_EQ(said({"log"}), Lines{"mirror_failed roll/0"});
  board.on_mirror("box/0", &error_);
  board.on_mirror("roll/0", nullptr);
  EXPECT_EQ(said({"log"}), (Lines{"mirror_failed box/0", "mirror_resumed roll/0"}));
}

TEST_F(TelemetryTest, EachRegistrarHasItsOwnState) {
  RegistrarTelemetry one(2, 0, metrics_, *log_);
  RegistrarTelemetry other(2, 1, metrics_, *log_);
  for (int tick = 0; tick < 3; ++tick) {
    one.on_registrar_store(nullptr);
    one.on_registrar_export(nullptr);
    one.on_identity_provider(nullptr);
    other.on_registrar_store(&error_);
    other.on_registrar_export(&error_);
    other.on_identity_provider(&error_);
  }
  EXPECT_EQ(said({"election", "registrar"}),
            (Lines{"store_failed 2 1", "export_failed 2 1", "identity_provider_failed 2 1"}));
  other.on_registrar_store(nullptr);
  other.on_registrar_export(nullptr);
  other.on_identity_provider(nullptr);
  EXPECT_EQ(said({"part", "registrar"}),
            (Lines{"store_recovered registrar 1", "export_resumed registrar 1",
                   "identity_provider_resumed 1"}));
}

TEST_F(TelemetryTest, AStoreFailsOnceAndRecoversOnce) {
  BoxTelemetry box(0, metrics_, *log_);
  box.on_store(nullptr);
  box.on_store(&error_);
  box.on_store(&error_);
  box.on_store(nullptr);
  box.on_store(nullptr);
  EXPECT_EQ(said({"part", "error"}),
            (Lines{"store_failed box store: broken", "store_recovered box"}));
}

TEST_F(TelemetryTest, ARegistrarsCommitsAreMeasured) {
  RegistrarTelemetry registrar(0, 0, metrics_, *log_);
  registrar.on_registrar_commit(0.01);
  EXPECT_NE(metrics_.text().find("psephosd_store_commit_seconds_count{store=\"registrar\"} 1"),
            std::string::npos);
}

TEST_F(TelemetryTest, SheddingIsSaidOnceAndCounted) {
  BoxTelemetry box(0, metrics_, *log_);
  for (int i = 0; i < 5; ++i) {
    box.on_outcome(BoxObserver::Outcome::shed, nullptr);
    box.on_export(nullptr);
  }
  box.on_outcome(BoxObserver::Outcome::unavailable, nullptr);
  EXPECT_EQ(said({"part"}), Lines{"overloaded box"});
  EXPECT_NE(metrics_.text().find(R"(psephosd_ballots_total{check="",outcome="unavailable"} 6)"),
            std::string::npos);
}

TEST(OverloadTest, IsOverWhenNothingWasShedForAWhile) {
  Overload overload;
  const Overload::Clock::time_point start;
  EXPECT_FALSE(overload.look(start).has_value());
  EXPECT_TRUE(overload.shed(start));
  EXPECT_FALSE(overload.shed(start + 5s));
  EXPECT_FALSE(overload.look(start + 14s).has_value());
  EXPECT_FALSE(overload.shed(start + 14s));
  EXPECT_FALSE(overload.look(start + 20s).has_value());
  const auto over = overload.look(start + 24s);
  ASSERT_TRUE(over.has_value());
  EXPECT_EQ(over->shed, 3U);
  EXPECT_EQ(over->time, 14s);
  EXPECT_FALSE(overload.look(start + 30s).has_value());
  EXPECT_TRUE(overload.shed(start + 31s));
}

}  // namespace
}  // namespace psephos::server
