#include "src/http/target.h"

#include <gtest/gtest.h>

namespace psephos::http {
namespace {

using namespace std::string_literals;

TEST(Target, PathAndQuery) {
  const auto target = parse_target("/v1/elections?x=%20&y=/?");
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->path, "/v1/elections");
  EXPECT_EQ(target->query, "x=%20&y=/?");
}

TEST(Target, IsDecodedOnce) {
  EXPECT_EQ(parse_target("/a%20b%41%c3%a9")->path, "/a bA\xc3\xa9");
  EXPECT_EQ(parse_target("/100%25")->path, "/100%");
  EXPECT_EQ(parse_target("/%2541")->path, "/%41");
  EXPECT_EQ(parse_target("/a+b")->path, "/a+b");
}

TEST(Target, Forms) {
  EXPECT_EQ(parse_target("/")->path, "/");
  EXPECT_EQ(parse_target("/?")->path, "/");
  EXPECT_EQ(parse_target("/a/")->path, "/a/");
  EXPECT_EQ(parse_target("/.well-known/...x")->path, "/.well-known/...x");
  EXPECT_EQ(parse_target("http://host:80/a?b")->path, "/a");
  EXPECT_EQ(parse_target("HTTPS://host")->path, "/");
  EXPECT_EQ(parse_target("http://host/..").has_value(), false);
}

TEST(Target, Refused) {
  for (const std::string& text : {
           ""s,
           "*"s,
           "a"s,
           "?a"s,
           "host:443"s,
           "ftp://host/a"s,
           "http://host?a"s,
           "/a b"s,
           "/a\\b"s,
           "/a%5Cb"s,
           "/a%5cb"s,
           "/a%2Fb"s,
           "/a%2fb"s,
           "/%2F"s,
           "/%00"s,
           "/a\0b"s,
           "/%0a"s,
           "/%0d%0aX:"s,
           "/%7f"s,
           "/%c2%85"s,
           "/%"s,
           "/%4"s,
           "/%4g"s,
           "/%%41"s,
           "/%ff"s,
           "/%c0%af"s,
           "/%ed%a0%80"s,
           "/caf\xc3\xa9"s,
           "//"s,
           "//a"s,
           "/a//b"s,
           "/."s,
           "/.."s,
           "/../etc/passwd"s,
           "/a/./b"s,
           "/a/../b"s,
           "/a/.."s,
           "/%2e%2e/a"s,
           "/a/%2E"s,
           "/a/.%2e/"s,
           "/a#b"s,
           "/<a>"s,
           "/\"a\""s,
           "/a?b#c"s,
           "/a?b c"s,
           "/a?%zz"s,
           "/a?\x80"s,
       }) {
    EXPECT_FALSE(parse_target(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace psephos::http
