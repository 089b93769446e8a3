// The rolls of a registrar, and the moment an issuance is stored.
#include "src/server/registrar_service.h"
#include "src/store/roll_store.h"
#include "tests/server/service_test.h"

namespace psephos::server {
namespace {

using test::value;

Bytes csv(std::string_view rows) {
  const std::string text = "voter,style\n" + std::string(rows);
  return {text.begin(), text.end()};
}

class RegistrarRollsTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    publish(forge_);
    start();
  }
  void TearDown() override {
    service_.reset();
    ServiceTest::TearDown();
  }
  void start() {
    service_.reset();
    record_ = open_record();
    service_ = value(open_registrar(forge_, record_));
  }
  // As the daemon has it.
  void connect() {
    record_->add_guard(
        [this](const protocol::MainLog& next) { return service_->may_become(next); });
    record_->add_follower(
        [this](const protocol::MainLog& now) { followed_ = service_->follow(now); });
  }
  Result<std::size_t> announce(const Bytes& message) {
    return extend(*record_, forge_, value(protocol::Message::decode(message)));
  }
  // Who is admitted, as the store has it afterwards.
  bool admits(std::string_view voter) {
    service_.reset();
    const auto store = value(store::SqliteStore::open(roll_path(), forge_.election->id()));
    const auto found = value(store::RollStore(*store).find(voter));
    return found.has_value() && found->active;
  }

  test::Forge forge_{test::tiny_manifest()};
  std::shared_ptr<ElectionRecord> record_;
  std::unique_ptr<RegistrarService> service_;
  Result<void> followed_;
};

TEST_F(RegistrarRollsTest, LetsNoListBeAnnouncedThatItDoesNotHave) {
  connect();
  const Bytes first = value(service_->import_roll(csv("ada,s\n")));
  static_cast<void>(value(service_->import_roll(csv("ada,s\nben,s\n"))));
  const auto announced = announce(first);
  ASSERT_FALSE(announced.has_value());
  EXPECT_EQ(announced.error().code, Errc::misuse);
  EXPECT_TRUE(announced.error().message.contains("import that list again"));
  EXPECT_TRUE(record_->main_log()->roll_imports(0).empty());
  // The same list again is the same message.
  EXPECT_EQ(value(service_->import_roll(csv("ada,s\n"))), first);
  EXPECT_EQ(value(extend_again()), 1U);
  EXPECT_TRUE(followed_.has_value());
  // The main log goes on, and so does the roll.
  EXPECT_EQ(value(announce(value(service_->import_roll(csv("cem,s\n"))))), 1U);
  EXPECT_TRUE(admits("ada"));
  EXPECT_TRUE(admits("cem"));
  EXPECT_FALSE(admits("ben"));
}

TEST_F(RegistrarRollsTest, KeepsAListWhenTheNextIsRefused) {
  connect();
  const Bytes first = value(service_->import_roll(csv("ada,s\n")));
  EXPECT_FALSE(service_->import_roll(csv("ben,s\nben,s\n")).has_value());
  EXPECT_EQ(value(announce(first)), 1U);
  EXPECT_TRUE(admits("ada"));
}

TEST_F(RegistrarRollsTest, StartsWithoutAListThatWasLostAndTakesItAgain) {
  const Bytes first = value(service_->import_roll(csv("ada,s\n")));
  const Bytes second = value(service_->import_roll(csv("ben,s\n")));
  ASSERT_EQ(value(announce(first)), 1U);  // nobody asks the registrar
  const std::size_t errors = observer_.errors;
  start();
  EXPECT_EQ(observer_.errors, errors + 1);
  connect();
  EXPECT_EQ(value(service_->import_roll(csv("ada,s\n"))), first);
  EXPECT_NE(value(service_->import_roll(csv("ben,s\n"))), second);  // its number is another now
  EXPECT_TRUE(admits("ada"));
}

TEST_F(RegistrarRollsTest, ActivatesAListLaterIfTheStoreFails) {
  // The files are written, and then the disk is full.
  std::optional<FullDisk> full;
  record_->add_follower([&](const protocol::MainLog& now) {
    full.emplace();
    followed_ = service_->follow(now);
  });
  service_->start();
  ASSERT_EQ(value(announce(value(service_->import_roll(csv("ada,s\n"))))), 1U);
  ASSERT_FALSE(followed_.has_value());
  EXPECT_EQ(followed_.error().code, Errc::environment);
  EXPECT_FALSE(service_->healthy());
  full.reset();
  EXPECT_TRUE(soon([&] { return service_->healthy(); }));
  EXPECT_TRUE(admits("ada"));
}

TEST_F(RegistrarRollsTest, AnswersNothingThatWasNotStored) {
  protocol::IssuanceState state(*forge_.manifest);
  const protocol::Issuance one{.pseudonym = {1}, .style = 0, .blinded_digest = {1}};
  const protocol::Issuance other{.pseudonym = {1}, .style = 0, .blinded_digest = {2}};
  EXPECT_EQ(fate_of(state, one, true), IssuanceFate::stored);
  // Judged when another request of the voter was on its way to a store that then failed.
  EXPECT_EQ(fate_of(state, one, false), IssuanceFate::undone);
  ASSERT_TRUE(state.append(one).has_value());
  EXPECT_EQ(fate_of(state, one, true), IssuanceFate::repeated);
  EXPECT_EQ(fate_of(state, one, false), IssuanceFate::repeated);
  EXPECT_EQ(fate_of(state, other, true), IssuanceFate::taken);
  EXPECT_EQ(fate_of(state, other, false), IssuanceFate::taken);
}

}  // namespace
}  // namespace psephos::server
