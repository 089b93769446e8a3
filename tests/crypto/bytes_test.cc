#include "psephos/bytes.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/crypto/expect.h"

namespace psephos {
namespace {

// RFC 4648, section 10, without padding; and the two digits that base64 writes otherwise.
TEST(Base64Url, WritesAndReadsTheExamples) {
  const std::pair<std::string_view, std::string_view> examples[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"}};
  for (const auto& [bytes, text] : examples) {
    EXPECT_EQ(base64url(as_bytes(bytes)), text);
    EXPECT_EQ(as_text(test::must(unbase64url(text))), bytes);
  }
  Bytes all;
  for (unsigned i = 0; i < 256; ++i) {
    all.push_back(static_cast<std::uint8_t>(i));
    EXPECT_EQ(test::must(unbase64url(base64url(all))), all);
  }
}

TEST(Base64Url, RefusesWhatItDoesNotWrite) {
  for (const std::string_view text : {"A", "AAAAA", "Zg==", "Zg=", "Zh", "Zm9", "+A", "/A", "Zm 9",
                                      "Zm9v\n", " Zm9", "Zm9v.", "Zm9\xc3", "A="}) {
    EXPECT_TRUE(test::fails_with(Errc::malformed, unbase64url(text))) << text;
  }
  EXPECT_TRUE(test::fails_with(Errc::malformed, unbase64url(std::string_view("Zm\0v", 4))));
}

TEST(Printable, LeavesTextAsItIs) {
  for (const char* text :
       {"", "box/0 entry 7", "Gdańsk — 10 €", "a\\x1b", "\xc2\xa0", "\xf0\x9f\x97\xb3"}) {
    EXPECT_EQ(printable(text), text);
    EXPECT_FALSE(has_control(text)) << text;
  }
}

TEST(Printable, EscapesWhatSteersATerminal) {
  EXPECT_EQ(printable("x\x1b[2J\nACCEPTED\r"), "x\\x1b[2J\\x0aACCEPTED\\x0d");
  EXPECT_EQ(printable("a\x7f\tb"), "a\\x7f\\x09b");
  EXPECT_EQ(printable("a\xc2\x9b"
                      "b"),
            "a\\xc2\\x9bb");
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
  for (const char* text : {"\x1b", "\n", "\x7f", "\xc2\x80", "é\xc2\x9f"}) {
    EXPECT_TRUE(has_control(text));
    EXPECT_FALSE(has_control(printable(text)));
  }
}

TEST(Printable, EscapesWhatIsNotUtf8) {
  EXPECT_EQ(printable("a\x9b"
                      "b\xc3\xa9"),
            "a\\x9bb\\xc3\\xa9");
  EXPECT_EQ(printable("\xc2"), "\\xc2");
  EXPECT_EQ(printable("\xff\x01"), "\\xff\\x01");
}

}  // namespace
}  // namespace psephos
