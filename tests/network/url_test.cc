#include "psephos/network/url.h"

#include <gtest/gtest.h>

namespace psephos::network {
namespace {

using namespace std::string_literals;

TEST(Url, Parts) {
  const auto url = Url::parse("HTTPS://Vote.Example:8443/a/b?c=d#e");
  ASSERT_TRUE(url.has_value());
  EXPECT_TRUE(url->secure);
  EXPECT_EQ(url->host, "vote.example");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/a/b?c=d");
  EXPECT_EQ(url->authority(), "vote.example:8443");
  EXPECT_EQ(url->print(), "https://vote.example:8443/a/b?c=d");
}

TEST(Url, ThisMachine) {
  for (const char* url :
       {"http://127.0.0.1", "http://127.1.2.3:80", "http://[::1]/", "http://LocalHost:1/x"}) {
    EXPECT_TRUE(is_this_machine(Url::parse(url)->host)) << url;
  }
  for (const char* host :
       {"", "127.evil.example", "127.0.0.1.evil.example", "127.0.0.1.", "127.1", "127", "128.0.0.1",
        "0.0.0.0", "0x7f.0.0.1", "localhost.evil.example", "my.localhost", "::", "::2",
        "::ffff:127.0.0.1", "[::1]", "vote.example"}) {
    EXPECT_FALSE(is_this_machine(host)) << host;
  }
}

TEST(Url, WhatGoesWithoutSaying) {
  EXPECT_EQ(Url::parse("http://a")->print(), "http://a/");
  EXPECT_EQ(Url::parse("http://a:80/")->print(), "http://a/");
  EXPECT_EQ(Url::parse("https://a:443?b")->print(), "https://a/?b");
  EXPECT_EQ(Url::parse("http://a:443/")->print(), "http://a:443/");
  EXPECT_EQ(Url::parse("http://a#b/c@d")->print(), "http://a/");
}

TEST(Url, V6) {
  const auto url = Url::parse("http://[2001:DB8::1]:8080/a");
  ASSERT_TRUE(url.has_value());
  EXPECT_EQ(url->host, "2001:db8::1");
  EXPECT_EQ(url->authority(), "[2001:db8::1]:8080");
  EXPECT_EQ(Url::parse("http://[::1]")->authority(), "[::1]");
}

TEST(Url, Refused) {
  for (const std::string& text : {""s,
                                  "a"s,
                                  "/a"s,
                                  "//a/b"s,
                                  "ftp://a/"s,
                                  "file:///a"s,
                                  "https:/a"s,
                                  "https:a"s,
                                  "https://"s,
                                  "https:///a"s,
                                  "https://:443/"s,
                                  "https://u@a/"s,
                                  "https://u:p@a/"s,
                                  "https://a:/"s,
                                  "https://a:0/"s,
                                  "https://a:65536/"s,
                                  "https://a:-1/"s,
                                  "https://a:1x/"s,
                                  "https://a:+1/"s,
                                  "https://[::1/"s,
                                  "https://[]/"s,
                                  "https://[g::1]/"s,
                                  "https://[::1]x/"s,
                                  "https://[1.2.3.4]/"s,
                                  "https://[fe80::1%25eth0]/"s,
                                  "https://::1/"s,
                                  "https://a b/"s,
                                  "https://a\\b/"s,
                                  "https://a%41/"s,
                                  "https://.a/"s,
                                  "https://a..b/"s,
                                  "https://-a/"s,
                                  "https://a/b c"s,
                                  "https://a/\r\nX: y"s,
                                  "https://a/b\n"s,
                                  "https://a/\0"s,
                                  "https://a/\xc3\xa9"s,
                                  "https://\xc3\xa9/"s,
                                  "https://a/%"s,
                                  "https://a/%4"s,
                                  "https://a/%zz"s,
                                  "https://a/\"b"s,
                                  "https://a/<b>"s,
                                  "https://a/\\b"s,
                                  " https://a/"s,
                                  "https://a /"s}) {
    EXPECT_FALSE(Url::parse(text).has_value()) << text;
  }
}

TEST(Join, PutsPathsBelow) {
  EXPECT_EQ(*join("https://a", "b"), "https://a/b");
  EXPECT_EQ(*join("https://a/b", "c/d"), "https://a/b/c/d");
  EXPECT_EQ(*join("https://a/b/", "c?d=..&/../"), "https://a/b/c?d=..&/../");
  EXPECT_EQ(*join("https://a/b?x=/y/#z", "c"), "https://a/b/c");
  EXPECT_EQ(*join("https://a/b", ""), "https://a/b/");
}

TEST(Join, LeadsNowhereElse) {
  for (const char* path : {"/a", "//evil.example/a", "..", "../a", "a/../b", "a/..", "./a",
                           "%2e%2e/a", ".%2E/a", "a/%2e", "a b", "a#b", "a\\b", "a\r\nb", "%"}) {
    EXPECT_FALSE(join("https://a/b", path).has_value()) << path;
  }
  EXPECT_FALSE(join("a", "b").has_value());
}

}  // namespace
}  // namespace psephos::network
