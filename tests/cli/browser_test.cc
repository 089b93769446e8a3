#include "cli/browser.h"

#include <array>
#include <string>

#include "tests/sign_in/support.h"
#include "tests/support/seeded_random.h"

namespace psephos::cli {
namespace {

using test::fails_with;

TEST(Browser, GetsNoSecrets) {
  std::string path = "PATH=/usr/bin";
  std::string password = "PSEPHOS_PASSWORD=correct horse";
  std::string later = "PSEPHOS_CODE=k7m2";
  std::string display = "DISPLAY=:0";
  const std::array<char*, 5> all = {path.data(), password.data(), later.data(), display.data(),
                                    nullptr};
  EXPECT_EQ(without_secrets(all.data()),
            (std::vector<char*>{path.data(), display.data(), nullptr}));
  const std::array<char*, 1> none = {nullptr};
  EXPECT_EQ(without_secrets(none.data()), std::vector<char*>{nullptr});
}

// Where a registrar could name a provider of its own that passes the voter on to another's.
TEST(Browser, AsksOnlyProvidersThatNameThemselvesIfTheyCouldBeMixedUp) {
  sign_in::FakeHttp http;
  http.publish({&sign_in::es256()});
  test::SeededRandom random;
  const SignIn::Provider provider{.issuer = std::string(sign_in::kIssuer),
                                  .client = sign_in::client()};
  const auto refused = sign_in_with_browser(
      http, provider, {.nonce = "n", .mixups = Mixups::possible, .open_browser = false}, random);
  ASSERT_TRUE(fails_with(Errc::rejected, refused));
  EXPECT_TRUE(refused.error().message.contains("RFC 9207"));
}

}  // namespace
}  // namespace psephos::cli
