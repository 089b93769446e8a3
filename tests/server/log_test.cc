#include "src/server/log.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/crypto/expect.h"

namespace psephos::server {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;
using test::fails_with;
using test::is_ok;
using test::must;

class ServerLog : public testing::Test {
 protected:
  void SetUp() override {
    directory_ =
        fs::temp_directory_path() / ("psephos_log_" + std::to_string(::getpid()) + "_" +
                                     testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  [[nodiscard]] fs::path file() const { return directory_ / "log.jsonl"; }
  std::unique_ptr<Log> open(LogLevel level = LogLevel::info) {
    return must(Log::create({.level = level, .file = file()}));
  }
  static std::vector<std::string> lines_of(const fs::path& path) {
    std::ifstream in(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
      lines.push_back(line);
    }
    return lines;
  }
  // The error texts that come out for a message.
  std::string error_text(ErrorSource source, Errc code, const std::string& message) {
    fs::remove(file());
    open()->write<Event::failed>(with<Field::error>(SystemError(source, Error{code, message})));
    const auto lines = lines_of(file());
    EXPECT_EQ(lines.size(), 1U);
    return json::parse(lines.at(0)).at("error").get<std::string>();
  }

  fs::path directory_;
};

TEST_F(ServerLog, ALineIsOneObject) {
  open()->write<Event::mirror_conflict>(with<Field::election>(1), with<Field::log>(LogName::box(3)),
                                        with<Field::conflict>(network::Conflict::Kind::forked));
  const auto lines = lines_of(file());
  ASSERT_EQ(lines.size(), 1U);
  json line = json::parse(lines[0]);
  const auto time = line.at("time").get<std::string>();
  ASSERT_EQ(time.size(), 24U);
  EXPECT_EQ(time.substr(0, 2), "20");
  EXPECT_EQ(time.back(), 'Z');
  line.erase("time");
  EXPECT_EQ(line, json::parse(R"({"level": "error", "event": "mirror_conflict", "election": 1,
                                  "log": "box/3", "conflict": "forked"})"));
}

TEST_F(ServerLog, WordsAreThoseOfTheLists) {
  auto log = open();
  log->write<Event::starting>(with<Field::version>({}), with<Field::role>(Role::registrar));
  log->write<Event::phase_changed>(with<Field::phase>(protocol::MainLog::Phase::voting));
  log->write<Event::admin_call>(with<Field::call>(AdminCall::stop),
                                with<Field::outcome>(CallOutcome::refused));
  log->write<Event::draining>(with<Field::signal>(StopSignal::terminate));
  log->write<Event::internal_error>(with<Field::part>(Part::box));
  log->write<Event::listening>(with<Field::listener>(Listener::admin));
  log->write<Event::admin_not_allowed>();
  log->write<Event::overload_over>(with<Field::seconds>(1500ms), with<Field::shed>(12'000));
  const auto lines = lines_of(file());
  ASSERT_EQ(lines.size(), 8U);
  const auto value = [&](std::size_t i, const char* field) { return json::parse(lines[i])[field]; };
  EXPECT_EQ(value(0, "role"), "registrar");
  EXPECT_TRUE(value(0, "version").is_string());
  EXPECT_EQ(value(1, "phase"), "voting");
  EXPECT_EQ(value(2, "call"), "stop");
  EXPECT_EQ(value(2, "outcome"), "refused");
  EXPECT_EQ(value(3, "signal"), "terminate");
  EXPECT_EQ(value(4, "part"), "box");
  EXPECT_EQ(value(4, "level"), "error");
  EXPECT_EQ(value(5, "listener"), "admin");
  EXPECT_EQ(value(6, "event"), "admin_not_allowed");
  EXPECT_EQ(value(7, "seconds"), 1.5);
  EXPECT_EQ(value(7, "shed"), 12'000);
}

TEST_F(ServerLog, TheListsAreWhole) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kFields[i].field), i) << kFields[i].name;
    EXPECT_TRUE(names.insert(kFields[i].name).second) << kFields[i].name;
  }
  EXPECT_FALSE(names.contains("time") || names.contains("level") || names.contains("event"));
  names.clear();
  for (std::size_t i = 0; i < kEvents.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kEvents[i].event), i) << kEvents[i].name;
    EXPECT_TRUE(names.insert(kEvents[i].name).second) << kEvents[i].name;
  }
  // Whoever adds a field reads here what must not come.
  for (const FieldSpec& field : kFields) {
    for (const std::string_view never : {"voter", "name", "address", "client", "token", "path",
                                         "code", "digest", "credential", "index", "text"}) {
      EXPECT_NE(field.name, never);
    }
  }
}

TEST_F(ServerLog, ErrorsAreEscaped) {
  const std::string hostile =
      "a\"b\\c\nd\r{\"level\":\"x\"}\x1b[31m\x01 \xff\xfe \xe2\x80\xa8 %v {}";
  const std::string text = error_text(ErrorSource::files, Errc::environment, hostile);
  EXPECT_TRUE(text.starts_with("files: a\"b\\c\nd\r{\"level\":\"x\"}"));
  EXPECT_TRUE(text.ends_with("%v {}"));
  for (const std::string& line : lines_of(file())) {
    EXPECT_TRUE(std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; })) << line;
  }
}

TEST_F(ServerLog, EveryByteStaysOnOneLine) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string message(3, static_cast<char>(byte));
    EXPECT_TRUE(error_text(ErrorSource::record, Errc::malformed, message).starts_with("record: "));
  }
}

TEST_F(ServerLog, CodesAndDigestsAreBlottedOut) {
  const std::string code = "abcd-efgh-ijkl-mnop-qrst-uvwx-yz23-4567-abcd-efgh-ijkl-mnop-qrst";
  const std::string digest(64, 'a');
  const std::string token =
      "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZUBleGFtcGxlLm9yZyJ9.x";
  const std::string text =
      error_text(ErrorSource::store, Errc::environment,
                 "box/0 entry 7: " + code + " and (" + digest + ") " + token + " stay out");
  EXPECT_EQ(text, "store: box/0 entry 7: [...] and ([...]) [...].[...].x stay out");
  EXPECT_EQ(error_text(ErrorSource::store, Errc::environment, std::string(31, 'x')),
            "store: " + std::string(31, 'x'));
  EXPECT_EQ(error_text(ErrorSource::store, Errc::environment, std::string(32, 'x')),
            "store: [...]");
}

TEST_F(ServerLog, SourcesThatSeeVotersSayNoMoreThanTheFamily) {
  for (const ErrorSource source : {ErrorSource::store, ErrorSource::identity_provider}) {
    for (const Errc code : {Errc::malformed, Errc::rejected, Errc::misuse}) {
      const std::string text = error_text(source, code, "alice@example.org has voted");
      EXPECT_EQ(text, std::string(name(source)) + ": " + std::string(psephos::name(code)));
    }
    EXPECT_NE(error_text(source, Errc::environment, "disk full").find("disk full"),
              std::string::npos);
  }
}

TEST_F(ServerLog, LongErrorsAreCut) {
  std::string words;
  while (words.size() < 100'000) {
    words += "no space left ";
  }
  EXPECT_LT(error_text(ErrorSource::files, Errc::environment, words).size(), 700U);
}

TEST_F(ServerLog, BelowTheLevelNothingIsWritten) {
  auto log = open(LogLevel::warn);
  log->write<Event::listening>(with<Field::port>(1));
  log->write<Event::overloaded>(with<Field::part>(Part::box));
  log->write<Event::internal_error>();
  EXPECT_EQ(lines_of(file()).size(), 2U);
}

TEST_F(ServerLog, AppendsAndReopens) {
  open()->write<Event::roles_together>();
  auto log = open();
  log->write<Event::roles_together>();
  EXPECT_EQ(lines_of(file()).size(), 2U);
  fs::rename(file(), directory_ / "old");
  log->write<Event::roles_together>();
  EXPECT_TRUE(is_ok(log->reopen()));
  log->write<Event::roles_together>();
  EXPECT_EQ(lines_of(directory_ / "old").size(), 3U);
  EXPECT_EQ(lines_of(file()).size(), 1U);
}

TEST_F(ServerLog, AFileThatCannotBeOpenedIsAnError) {
  EXPECT_TRUE(
      fails_with(Errc::environment, Log::create({.level = LogLevel::info, .file = directory_})));
  auto log = open();
  fs::remove_all(directory_);
  std::ofstream(directory_) << "no directory";
  EXPECT_TRUE(fails_with(Errc::environment, log->reopen()));
  log->write<Event::roles_together>();  // goes where it went before
}

TEST_F(ServerLog, LinesOfManyThreadsStayWhole) {
  auto log = open();
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < 200; ++i) {
        log->write<Event::overload_over>(with<Field::seconds>(1s), with<Field::shed>(i));
        if (i == 100) {
          EXPECT_TRUE(is_ok(log->reopen()));
        }
      }
    });
  }
  threads.clear();
  const auto lines = lines_of(file());
  EXPECT_EQ(lines.size(), 800U);
  for (const std::string& line : lines) {
    EXPECT_TRUE(json::parse(line).at("shed").is_number_unsigned()) << line;
  }
}

}  // namespace
}  // namespace psephos::server
