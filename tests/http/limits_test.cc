// What a client cannot make the server hold or do.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/http/serving.h"

namespace psephos::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

// Sends one byte after another, each well before a timeout of single reads, until the server has
// answered. How long that took, at least.
std::string drip(RawClient& client, std::string_view start, std::chrono::milliseconds every) {
  client.send(start);
  std::string answer;
  while (!client.closed() && client.send("x")) {
    client.read(answer, every);
  }
  return answer + client.read_all();
}

TEST(HttpLimits, HeadsThatDripAreEnded) {
  Serving serving(echo, {.header_timeout = 300ms});
  RawClient client(serving.port());
  const auto start = Clock::now();
  const std::string answer = drip(client, "GET / HTTP/1.1\r\nHost: x\r\nA: ", 20ms);
  EXPECT_EQ(status_of(answer), 408U) << answer;
  EXPECT_GE(Clock::now() - start, 250ms);
}

TEST(HttpLimits, LaterHeadsToo) {
  Serving serving(echo, {.header_timeout = 300ms});
  RawClient client(serving.port());
  client.send(kGet);
  EXPECT_EQ(status_of(client.read_answer()), 200U);
  EXPECT_EQ(status_of(drip(client, "GET / HTTP/1.1\r\nA: ", 20ms)), 408U);
}

TEST(HttpLimits, BodiesThatDripAreEnded) {
  Serving serving(echo, {.body_timeout = 300ms});
  RawClient client(serving.port());
  const std::string answer =
      drip(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", 20ms);
  EXPECT_EQ(status_of(answer), 408U) << answer;
}

TEST(HttpLimits, SilenceIsEnded) {
  Serving serving(echo, {.header_timeout = 200ms, .idle_timeout = 200ms});
  RawClient silent(serving.port());
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_TRUE(silent.closed());
  RawClient once(serving.port());
  once.send(kGet);
  EXPECT_EQ(status_of(once.read_answer()), 200U);
  EXPECT_EQ(once.read_all(), "");
  EXPECT_TRUE(once.closed());
}

TEST(HttpLimits, WhoDoesNotReadIsLeft) {
  constexpr std::size_t kSize = 50'000'000;
  std::atomic<bool> asked = false;
  Serving serving(
      [&](const Request&, Respond respond) {
        asked = true;
        respond(text_response(std::string(kSize, 'x')));
      },
      {.write_timeout = 200ms});
  RawClient client(serving.port(), 4096);
  client.send(kGet);
  EXPECT_TRUE(eventually([&] { return asked.load(); }));
  EXPECT_TRUE(eventually([&] { return serving.server().connections() == 0; }));
  EXPECT_LT(client.read_all().size(), kSize);
}

TEST(HttpLimits, ConnectionsInAll) {
  Serving serving(echo, {.max_connections = 2});
  RawClient a(serving.port());
  RawClient b(serving.port());
  a.send(kGet);
  b.send(kGet);
  EXPECT_EQ(status_of(a.read_answer()), 200U);
  EXPECT_EQ(status_of(b.read_answer()), 200U);
  const std::string answer = serving.exchange(kGet);
  EXPECT_EQ(status_of(answer), 503U) << answer;
  EXPECT_TRUE(answer.contains("Retry-After: "));
  EXPECT_TRUE(answer.contains("application/problem+json"));
  a.close();
  EXPECT_TRUE(eventually([&] {
    return status_of(serving.exchange("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) ==
           200U;
  }));
}

TEST(HttpLimits, ConnectionsOfOneClient) {
  Serving serving(echo, {.max_connections_per_client = 1});
  RawClient a(serving.port());
  a.send(kGet);
  EXPECT_EQ(status_of(a.read_answer()), 200U);
  const std::string answer = serving.exchange(kGet);
  EXPECT_EQ(status_of(answer), 429U) << answer;
  EXPECT_TRUE(answer.contains("Retry-After: "));
}

TEST(HttpLimits, ConnectionsOfAProxyAreNotOneClients) {
  Serving serving(echo, {.max_connections_per_client = 1, .trusted_proxies = {"127.0.0.0/8"}});
  RawClient a(serving.port());
  RawClient b(serving.port());
  a.send(kGet);
  b.send(kGet);
  EXPECT_EQ(status_of(a.read_answer()), 200U);
  EXPECT_EQ(status_of(b.read_answer()), 200U);
}

TEST(HttpLimits, RequestsOfOneClient) {
  Serving serving(echo, {.requests_per_second = 0.001, .requests_burst = 3});
  RawClient client(serving.port());
  for (int i = 0; i < 3; ++i) {
    client.send(kGet);
    EXPECT_EQ(status_of(client.read_answer()), 200U);
  }
  client.send(kGet);
  const std::string answer = client.read_answer();
  EXPECT_EQ(status_of(answer), 429U);
  const std::size_t at = answer.find("Retry-After: ");
  ASSERT_NE(at, std::string::npos);
  EXPECT_GT(std::stoi(answer.substr(at + 13)), 100);
  // The connection goes on: closing it would cost more than the answer.
  client.send(kGet);
  EXPECT_EQ(status_of(client.read_answer()), 429U);
  // Other connections of the client do not help.
  EXPECT_EQ(status_of(serving.exchange("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")),
            429U);
}

TEST(HttpLimits, BodiesOfRefusedRequestsAreNotRead) {
  Serving serving(echo, {.requests_per_second = 0.001, .requests_burst = 1});
  serving.exchange("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer =
      serving.exchange("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(status_of(answer), 429U);
}

std::string forwarded(Serving& serving, const std::string& value) {
  const std::string answer = serving.exchange(
      "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: " + value + "\r\nConnection: close\r\n\r\n");
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

void tell_client(const Request& request, Respond respond) {
  respond(text_response(request.client));
}

TEST(HttpLimits, ForwardedForIsBelievedOfProxiesOnly) {
  Serving open(tell_client);
  EXPECT_EQ(forwarded(open, "192.0.2.7"), "127.0.0.1");
  Serving behind(tell_client, {.trusted_proxies = {"127.0.0.1", "10.0.0.0/8"}});
  EXPECT_EQ(forwarded(behind, "192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(forwarded(behind, "198.51.100.1, 192.0.2.7, 10.1.1.1"), "192.0.2.7");
  EXPECT_EQ(forwarded(behind, "198.51.100.1\r\nX-Forwarded-For: 192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(forwarded(behind, "nonsense"), "127.0.0.1");
}

TEST(HttpLimits, ClientsBehindAProxyHaveLimitsOfTheirOwn) {
  Serving serving(
      tell_client,
      {.requests_per_second = 0.001, .requests_burst = 1, .trusted_proxies = {"127.0.0.1"}});
  EXPECT_EQ(forwarded(serving, "192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(forwarded(serving, "192.0.2.2"), "192.0.2.2");
  EXPECT_TRUE(forwarded(serving, "192.0.2.1").contains("429"));
  EXPECT_TRUE(forwarded(serving, "198.51.100.9, 192.0.2.2").contains("429"));
}

}  // namespace
}  // namespace psephos::test
