// Two closes of one election, each with a record that passes the audit: an authority that gets both
// decrypted learns the difference, which may be one ballot. Each trustee prevents it alone.
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tests/record/forge.h"

namespace psephos::test {
namespace {

using protocol::MessageType;
using protocol::Trustee;

// The election closed after two ballots, and the same election closed again after a third.
class SecondClose : public testing::Test {
 protected:
  SecondClose() {
    auto voter = forge_.enrol();
    forge_.put(forge_.cast(voter, {"1"}));
    auto other = forge_.enrol();
    forge_.put(forge_.cast(other, {"2"}));
    late_.emplace(forge_.enrol());
    forge_.close();
    first_.emplace(forge_.tallied());
    forge_.main.resize(forge_.find(MessageType::close) + 1);
    forge_.put(forge_.cast(*late_, {"1"}));
    forge_.close_again();
    second_.emplace(forge_.tallied());
  }

  testing::AssertionResult refused(Trustee& trustee) {
    const auto share = trustee.decrypt(*second_, 0, forge_.random);
    if (share.has_value()) {
      return testing::AssertionFailure() << "the second close was decrypted";
    }
    if (share.error().code != Errc::misuse ||
        !share.error().message.contains("tally of other ballots")) {
      return testing::AssertionFailure() << share.error().message;
    }
    return testing::AssertionSuccess();
  }

  Forge forge_{tiny_manifest()};
  std::optional<protocol::Wallet> late_;
  std::optional<protocol::AuditedBallots> first_;
  std::optional<protocol::AuditedBallots> second_;
};

TEST_F(SecondClose, IsRefusedByWhoDecryptedTheFirst) {
  Trustee& trustee = forge_.trustees[0];
  EXPECT_TRUE(trustee.decrypt(*first_, 0, forge_.random).has_value());
  EXPECT_TRUE(refused(trustee));
  EXPECT_TRUE(refused(trustee)) << "asked again";
  // The close it serves stays the first.
  EXPECT_TRUE(trustee.decrypt(*first_, 0, forge_.random).has_value());
}

TEST_F(SecondClose, IsRefusedAfterSaveAndLoad) {
  Trustee& trustee = forge_.trustees[1];
  EXPECT_TRUE(trustee.decrypt(*first_, 0, forge_.random).has_value());
  Trustee loaded = value(Trustee::load(trustee.save()));
  EXPECT_TRUE(refused(loaded));
}

TEST_F(SecondClose, IsAsGoodAsAnyForWhoDecryptedNothing) {
  EXPECT_TRUE(forge_.trustees[0].decrypt(*second_, 0, forge_.random).has_value());
  EXPECT_EQ(forge_.trustees[0].decrypt(*first_, 0, forge_.random).error().code, Errc::misuse);
}

// A key file from before the trustee had bound itself, as a backup may be.
TEST_F(SecondClose, NothingIsDecryptedByWhoHasNotConfirmedTheCeremony) {
  constexpr std::size_t kRoster = 32 + 4 + 32 + 32 + 4 + 2 * 32 + 2 * 32 + 64;  // the first flag
  constexpr std::size_t kConfirmed = kRoster + 1 + 32;
  const SecretBuffer saved = forge_.trustees[0].save();
  const ByteView bytes = saved.expose_secret();
  ASSERT_EQ(bytes.size(), kConfirmed + 1 + 32 + 1);
  for (const auto& [kept, reason] :
       {std::pair(kRoster, "has not committed under this roster"),
        std::pair(kConfirmed, "has not confirmed this key ceremony")}) {
    Bytes older(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(kept));
    older.resize(kept == kRoster ? kept + 3 : kept + 2);  // flags: no
    Trustee trustee = value(Trustee::load(SecretBuffer(older)));
    const auto share = trustee.decrypt(*first_, 0, forge_.random);
    ASSERT_FALSE(share.has_value());
    EXPECT_EQ(share.error().code, Errc::misuse);
    EXPECT_TRUE(share.error().message.contains(reason)) << share.error().message;
  }
}

}  // namespace
}  // namespace psephos::test
