#include "src/store/roll_store.h"

#include <gtest/gtest.h>

#include "tests/store/support.h"

namespace psephos::store {
namespace {

class RollTest : public TemporaryDirectory {
 protected:
  void SetUp() override {
    TemporaryDirectory::SetUp();
    store_ = SqliteStore::create(root_ / "registrar.db", digest(7)).value();
  }
  void TearDown() override {
    store_.reset();
    TemporaryDirectory::TearDown();
  }
  void reopen() {
    store_.reset();
    store_ = SqliteStore::open(root_ / "registrar.db", digest(7)).value();
  }
  std::unique_ptr<SqliteStore> store_;
};

TEST_F(RollTest, ImportsListsAndActivatesThem) {
  const std::vector<RollRow> first{{"ada", 0, digest(1), 1}, {"ben", 1, std::nullopt, 2}};
  const std::vector<RollRow> second{{"żaneta", 1, digest(2), 1}, {"", 1, digest(2), 2}};
  {
    RollStore roll(*store_);
    EXPECT_EQ(roll.count().value(), std::vector<StyleCount>{});
    EXPECT_EQ(roll.import_list(first, digest(10), bytes("signed 1")).value(), 1U);
    EXPECT_EQ(roll.find("ada").value(), (RollVoter{0, digest(1), false}));
    ASSERT_TRUE(roll.activate(digest(10)).has_value());
    ASSERT_TRUE(roll.activate(digest(10)).has_value());
    EXPECT_EQ(roll.import_list(second, digest(11), bytes("signed 2")).value(), 2U);
  }
  reopen();
  const RollStore roll(*store_);
  EXPECT_EQ(roll.find("ada").value(), (RollVoter{0, digest(1), true}));
  EXPECT_EQ(roll.find("ben").value(), (RollVoter{1, std::nullopt, true}));
  EXPECT_EQ(roll.find("żaneta").value(), (RollVoter{1, digest(2), false}));
  EXPECT_EQ(roll.find("Ada").value(), std::nullopt);
  EXPECT_EQ(roll.find("ada ").value(), std::nullopt);
  EXPECT_EQ(roll.count().value(), (std::vector<StyleCount>{{0, 1, 1}, {1, 3, 1}}));
  EXPECT_EQ(roll.imports().value(),
            (std::vector<RollImport>{{1, digest(10), bytes("signed 1"), true},
                                     {2, digest(11), bytes("signed 2"), false}}));
  EXPECT_EQ(store_->integrity().value(), std::vector<std::string>{});
}

TEST_F(RollTest, RefusesAListAsAWhole) {
  RollStore roll(*store_);
  ASSERT_TRUE(
      roll.import_list(std::vector<RollRow>{{"ada", 0, {}, 1}}, digest(10), {}).has_value());
  ASSERT_TRUE(roll.activate(digest(10)).has_value());
  const auto refused = [&](std::vector<RollRow> rows, std::uint8_t number,
                           const std::vector<std::string>& words) {
    rows.insert(rows.begin(), RollRow{"new", 0, {}, 1});
    const auto result = roll.import_list(rows, digest(number), bytes("m"));
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Errc::misuse);
    for (const std::string& word : words) {
      EXPECT_NE(result.error().message.find(word), std::string::npos) << result.error().message;
    }
    EXPECT_EQ(roll.find("new").value(), std::nullopt);
    EXPECT_EQ(roll.imports().value().size(), 1U);
  };
  refused({{"ada", 0, {}, 17}}, 11, {"line 17", "\"ada\"", "already", "this style", "list 1"});
  refused({{"ada", 1, {}, 17}}, 11, {"line 17", "\"ada\"", "already", "another style"});
  refused({{"ben", 1, {}, 3}, {"ben", 1, {}, 4}}, 11, {"line 4", "\"ben\"", "twice"});
  refused({{"a\x1b[2J", 1, {}, 3}, {"a\x1b[2J", 1, {}, 4}}, 11, {"a\\x1b[2J"});
  refused({}, 10, {"imported already", "list 1"});
  // The store goes on.
  EXPECT_TRUE(
      roll.import_list(std::vector<RollRow>{{"ben", 0, {}, 1}}, digest(11), {}).has_value());
}

TEST_F(RollTest, PutsAListInThePlaceOfOneThatIsNotActive) {
  RollStore roll(*store_);
  EXPECT_EQ(roll.activate(digest(10)).error().code, Errc::misuse);
  const std::vector<RollRow> ada{{"ada", 0, {}, 1}};
  const std::vector<RollRow> both{{"ada", 1, {}, 1}, {"ben", 0, {}, 2}};
  ASSERT_TRUE(roll.import_list(ada, digest(10), bytes("signed 1")).has_value());
  ASSERT_TRUE(roll.import_list(both, digest(11), {}).has_value());
  EXPECT_EQ(roll.find("ada").value(), (RollVoter{1, {}, false}));
  EXPECT_EQ(roll.activate(digest(10)).error().code, Errc::misuse);
  // The same list may come again, while it is not active.
  ASSERT_TRUE(roll.import_list(ada, digest(10), bytes("signed 1")).has_value());
  ASSERT_TRUE(roll.import_list(ada, digest(10), bytes("signed 1")).has_value());
  EXPECT_EQ(roll.find("ben").value(), std::nullopt);
  // A list that is refused takes nobody's place.
  const std::vector<RollRow> twice{{"ben", 0, {}, 1}, {"ben", 0, {}, 2}};
  EXPECT_EQ(roll.import_list(twice, digest(12), {}).error().code, Errc::misuse);
  EXPECT_EQ(roll.imports().value(),
            (std::vector<RollImport>{{1, digest(10), bytes("signed 1"), false}}));
  ASSERT_TRUE(roll.activate(digest(10)).has_value());
  ASSERT_TRUE(
      roll.import_list(std::vector<RollRow>{{"ben", 0, {}, 1}}, digest(11), {}).has_value());
  EXPECT_EQ(roll.find("ada").value(), (RollVoter{0, {}, true}));
  EXPECT_EQ(store_->integrity().value(), std::vector<std::string>{});
}

}  // namespace
}  // namespace psephos::store
