#include "psephos/network/http_record.h"

#include <gtest/gtest.h>

#include "tests/network/fake_server.h"

namespace psephos::test {
namespace {

using network::HttpHeader;
using network::HttpRecord;

class HttpRecordTest : public ::testing::Test {
 protected:
  std::unique_ptr<HttpRecord> record(HttpRecord::Options options = {}) {
    options.sleep = [this](std::chrono::seconds wait) { waits.push_back(wait.count()); };
    auto made = HttpRecord::create(server, "http://fake/record", options);
    EXPECT_TRUE(made.has_value());
    return std::move(*made);
  }
  // Answers every request so.
  void always(unsigned status, std::vector<HttpHeader> headers = {}) {
    server.instead = [=](const std::string&) { return answer(status, headers); };
  }
  void expect_failure(Errc code, const std::string& words) {
    const auto file = record()->fetch("a", 10);
    ASSERT_FALSE(file.has_value());
    EXPECT_EQ(file.error().code, code);
    EXPECT_NE(file.error().message.find("http://fake/record/a"), std::string::npos)
        << file.error().message;
    EXPECT_NE(file.error().message.find(words), std::string::npos) << file.error().message;
  }

  FakeServer server{MemoryStore::Files{{"a", {1, 2, 3}}, {"box/0/checkpoint", {}}}};
  std::vector<std::int64_t> waits;
};

TEST_F(HttpRecordTest, ReadsFiles) {
  const auto source = record();
  EXPECT_EQ(source->read("a", 3), Bytes({1, 2, 3}));
  EXPECT_EQ(source->fetch("a", 3).value(), Bytes({1, 2, 3}));
  EXPECT_EQ(source->fetch("box/0/checkpoint", 0).value(), Bytes());
  EXPECT_TRUE(source->exists("a"));
  EXPECT_EQ(source->url("a"), "http://fake/record/a");
}

TEST_F(HttpRecordTest, AFileThatIsNotThereIsNothing) {
  const auto source = record();
  EXPECT_EQ(source->fetch("b", 3).value(), std::nullopt);
  EXPECT_EQ(source->read("b", 3).error().code, Errc::environment);
  EXPECT_FALSE(source->exists("b"));
}

TEST_F(HttpRecordTest, ARecordBehindAUrlCannotBeListed) {
  EXPECT_EQ(record()->list().error().code, Errc::misuse);
}

TEST_F(HttpRecordTest, RefusesWhatIsTooLong) {
  server.files["a"] = Bytes(11);
  expect_failure(Errc::malformed, "too long");
  server.obedient = false;
  expect_failure(Errc::malformed, "10 bytes");
}

TEST_F(HttpRecordTest, EveryOtherAnswerIsAnError) {
  for (const unsigned status : {100U, 201U, 204U, 206U, 304U, 400U, 401U, 403U, 410U, 500U, 502U}) {
    always(status);
    expect_failure(Errc::environment, std::to_string(status));
  }
  EXPECT_TRUE(waits.empty());
}

TEST_F(HttpRecordTest, RedirectsAreNamedAndNotFollowed) {
  always(301, {{.name = "location", .value = "https://elsewhere/\x1b[1m"}});
  expect_failure(Errc::environment, "https://elsewhere/\\x1b");
  EXPECT_EQ(server.requests.size(), 1U);
}

TEST_F(HttpRecordTest, NoConnectionNamesTheUrl) {
  server.fail_from = 0;
  expect_failure(Errc::environment, "no connection");
}

TEST_F(HttpRecordTest, WaitsAsLongAsTheServerAsksFor) {
  for (const unsigned status : {429U, 503U}) {
    waits.clear();
    int asked = 0;
    server.instead = [&](const std::string&) -> std::optional<Result<network::HttpResponse>> {
      if (++asked == 3) {
        return std::nullopt;
      }
      return answer(status, {{.name = "Retry-After", .value = std::to_string(asked * 7)}});
    };
    EXPECT_EQ(record()->read("a", 10), Bytes({1, 2, 3}));
    EXPECT_EQ(waits, (std::vector<std::int64_t>{7, 14}));
  }
}

TEST_F(HttpRecordTest, WaitsABoundedNumberOfTimes) {
  always(503, {{.name = "Retry-After", .value = "0"}});
  expect_failure(Errc::environment, "503");
  EXPECT_EQ(waits.size(), 5U);
  EXPECT_EQ(server.requests.size(), 6U);
}

TEST_F(HttpRecordTest, WaitsLongerEachTimeWithoutSeconds) {
  for (const std::string value : {"", "Wed, 21 Oct 2026 07:28:00 GMT", "-5", "3s", "1.5"}) {
    waits.clear();
    always(429, value.empty() ? std::vector<HttpHeader>()
                              : std::vector<HttpHeader>{{.name = "retry-after", .value = value}});
    expect_failure(Errc::environment, "429");
    EXPECT_EQ(waits, (std::vector<std::int64_t>{1, 2, 4, 8, 16})) << value;
  }
}

TEST_F(HttpRecordTest, DoesNotWaitForLong) {
  for (const std::string value : {"61", "4294967295", "99999999999999999999"}) {
    always(503, {{.name = "Retry-After", .value = value}});
    expect_failure(Errc::environment, "try again later");
  }
  EXPECT_TRUE(waits.empty());
}

TEST_F(HttpRecordTest, OnlyTilesMayComeFromACache) {
  struct Client final : network::HttpClient {
    Result<network::HttpResponse> send(const std::string& /*url*/,
                                       const network::HttpRequest& request,
                                       std::size_t /*max*/) override {
      no_cache = !request.headers.empty() && request.headers[0].name == "Cache-Control" &&
                 request.headers[0].value == "no-cache";
      return answer(200);
    }
    bool no_cache = false;
  };
  Client client;
  const auto source = std::move(*HttpRecord::create(client, "https://fake"));
  for (const std::string path : {"manifest.json", "main/checkpoint", "result.csv"}) {
    EXPECT_TRUE(source->read(path, 1).has_value());
    EXPECT_TRUE(client.no_cache) << path;
  }
  for (const std::string path : {"main/tile/entries/000", "box/0/tile/0/000.p/7"}) {
    EXPECT_TRUE(source->read(path, 1).has_value());
    EXPECT_FALSE(client.no_cache) << path;
  }
}

TEST(HttpRecordUrl, IsCheckedAndEndsWithASlash) {
  FakeServer server;
  for (const std::string url : {"http://a", "http://a/", "https://a:1/b"}) {
    const auto made = HttpRecord::create(server, url);
    ASSERT_TRUE(made.has_value()) << url;
    EXPECT_TRUE((*made)->url("").ends_with('/'));
    EXPECT_FALSE((*made)->url("").ends_with("//"));
  }
  for (const std::string url :
       {"", "record", "ftp://a", "http:/a", "http://", "https://", "HTTP://a", "http://a/?b",
        "http://a/#b", "http://a/ b", "http://a/\n"}) {
    EXPECT_EQ(HttpRecord::create(server, url).error().code, Errc::misuse) << url;
  }
}

TEST(HttpRecordUrl, IsToldFromADirectory) {
  EXPECT_TRUE(network::is_url("http://a"));
  EXPECT_TRUE(network::is_url("https://a"));
  EXPECT_FALSE(network::is_url("record"));
  EXPECT_FALSE(network::is_url("/http://a"));
  EXPECT_FALSE(network::is_url("https:record"));
}

}  // namespace
}  // namespace psephos::test
