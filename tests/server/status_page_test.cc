// The page itself is looked at in a browser: status_page_test.py.
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "psephos/crypto/hash.h"

#include "src/server/embedded.h"

namespace psephos::server {
namespace {

TEST(StatusPage, IsTheFile) {
  std::ifstream in(PSEPHOS_SOURCE_DIR "/src/server/status_page.html");
  const std::string file((std::istreambuf_iterator<char>(in)), {});
  ASSERT_FALSE(file.empty());
  EXPECT_EQ(status_page().html, file);
}

// One script and one style, and the policy has the digests of both: what a browser compares.
TEST(StatusPage, ThePolicyAllowsWhatStandsInThePageAndNothingElse) {
  const std::string html(status_page().html);
  const std::string& policy = status_page().policy;
  for (const std::string element : {"script", "style"}) {
    const std::string start = "<" + element + ">";
    const std::size_t begin = html.find(start) + start.size();
    const std::size_t end = html.find("</" + element + ">");
    ASSERT_LT(begin, end);
    EXPECT_EQ(html.find("<" + element, begin), std::string::npos);
    const std::string digest =
        base64(crypto::sha256({as_bytes(std::string_view(html).substr(begin, end - begin))}));
    EXPECT_NE(policy.find(element + "-src 'sha256-" + digest + "'"), std::string::npos) << policy;
  }
  EXPECT_TRUE(policy.starts_with("default-src 'none'; "));
  for (const char* const never : {"unsafe", "*", "http", "frame-src", "object-src"}) {
    EXPECT_EQ(policy.find(never), std::string::npos) << never;
  }
  for (const char* const always :
       {"connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"}) {
    EXPECT_NE(policy.find(always), std::string::npos) << always;
  }
}

}  // namespace
}  // namespace psephos::server
