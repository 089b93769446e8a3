#include "src/server/status_page.h"

#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

namespace psephos::server {
namespace {

TEST(StatusPage, IsTheFile) {
  std::ifstream in(PSEPHOS_SOURCE_DIR "/src/server/status_page.html");
  const std::string file((std::istreambuf_iterator<char>(in)), {});
  ASSERT_FALSE(file.empty());
  EXPECT_EQ(status_page(), file);
}

// The digest of "alert('Hello, world.');" is that of the W3C's Content Security Policy, §8.
TEST(StatusPage, PolicyAllowsWhatStandsInThePage) {
  EXPECT_EQ(content_security_policy("<p><script>alert('Hello, world.');</script>"),
            "default-src 'none'; "
            "script-src 'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='; "
            "style-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'");
}

TEST(StatusPage, PolicyHasADigestOfEachElement) {
  const std::string policy =
      content_security_policy("<style>a</style><script>1</script><script>2</script>");
  const auto count = [&](const std::string& word) {
    std::size_t found = 0;
    for (std::size_t at = policy.find(word); at != std::string::npos;
         at = policy.find(word, at + 1)) {
      ++found;
    }
    return found;
  };
  EXPECT_EQ(count("'sha256-"), 3U);
  EXPECT_EQ(count("unsafe"), 0U);
  EXPECT_NE(content_security_policy("<script>1</script>"),
            content_security_policy("<script>1 </script>"));
}

TEST(StatusPage, PolicyOfThePage) {
  const std::string policy = content_security_policy(status_page());
  EXPECT_EQ(policy.find("script-src 'none'"), std::string::npos);
  EXPECT_EQ(policy.find("style-src 'none'"), std::string::npos);
}

}  // namespace
}  // namespace psephos::server
