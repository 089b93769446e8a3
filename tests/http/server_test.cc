#include "src/http/server.h"

#include <atomic>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/http/serving.h"

namespace psephos::test {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kLastGet = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

TEST(HttpServer, AnswersARequest) {
  Serving serving;
  const std::string answer = serving.exchange(
      "POST /a%20b?q=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nxyz");
  EXPECT_EQ(status_of(answer), 200U);
  EXPECT_TRUE(answer.ends_with("\r\n\r\nPOST /a b?q=1 xyz")) << answer;
  EXPECT_TRUE(answer.contains("X-Content-Type-Options: nosniff\r\n"));
  EXPECT_TRUE(answer.contains("Connection: close\r\n"));
  EXPECT_FALSE(answer.contains("Server:"));
}

TEST(HttpServer, KeepsConnectionsAlive) {
  Serving serving;
  RawClient client(serving.port());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(client.send(kGet));
    EXPECT_TRUE(client.read_answer().ends_with("GET /a? "));
  }
  EXPECT_EQ(serving.server().connections(), 1U);
}

}  // namespace
}  // namespace psephos::test
