#include "src/http/server.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "src/http/router.h"
#include "tests/http/malformed_requests.h"
#include "tests/http/serving.h"

namespace psephos::test {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kLastGet = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

// Keeps what handlers are given until the test takes it.
class Held {
 public:
  void put(Respond respond) {
    const std::scoped_lock lock(mutex_);
    held_.push_back(std::move(respond));
    changed_.notify_all();
  }
  Respond take() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [&] { return !held_.empty(); })) {
      throw std::runtime_error("no request came");
    }
    Respond respond = std::move(held_.front());
    held_.erase(held_.begin());
    return respond;
  }
  FunctionHandler::Function handler() {
    return [this](const Request&, Respond respond) { put(std::move(respond)); };
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Respond> held_;
};

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

TEST(HttpServer, KeepsOldConnectionsIfAsked) {
  Serving serving;
  EXPECT_EQ(status_of(serving.exchange("GET /a HTTP/1.0\r\n\r\n")), 200U);
  RawClient client(serving.port());
  for (int i = 0; i < 2; ++i) {
    client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_TRUE(client.read_answer().contains("Connection: keep-alive\r\n"));
  }
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  Serving serving([](Request request, Respond respond) {
    // The first answers are the last to be ready.
    std::thread([request = std::move(request), respond = std::move(respond)]() mutable {
      std::this_thread::sleep_for(request.path == "/1" ? 50ms : 0ms);
      echo(std::move(request), std::move(respond));
    }).detach();
  });
  const std::string answers = serving.exchange(
      "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n11"
      "POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n22\r\n0\r\n\r\n"
      "GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
      "GET /4 HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::size_t first = answers.find("POST /1? 11");
  const std::size_t second = answers.find("POST /2? 22");
  const std::size_t third = answers.find("GET /3? ");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_NE(third, std::string::npos);
  EXPECT_FALSE(answers.contains("/4"));
}

TEST(HttpServer, RefusesTheMalformedAndCloses) {
  std::atomic<int> handled = 0;
  Serving serving([&](Request request, Respond respond) {
    ++handled;
    echo(std::move(request), std::move(respond));
  });
  for (const MalformedRequest& request : malformed_requests()) {
    // What would be a request of its own, were the end of the first one in doubt.
    const std::string answer = serving.exchange(request.bytes + "\r\n" + std::string(kGet));
    EXPECT_EQ(status_of(answer), request.status) << request.what << answer;
    EXPECT_TRUE(answer.contains("application/problem+json")) << request.what;
    EXPECT_EQ(answer.find("HTTP/1.1 2"), std::string::npos) << request.what << answer;
  }
  EXPECT_EQ(handled, 0);
}

TEST(HttpServer, HeadHasNoBody) {
  Serving serving;
  const std::string answer =
      serving.exchange("HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(answer.contains("Content-Length: 9\r\n")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST(HttpServer, AsksForABodyItWants) {
  Serving serving(echo, {.max_body = 10});
  RawClient client(serving.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ab");
  EXPECT_TRUE(client.read_answer().ends_with("POST /? ab"));
  const std::string refused = serving.exchange(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(status_of(refused), 413U);
}

TEST(HttpServer, RefusalArrivesThoughTheBodyIsStillSent) {
  Serving serving;
  RawClient client(serving.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n");
  client.send(std::string(500'000, 'x'));
  const std::string answer = client.read_all();
  EXPECT_EQ(status_of(answer), 413U);
}

TEST(HttpServer, LimitsBodiesPerRoute) {
  http::Router router;
  const auto accept = [](const Request&, const http::PathParameters&, Respond respond) {
    respond(text_response("taken"));
  };
  router.add("POST", "/small", accept, 3);
  router.add("POST", "/usual", accept);
  Serving serving(router, {.max_body = 5});
  const auto post = [&](const std::string& path, std::size_t size) {
    return status_of(serving.exchange("POST " + path + " HTTP/1.1\r\nHost: x\r\n" +
                                      "Connection: close\r\nContent-Length: " +
                                      std::to_string(size) + "\r\n\r\n" + std::string(size, 'x')));
  };
  EXPECT_EQ(post("/small", 3), 200U);
  EXPECT_EQ(post("/small", 4), 413U);
  EXPECT_EQ(post("/usual", 5), 200U);
  EXPECT_EQ(post("/usual", 6), 413U);
  EXPECT_EQ(post("/nowhere", 5), 404U);
  EXPECT_EQ(post("/nowhere", 6), 413U);
}

// A path that does not ask for more gets little, whoever sends it.
TEST(HttpServer, BodiesAreShortUnlessARouteAsksForMore) {
  http::Router router;
  const auto accept = [](const Request&, const http::PathParameters&, Respond respond) {
    respond(text_response("taken"));
  };
  router.add("POST", "/large", accept, 1 << 20U);
  router.add("POST", "/usual", accept);
  ServerOptions options;
  options.listen = {"127.0.0.1:0"};
  const auto server = HttpServer::create(options, router);
  ASSERT_TRUE(server.has_value());
  (*server)->start();
  const auto post = [&](const std::string& path, std::size_t size) {
    RawClient client((*server)->port());
    client.send("POST " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                std::to_string(size) + "\r\n\r\n" + std::string(size, 'x'));
    return status_of(client.read_all());
  };
  EXPECT_EQ(post("/usual", 4096), 200U);
  EXPECT_EQ(post("/usual", 4097), 413U);
  EXPECT_EQ(post("/nowhere", 4097), 413U);
  EXPECT_EQ(post("/large", 100'000), 200U);
}

TEST(HttpServer, AGuardAnswersBeforeTheBodyIsRead) {
  http::Router router;
  std::atomic<int> handled = 0;
  router.add(
      "POST", "/a",
      [&](const Request& request, const http::PathParameters&, Respond respond) {
        ++handled;
        respond(text_response(std::to_string(request.body.size())));
      },
      std::size_t{1} << 30U);
  router.set_guard([](const Request& head) -> std::optional<Response> {
    EXPECT_TRUE(head.body.empty());
    const std::string* key = head.header("Key");
    return key != nullptr && *key == "good" ? std::nullopt
                                            : std::optional(text_response("no", 401));
  });
  Serving serving(router, {});
  const auto head = [](const std::string& path, const std::string& key) {
    return "POST " + path + " HTTP/1.1\r\nHost: x\r\nKey: " + key +
           "\r\nConnection: close\r\nContent-Length: 1000000000\r\n\r\n";
  };
  // Answered though not a byte of the body comes; on every path.
  EXPECT_EQ(status_of(serving.exchange(head("/a", "bad"))), 401U);
  EXPECT_EQ(status_of(serving.exchange(head("/nowhere", "bad"))), 401U);
  EXPECT_EQ(handled, 0);
  // Who may is asked for the body.
  RawClient client(serving.port());
  client.send(
      "POST /a HTTP/1.1\r\nHost: x\r\nKey: good\r\nContent-Length: 2\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ab");
  EXPECT_TRUE(client.read_answer().ends_with("\r\n2"));
  EXPECT_EQ(handled, 1);
}

TEST(HttpServer, LargeAnswers) {
  const std::string text(5'000'000, 'x');
  Serving serving([&](const Request&, Respond respond) { respond(text_response(text)); });
  const std::string answer = serving.exchange(kLastGet);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n" + text));
}

TEST(HttpServer, HandlersMayThrow) {
  Serving serving([](const Request& request, const Respond&) {
    if (request.path == "/a") {
      throw std::runtime_error("a secret");
    }
    throw 1;  // NOLINT: whatever it is
  });
  for (const std::string path : {"/a", "/b"}) {
    const std::string answer =
        serving.exchange("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(status_of(answer), 500U);
    EXPECT_FALSE(answer.contains("secret"));
  }
}

TEST(HttpServer, HandlersMayForgetToAnswer) {
  Serving serving([](const Request&, const Respond&) {});
  EXPECT_EQ(status_of(serving.exchange(kLastGet)), 500U);
}

TEST(HttpServer, TheFirstAnswerCounts) {
  Serving serving([](const Request&, Respond respond) {
    respond(text_response("first"));
    respond(text_response("second"));
  });
  RawClient client(serving.port());
  for (int i = 0; i < 3; ++i) {
    client.send(kGet);
    EXPECT_TRUE(client.read_answer().ends_with("first"));
  }
}

TEST(HttpServer, AnswersThatCannotBeWrittenAreErrors) {
  Serving serving([](const Request&, Respond respond) {
    Response response = text_response("x");
    response.headers = {{"Location", "/\r\nSet-Cookie: a=b"}};
    respond(std::move(response));
  });
  const std::string answer = serving.exchange(kLastGet);
  EXPECT_EQ(status_of(answer), 500U);
  EXPECT_FALSE(answer.contains("Set-Cookie"));
}

TEST(HttpServer, AnswersFromOtherThreads) {
  Held held;
  Serving serving(held.handler());
  RawClient client(serving.port());
  client.send(kGet);
  Respond respond = held.take();
  respond(text_response("later"));
  EXPECT_TRUE(client.read_answer().ends_with("later"));
}

TEST(HttpServer, AnswersForWhoLeftAreIgnored) {
  Held held;
  Serving serving(held.handler());
  for (int i = 0; i < 20; ++i) {
    RawClient client(serving.port());
    client.send(kGet);
    Respond respond = held.take();
    client.reset();
    respond(text_response(std::string(1'000'000, 'x')));
  }
  EXPECT_TRUE(eventually([&] { return serving.server().connections() == 0; }));
}

TEST(HttpServer, AnswersAfterTheServerAreIgnored) {
  Held held;
  Respond late;
  Respond forgotten;
  {
    Serving serving(held.handler());
    RawClient a(serving.port());
    RawClient b(serving.port());
    a.send(kGet);
    late = held.take();
    b.send(kGet);
    forgotten = held.take();
    serving.server().stop(0ms);
    late(text_response("late"));
  }
  forgotten(text_response("later"));
}

TEST(HttpServer, ManyClientsAtOnce) {
  Serving serving;
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 16; ++i) {
      clients.emplace_back([&, i] {
        for (int connection = 0; connection < 5; ++connection) {
          RawClient client(serving.port());
          for (int j = 0; j < 20; ++j) {
            const std::string body = std::to_string(i) + "-" + std::to_string(j);
            client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                        std::to_string(body.size()) + "\r\n\r\n" + body);
            right += client.read_answer().ends_with("POST /? " + body) ? 1 : 0;
          }
        }
      });
    }
  }
  EXPECT_EQ(right, 16 * 5 * 20);
}

TEST(HttpServer, TellsTheObserverNoAddress) {
  http::Router router;
  router.add("GET", "/v1/{id}", [](const Request&, const http::PathParameters&, Respond respond) {
    respond(text_response("hello"));
  });
  std::mutex mutex;
  std::vector<http::RequestRecord> records;
  ServerOptions options;
  options.observer = [&](const http::RequestRecord& record) {
    const std::scoped_lock lock(mutex);
    records.push_back(record);
    throw std::runtime_error("must not matter");
  };
  Serving serving(router, options);
  serving.exchange(
      "GET /v1/secret HTTP/1.1\r\nHost: x\r\n\r\n"
      "BREW /v1/secret HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n");
  ASSERT_TRUE(eventually([&] {
    const std::scoped_lock lock(mutex);
    return records.size() == 3;
  }));
  EXPECT_EQ(records[0].route, "/v1/{id}");
  EXPECT_EQ(records[0].method, "GET");
  EXPECT_EQ(records[0].status, 200U);
  EXPECT_GT(records[0].seconds, 0);
  EXPECT_LT(records[0].seconds, 20);
  EXPECT_GE(records[0].received, 37U);
  EXPECT_GT(records[0].sent, 100U);
  EXPECT_EQ(records[1].route, "");
  EXPECT_EQ(records[1].method, "other");
  EXPECT_EQ(records[1].status, 405U);
  EXPECT_EQ(records[2].status, 400U);
}

// --- stop ----------------------------------------------------------------------------------------

TEST(HttpServerStop, WaitsForWhatIsInFlight) {
  Held held;
  Serving serving(held.handler());
  RawClient idle(serving.port());
  RawClient busy(serving.port());
  busy.send(kGet);
  Respond respond = held.take();
  std::atomic<bool> stopped = false;
  std::jthread stopping([&] {
    serving.server().stop(kPatience);
    stopped = true;
  });
  EXPECT_EQ(idle.read_all(), "");
  EXPECT_TRUE(idle.closed());
  // Nothing new is taken.
  EXPECT_TRUE(eventually([&] {
    RawClient late(serving.port());
    return !late.connected() || (late.read_all().empty() && late.closed());
  }));
  EXPECT_FALSE(stopped);
  respond(text_response("done"));
  const std::string answer = busy.read_all();
  EXPECT_TRUE(answer.ends_with("done")) << answer;
  EXPECT_TRUE(answer.contains("Connection: close\r\n"));
  stopping.join();
  EXPECT_EQ(serving.server().connections(), 0U);
}

TEST(HttpServerStop, EndsAtTheDeadline) {
  Held held;
  Serving serving(held.handler());
  RawClient waiting(serving.port());
  waiting.send(kGet);
  const Respond respond = held.take();
  RawClient half(serving.port());
  half.send("GET / HTT");
  serving.server().stop(100ms);
  EXPECT_EQ(waiting.read_all(), "");
  EXPECT_EQ(half.read_all(), "");
  EXPECT_EQ(serving.server().connections(), 0U);
  serving.server().stop(100ms);  // once more does nothing
}

TEST(HttpServerStop, BeforeItWasStarted) {
  FunctionHandler handler(echo);
  auto server = HttpServer::create(local(), handler);
  ASSERT_TRUE(server.has_value());
  (*server)->stop(kPatience);
}

// --- where it listens ----------------------------------------------------------------------------

TEST(HttpServerListen, SeveralAddresses) {
  FunctionHandler handler(echo);
  ServerOptions options;
  options.listen = {"127.0.0.1:0", "[::1]:0"};
  auto server = HttpServer::create(options, handler);
  if (!server.has_value()) {
    GTEST_SKIP() << server.error().message;  // a machine without IPv6
  }
  ASSERT_EQ((*server)->ports().size(), 2U);
  EXPECT_NE((*server)->ports()[0], 0);
}

TEST(HttpServerListen, InheritedSockets) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  FunctionHandler handler(echo);
  ServerOptions options;
  options.inherited = {fd};
  EXPECT_FALSE(HttpServer::create(options, handler).has_value());  // does not listen yet
  ASSERT_EQ(::listen(fd, 10), 0);
  options.threads = 3;
  auto server = HttpServer::create(options, handler);
  ASSERT_TRUE(server.has_value()) << server.error().message;
  ::close(fd);
  (*server)->start();
  for (int i = 0; i < 10; ++i) {
    RawClient client((*server)->port());
    client.send(kLastGet);
    EXPECT_EQ(status_of(client.read_all()), 200U);
  }
}

TEST(HttpServerListen, Refused) {
  Serving taken;
  FunctionHandler handler(echo);
  const auto create = [&](ServerOptions options) {
    return HttpServer::create(std::move(options), handler).has_value();
  };
  for (const std::string& address :
       {"127.0.0.1:" + std::to_string(taken.port()), std::string("localhost:0"),
        std::string("127.0.0.1"), std::string("127.0.0.1:65536"), std::string("127.0.0.1:"),
        std::string(":0"), std::string("::1:0"), std::string("[127.0.0.1]:0"), std::string(),
        std::string("192.0.2.1:0")}) {
    EXPECT_FALSE(create({.listen = {address}})) << address;
  }
  EXPECT_FALSE(create({}));
  EXPECT_FALSE(create({.inherited = {0x7fff}}));
  const auto with = [](auto change) {
    ServerOptions options = local();
    change(options);
    return options;
  };
  EXPECT_FALSE(create(with([](auto& o) { o.key = "/nowhere/key.pem"; })));
  EXPECT_FALSE(create(with([](auto& o) { o.client_ca = "/nowhere/ca.pem"; })));
  EXPECT_FALSE(create(with([](auto& o) { o.require_client_certificate = true; })));
  EXPECT_FALSE(create(with([](auto& o) { o.certificate = "/nowhere/certificate.pem"; })));
  EXPECT_FALSE(create(with([](auto& o) { o.trusted_proxies = {"proxy.example"}; })));
}

}  // namespace
}  // namespace psephos::test
