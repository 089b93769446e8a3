#include "src/http/client_address.h"

#include <gtest/gtest.h>

namespace psephos::http {
namespace {

using namespace std::string_literals;

Address address(std::string_view text) { return parse_address(text).value(); }

std::vector<AddressRange> ranges(const std::vector<std::string>& texts) {
  std::vector<AddressRange> result;
  for (const std::string& text : texts) {
    result.push_back(AddressRange::parse(text).value());
  }
  return result;
}

TEST(Address, HasOneForm) {
  EXPECT_EQ(address("192.0.2.1").print(), "192.0.2.1");
  EXPECT_EQ(address("::ffff:192.0.2.1"), address("192.0.2.1"));
  EXPECT_EQ(address("2001:DB8:0::1").print(), "2001:db8::1");
  for (const std::string& text : {""s, "x"s, "1.2.3"s, "1.2.3.4.5"s, "256.1.1.1"s, "[::1]"s,
                                  "fe80::1%eth0"s, "1.2.3.4:5"s, "::1\0"s, " ::1"s, "01.2.3.4"s}) {
    EXPECT_FALSE(parse_address(text).has_value()) << text;
  }
}

TEST(Address, ClientOfV6IsItsNetwork) {
  EXPECT_EQ(address("2001:db8:1:2:3:4:5:6").client(), "2001:db8:1:2::/64");
  EXPECT_EQ(address("2001:db8:1:2::9").client(), address("2001:db8:1:2:8::").client());
  EXPECT_EQ(address("192.0.2.7").client(), "192.0.2.7");
}

TEST(AddressRange, Contains) {
  EXPECT_TRUE(ranges({"10.0.0.0/8"})[0].contains(address("10.255.0.1")));
  EXPECT_FALSE(ranges({"10.0.0.0/8"})[0].contains(address("11.0.0.1")));
  EXPECT_TRUE(ranges({"10.1.2.128/25"})[0].contains(address("10.1.2.200")));
  EXPECT_FALSE(ranges({"10.1.2.128/25"})[0].contains(address("10.1.2.100")));
  EXPECT_TRUE(ranges({"10.1.2.3"})[0].contains(address("10.1.2.3")));
  EXPECT_FALSE(ranges({"10.1.2.3"})[0].contains(address("10.1.2.2")));
  EXPECT_TRUE(ranges({"0.0.0.0/0"})[0].contains(address("1.2.3.4")));
  EXPECT_FALSE(ranges({"0.0.0.0/0"})[0].contains(address("::1")));
  EXPECT_TRUE(ranges({"::/0"})[0].contains(address("1.2.3.4")));
  EXPECT_TRUE(ranges({"2001:db8::/33"})[0].contains(address("2001:db8:7fff::1")));
  EXPECT_FALSE(ranges({"2001:db8::/33"})[0].contains(address("2001:db8:8000::1")));
}

TEST(AddressRange, Refused) {
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x",
                           "::/129", "proxy.example", "10.0.0.0/8/8", "10.0.0/8"}) {
    EXPECT_FALSE(AddressRange::parse(text).has_value()) << text;
  }
}

std::string client(std::string_view peer, const std::vector<std::string_view>& forwarded,
                   const std::vector<std::string>& trusted) {
  return client_of(address(peer), forwarded, ranges(trusted)).print();
}

TEST(ClientOf, BelievesTrustedProxiesOnly) {
  EXPECT_EQ(client("203.0.113.5", {"192.0.2.1"}, {"10.0.0.0/8"}), "203.0.113.5");
  EXPECT_EQ(client("203.0.113.5", {"192.0.2.1"}, {}), "203.0.113.5");
  EXPECT_EQ(client("10.0.0.1", {"192.0.2.1"}, {"10.0.0.0/8"}), "192.0.2.1");
}

TEST(ClientOf, IsTheLastUntrustedHop) {
  const std::vector<std::string> trusted{"10.0.0.0/8", "::1"};
  EXPECT_EQ(client("10.0.0.1", {"198.51.100.1, 192.0.2.1"}, trusted), "192.0.2.1");
  EXPECT_EQ(client("::1", {"198.51.100.1,192.0.2.1 , 10.2.2.2"}, trusted), "192.0.2.1");
  EXPECT_EQ(client("10.0.0.1", {"198.51.100.1", "192.0.2.1", "10.3.3.3"}, trusted), "192.0.2.1");
  EXPECT_EQ(client("10.0.0.1", {"10.9.9.9,10.3.3.3"}, trusted), "10.9.9.9");
  EXPECT_EQ(client("10.0.0.1", {}, trusted), "10.0.0.1");
  // What is left of the client's own entry is the client's invention.
  EXPECT_EQ(client("10.0.0.1", {"nonsense, 192.0.2.1"}, trusted), "192.0.2.1");
}

TEST(ClientOf, TakesPortsAndBrackets) {
  const std::vector<std::string> trusted{"10.0.0.0/8"};
  EXPECT_EQ(client("10.0.0.1", {"192.0.2.1:4711"}, trusted), "192.0.2.1");
  EXPECT_EQ(client("10.0.0.1", {"[2001:db8::1]:4711"}, trusted), "2001:db8::1");
  EXPECT_EQ(client("10.0.0.1", {"[2001:db8::1]"}, trusted), "2001:db8::1");
  EXPECT_EQ(client("10.0.0.1", {"2001:db8::1"}, trusted), "2001:db8::1");
}

TEST(ClientOf, MalformedIsThePeer) {
  const std::vector<std::string> trusted{"10.0.0.0/8"};
  for (const std::string_view text :
       {"", ",", "unknown", "192.0.2.1,", "192.0.2.1, ,10.0.0.2", "192.0.2.1:x",
        "192.0.2.1:", "192.0.2.1:123456", "[2001:db8::1", "[2001:db8::1]x", "[2001:db8::1]:", "[]",
        "_hidden", "192.0.2.1 10.0.0.2", "\"192.0.2.1\""}) {
    EXPECT_EQ(client("10.0.0.1", {text}, trusted), "10.0.0.1") << text;
  }
}

}  // namespace
}  // namespace psephos::http
