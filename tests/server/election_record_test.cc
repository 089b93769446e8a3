#include "src/server/election_record.h"

#include "tests/server/service_test.h"

namespace psephos::server {
namespace {

namespace fs = std::filesystem;
using protocol::Message;
using Phase = protocol::MainLog::Phase;
using test::value;

class ElectionRecordTest : public ServiceTest {
 protected:
  [[nodiscard]] Message roll(const test::Forge& forge, std::uint32_t number) const {
    const std::vector<protocol::Registrar::RollRow> rows = {{.voter = "ada", .style = 0}};
    return value(forge.registrars[0].roll_import(*forge.election, number, rows));
  }
  static Message close_of(test::Forge& forge) {
    forge.close();
    return forge.main.back();
  }
};

TEST_F(ElectionRecordTest, KnowsWhatIsVisibleInTheFilesAlsoAfterAnError) {
  test::Forge forge(test::tiny_manifest());
  publish(forge);
  const auto record = open_record();
  std::vector<Phase> told;
  record->add_follower([&](const protocol::MainLog& now) { told.push_back(now.phase()); });
  const Message first = roll(forge, 0);
  ASSERT_EQ(value(extend(*record, forge, first)), 1U);
  // A file that goes once the next checkpoint stands cannot be removed.
  record->add_guard([&](const protocol::MainLog& /*next*/) -> Result<void> {
    const fs::path partial =
        record_path() / "main/tile/entries/000.p" / std::to_string(forge.main.size());
    EXPECT_TRUE(fs::remove(partial));
    fs::create_directory(partial);
    return {};
  });
  const auto closed = extend(*record, forge, close_of(forge));
  ASSERT_FALSE(closed.has_value());
  EXPECT_EQ(closed.error().code, Errc::environment);
  EXPECT_EQ(value(record->published("main")), forge.main.size() + 1);  // with the roll

  EXPECT_EQ(record->phase(), Phase::closed);
  EXPECT_EQ(told, (std::vector{Phase::voting, Phase::closed}));
  EXPECT_EQ(record->while_open([]() -> Result<void> { return {}; }).error().code, Errc::misuse);
  EXPECT_EQ(value(extend_again()), 0U);
  EXPECT_EQ(value(extend_again()), 0U);
  EXPECT_EQ(told.size(), 2U);
}

TEST_F(ElectionRecordTest, FoldsWhatAnotherHasWritten) {
  test::Forge forge(test::tiny_manifest());
  publish(forge);
  const auto record = open_record();
  const auto other = open_record();
  record->leave_to_mirror();
  EXPECT_EQ(extend(*record, forge, roll(forge, 0)).error().code, Errc::misuse);
  ASSERT_EQ(value(extend(*other, forge, roll(forge, 0))), 1U);
  EXPECT_TRUE(record->refresh().has_value());
  EXPECT_EQ(record->main_log()->roll_imports(0).size(), 1U);
  ASSERT_EQ(value(extend(*other, forge, close_of(forge))), 1U);
  EXPECT_EQ(record->phase(), Phase::voting);
  EXPECT_TRUE(record->refresh().has_value());
  EXPECT_EQ(record->phase(), Phase::closed);
}

TEST_F(ElectionRecordTest, ResumesNotBesideAClose) {
  test::Forge forge(test::tiny_manifest());
  publish(forge);
  const auto record = open_record();
  const auto box = value(open_box(forge, record));
  box->start();
  record->add_guard([&](const protocol::MainLog& next) { return box->may_become(next); });
  ASSERT_TRUE(box->stop().has_value());
  // Somebody resumes when the guards have spoken and the close is not written yet.
  std::atomic<bool> over = false;
  Result<void> resumed;
  std::jthread other;
  record->add_guard([&](const protocol::MainLog& /*next*/) -> Result<void> {
    other = std::jthread([&] {
      resumed = box->resume();
      over = true;
    });
    for (int i = 0; i < 50 && !over; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return {};
  });
  EXPECT_EQ(value(extend(*record, forge, close_of(forge))), 1U);
  other.join();
  ASSERT_FALSE(resumed.has_value());
  EXPECT_EQ(resumed.error().code, Errc::misuse);
  EXPECT_TRUE(box->stopped());
}

TEST_F(ElectionRecordTest, PublishesNoOtherResultThanTheMainLogs) {
  for (auto& forge : {test::small_election(), test::tiny_election()}) {
    publish(*forge);
    const auto record = open_record();
    const std::string& json = forge->result_json;
    const std::string& csv = forge->result_csv;
    EXPECT_TRUE(record->publish_result(json, csv).has_value());
    const auto refused = [&](const std::string& one, const std::string& other) {
      const auto result = record->publish_result(one, other);
      ASSERT_FALSE(result.has_value());
      EXPECT_EQ(result.error().code, Errc::rejected);
    };
    const auto with = [](std::string text, std::string_view old, std::string_view replacement) {
      const std::size_t at = text.find(old);
      EXPECT_NE(at, std::string::npos) << old;
      return at == std::string::npos ? text : text.replace(at, old.size(), replacement);
    };
    refused("", "");
    refused("{}", csv);
    refused(R"({"contests":[]})", csv);
    refused(json, "");
    refused(json + " ", csv);
    refused(with(json, "\"votes\": ", "\"votes\": 1"), csv);
    refused(with(json, "\"ballots\": ", "\"ballots\": 1"), csv);
    refused(json, with(csv, ",1,", ",11,"));
    const std::string& style = forge->manifest->styles.front().id;
    refused(with(json, "\"" + style + "\"", "\"nobody\""), csv);
    refused(with(json, "\"" + style + "\"", ""), csv);
    refused(with(json, "\"" + style + "\"", "7"), csv);
    runtime::DirectoryRecord files(record_path());
    EXPECT_EQ(as_text(value(files.read("result.json", kMaxFile))), json);
    EXPECT_EQ(as_text(value(files.read("result.csv", kMaxFile))), csv);
    fs::remove_all(record_path());
  }
}

TEST_F(ElectionRecordTest, PublishesNoResultBeforeItIsThere) {
  test::Forge forge(test::tiny_manifest());
  publish(forge);
  EXPECT_EQ(open_record()->publish_result("", "").error().code, Errc::misuse);
}

}  // namespace
}  // namespace psephos::server
