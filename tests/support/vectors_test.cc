#include "tests/support/vectors.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

namespace psephos::test {
namespace {

using nlohmann::json;
using Paths = std::vector<std::string>;

TEST(Consuming, ReadsEveryType) {
  Consuming v(json::parse(
      R"({"about":"x","s":"text","h":"00fF","n":7,"i":-7,"b":true,"z":null,"e":[],"o":{"k":[1]}})"));
  EXPECT_EQ(v["s"].str(), "text");
  EXPECT_EQ(v["h"].hex(), (Bytes{0x00, 0xff}));
  EXPECT_EQ(v["n"].u64(), 7U);
  EXPECT_EQ(v["i"].i64(), -7);
  EXPECT_TRUE(v["b"].boolean());
  EXPECT_TRUE(v["z"].is_null());
  EXPECT_TRUE(v["e"].array().empty());
  for (const auto& [key, value] : v["o"].members()) {
    EXPECT_EQ(key, "k");
    EXPECT_EQ(value[0].u64(), 1U);
  }
  EXPECT_TRUE(v.unread().empty());
}

TEST(Consuming, NamesWhatWasNotRead) {
  Consuming v(json::parse(R"({"a":[{"x":1,"y":2},{"x":3,"y":4}],"b":{"c":{"d":1}},"e":[]})"));
  EXPECT_EQ(v.unread(), (Paths{"$"}));
  static_cast<void>(v["a"][0]["x"].u64());
  EXPECT_EQ(v.unread(), (Paths{"$.a[0].y", "$.a[1]", "$.b", "$.e"}));
  static_cast<void>(v["a"].array());
  static_cast<void>(v.has("b"));
  EXPECT_EQ(v.unread(), (Paths{"$.a[0].y", "$.a[1]", "$.b", "$.e"}));
  v["a"][0].ignore("y", "this test");
  static_cast<void>(v["a"][1]["x"].u64());
  static_cast<void>(v["a"][1]["y"].u64());
  v.ignore("b", "this test");
  static_cast<void>(v["e"].array());
  EXPECT_TRUE(v.unread().empty());
}

TEST(Consuming, FailsTheTestWhenItEnds) {
  EXPECT_NONFATAL_FAILURE(
      {
        Consuming v(json::parse(R"({"used":1,"forgotten":2})"));
        static_cast<void>(v["used"].u64());
      },
      "not read by this test: $.forgotten");
}

TEST(Consuming, RefusesOtherTypesAndMissingMembers) {
  Consuming v(json::parse(R"({"s":"0x","odd":"abc","n":-1})"));
  EXPECT_THROW(static_cast<void>(v["missing"]), std::runtime_error);
  EXPECT_THROW(static_cast<void>(v["s"].hex()), std::runtime_error);
  EXPECT_THROW(static_cast<void>(v["odd"].hex()), std::runtime_error);
  EXPECT_THROW(static_cast<void>(v["n"].u64()), std::runtime_error);
  EXPECT_THROW(static_cast<void>(v["n"].str()), std::runtime_error);
  EXPECT_THROW(static_cast<void>(v["n"].array()), std::runtime_error);
  EXPECT_THROW(static_cast<void>(v["n"]["x"]), std::runtime_error);
  EXPECT_THROW(static_cast<void>(v["n"][0]), std::runtime_error);
  EXPECT_EQ(v["n"].i64(), -1);
}

TEST(Consuming, SectionOfAFile) {
  PSEPHOS_LOAD_VECTORS(v, "rfc6962_merkle.json", "leaf_inputs");
  for (const Field& leaf : v.array()) {
    static_cast<void>(leaf.hex());
  }
}

TEST(Consuming, MissingFileFails) {
  const std::filesystem::path file = "/nonexistent/vectors.json";
  EXPECT_THROW(Consuming{file}, std::runtime_error);
}

}  // namespace
}  // namespace psephos::test
