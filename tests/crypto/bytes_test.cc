#include "psephos/bytes.h"

#include <gtest/gtest.h>

namespace psephos {
namespace {

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
