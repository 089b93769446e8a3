#include "src/server/ledger.h"

#include "src/store/sqlite_store.h"
#include "tests/server/service_test.h"

namespace psephos::server {
namespace {

namespace fs = std::filesystem;
using test::value;

class LedgerTest : public ServiceTest {
 protected:
  void expect_refused(const Result<std::unique_ptr<BoxService>>& opened, std::string_view words) {
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, Errc::rejected);
    EXPECT_TRUE(opened.error().message.contains(words)) << opened.error().message;
  }
};

TEST_F(LedgerTest, BeginsTheLogsThatAStoreLacks) {
  test::Forge forge(test::small_manifest());
  publish(forge);
  // A machine that died between the file and the logs in it.
  ASSERT_TRUE(store::SqliteStore::create(box_path(), forge.election->id()).has_value());
  const auto one = open_box(forge, open_record(), {0});
  ASSERT_TRUE(one.has_value()) << one.error().message;
  (*one)->finish();
}

TEST_F(LedgerTest, TakesAShardMore) {
  test::Forge forge(test::small_manifest());
  publish(forge);
  ASSERT_TRUE(open_box(forge, open_record(), {0}).has_value());
  const auto both = open_box(forge, open_record(), {0, 1});
  ASSERT_TRUE(both.has_value()) << both.error().message;
  EXPECT_NE(value((*both)->checkpoint("box/1")), "");
}

TEST_F(LedgerTest, BeginsNoLogTwice) {
  test::Forge forge(test::tiny_manifest());
  publish(forge);
  ASSERT_TRUE(open_box(forge, open_record()).has_value());
  // Nothing was published, but receipts may have left.
  fs::remove(box_path());
  expect_refused(open_box(forge, open_record()), "the store is missing");
  EXPECT_FALSE(fs::exists(box_path()));
  ASSERT_TRUE(store::SqliteStore::create(box_path(), forge.election->id()).has_value());
  expect_refused(open_box(forge, open_record()), "no log box/0");
  // Marks of another election in this place, and what an operator removes who knows better.
  const fs::path mark = directory_ / "record.box-0.begun";
  ASSERT_TRUE(runtime::write_file(mark, as_bytes("another election's\n")).has_value());
  EXPECT_TRUE(open_box(forge, open_record()).has_value());
  fs::remove(box_path());
  expect_refused(open_box(forge, open_record()), mark.string());
  ASSERT_TRUE(fs::remove(mark));
  EXPECT_TRUE(open_box(forge, open_record()).has_value());
}

TEST_F(LedgerTest, OpensTheStoreAgainAfterASwitchFailed) {
  test::Forge forge(test::tiny_manifest());
  publish(forge);
  const auto box = value(open_box(forge, open_record()));
  box->start();
  {
    const FullDisk full;
    const auto stopped = box->stop();
    ASSERT_FALSE(stopped.has_value());
    EXPECT_EQ(stopped.error().code, Errc::environment);
    EXPECT_FALSE(box->healthy());
    EXPECT_GE(observer_.errors, 1U);
  }
  EXPECT_TRUE(soon([&] { return box->healthy(); }));
  EXPECT_FALSE(box->stopped());
  const auto stopped = box->stop();
  EXPECT_TRUE(stopped.has_value()) << stopped.error().message;
  EXPECT_TRUE(box->resume().has_value());
}

}  // namespace
}  // namespace psephos::server
