#include "psephos/network/http_client.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/http/certificates.h"
#include "tests/http/serving.h"

namespace psephos::network {
namespace {

using namespace std::chrono_literals;
using test::Authority;
using test::CertificateFiles;
using test::Folder;
using test::Serving;

std::unique_ptr<HttpClient> make_client(BeastHttpClient::Options options = {}) {
  return BeastHttpClient::create(std::move(options)).value();
}

HttpRequest post(std::string_view body) {
  HttpRequest request;
  request.method = "POST";
  request.body.assign(body.begin(), body.end());
  return request;
}

// Listens, and hands each connection to a script in turn; the last one again and again.
class ScriptedServer {
 public:
  using Script = std::function<void(int fd)>;

  explicit ScriptedServer(std::vector<Script> scripts)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_, 10), 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this, scripts = std::move(scripts)] {
      for (std::size_t i = 0;; ++i) {
        const int connection = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
        if (connection < 0) {
          return;
        }
        ++connections_;
        scripts[std::min(i, scripts.size() - 1)](connection);
        ::close(connection);
      }
    });
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  ~ScriptedServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/";
  }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  int fd_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  std::jthread thread_;
};

std::string read_head(int fd) {
  std::string text;
  char byte = 0;
  while (!text.ends_with("\r\n\r\n") && ::recv(fd, &byte, 1, 0) == 1) {
    text += byte;
  }
  return text;
}

// Answers one request with these bytes, and closes.
ScriptedServer::Script says(std::string bytes) {
  return [bytes = std::move(bytes)](int fd) {
    read_head(fd);
    ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  };
}

Result<HttpResponse> get(const std::string& bytes, std::size_t max_body = 1000) {
  const ScriptedServer server({says(bytes)});
  return make_client({.timeout = 10s})->send(server.url(), {}, max_body);
}

std::string body_of(const Result<HttpResponse>& response) {
  return response.has_value() ? std::string(as_text(response->body)) : response.error().message;
}

TEST(HttpClient, SendsAndReads) {
  Serving serving;
  const auto client = make_client();
  const auto response = client->send(serving.url("/a?b=c#d"), post("xy"), 100);
  ASSERT_TRUE(response.has_value()) << response.error().message;
  EXPECT_EQ(response->status, 200U);
  EXPECT_EQ(body_of(response), "POST /a?b=c xy");
  EXPECT_EQ(*response->header("content-TYPE"), "text/plain");
  EXPECT_EQ(response->header("no-such"), nullptr);
}

TEST(HttpClient, SendsHeaders) {
  Serving serving([](const http::Request& request, http::Respond respond) {
    respond(test::text_response(*request.header("host") + "|" + *request.header("Accept") + "|" +
                                std::to_string(request.headers.size())));
  });
  HttpRequest request;
  request.headers = {{"Accept", "a/b"}};
  EXPECT_EQ(body_of(make_client()->send(serving.url("/"), request, 100)),
            "127.0.0.1:" + std::to_string(serving.port()) + "|a/b|2");
}

TEST(HttpClient, EveryStatusIsAnAnswer) {
  Serving serving([](const http::Request& request, http::Respond respond) {
    respond(test::text_response("x", static_cast<unsigned>(std::stoul(request.path.substr(1)))));
  });
  const auto client = make_client();
  for (const unsigned status : {200U, 204U, 301U, 304U, 404U, 429U, 500U, 503U}) {
    const auto response = client->send(serving.url("/" + std::to_string(status)), {}, 100);
    ASSERT_TRUE(response.has_value()) << response.error().message;
    EXPECT_EQ(response->status, status);
  }
}

TEST(HttpClient, ReadsEveryFraming) {
  EXPECT_EQ(body_of(get("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")), "hello");
  EXPECT_EQ(body_of(get("HTTP/1.1 200 OK\r\n\r\nhello")), "hello");
  EXPECT_EQ(body_of(get("HTTP/1.0 200 OK\r\n\r\n")), "");
  EXPECT_EQ(body_of(get("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "3\r\nhel\r\n2;x\r\nlo\r\n0\r\nT: u\r\n\r\n")),
            "hello");
  const auto later =
      get("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n"
          "HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx");
  ASSERT_TRUE(later.has_value()) << later.error().message;
  EXPECT_EQ(later->status, 404U);
  EXPECT_EQ(later->headers.size(), 1U);
}

TEST(HttpClient, HeadHasNoBody) {
  Serving serving;
  HttpRequest request;
  request.method = "HEAD";
  const auto client = make_client();
  for (int i = 0; i < 2; ++i) {
    const auto response = client->send(serving.url("/"), request, 0);
    ASSERT_TRUE(response.has_value()) << response.error().message;
    EXPECT_TRUE(response->body.empty());
    EXPECT_EQ(*response->header("Content-Length"), "8");
  }
  EXPECT_EQ(serving.server().connections(), 1U);
}

TEST(HttpClient, RefusesWhatIsNoAnswer) {
  for (const std::string& bytes :
       {std::string("hello\r\n\r\n"), std::string("HTTP/2 200\r\n\r\n"),
        std::string("HTTP/1.1 2000 OK\r\n\r\n"), std::string("HTTP/1.1 OK\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        "HTTP/1.1 200 OK\r\nA: " + std::string(200'000, 'a')}) {
    const auto response = get(bytes);
    ASSERT_FALSE(response.has_value()) << bytes.substr(0, 100);
    EXPECT_EQ(response.error().code, Errc::malformed) << response.error().message;
  }
}

TEST(HttpClient, RefusesWhatIsTooLong) {
  for (const std::string& bytes :
       {std::string("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\n\r\n12345678901"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "8\r\n12345678\r\n3\r\n901\r\n0\r\n\r\n")}) {
    const auto response = get(bytes, 10);
    ASSERT_FALSE(response.has_value()) << bytes;
    EXPECT_EQ(response.error().code, Errc::malformed) << response.error().message;
    EXPECT_TRUE(response.error().message.contains("10 bytes")) << response.error().message;
  }
}

TEST(HttpClient, NoticesWhatIsCutShort) {
  for (const std::string& bytes :
       {std::string(), std::string("HTTP"), std::string("HTTP/1.1 200 OK\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n")}) {
    const auto response = get(bytes);
    ASSERT_FALSE(response.has_value()) << bytes;
    EXPECT_EQ(response.error().code, Errc::environment) << bytes << response.error().message;
  }
}

TEST(HttpClient, RefusesRequestsThatCannotBeSent) {
  const auto client = make_client();
  const auto refused = [&](const HttpRequest& request, const std::string& url) {
    const auto response = client->send(url, request, 10);
    return !response.has_value() && response.error().code == Errc::misuse;
  };
  const std::string url = "http://127.0.0.1:1/";
  for (const char* method : {"", "GE T", "GET /x HTTP/1.1\r\nA:", "CONNECT"}) {
    HttpRequest request;
    request.method = method;
    EXPECT_TRUE(refused(request, url)) << method;
  }
  for (const HttpHeader& header : std::vector<HttpHeader>{{"A", "b\r\nC: d"},
                                                          {"A", std::string("b\0", 2)},
                                                          {"A:", "b"},
                                                          {"", "b"},
                                                          {"A\r\nB", "c"},
                                                          {"Host", "b"},
                                                          {"content-length", "1"},
                                                          {"Transfer-Encoding", "chunked"},
                                                          {"Connection", "close"}}) {
    HttpRequest request;
    request.headers = {header};
    EXPECT_TRUE(refused(request, url)) << header.name;
  }
  EXPECT_TRUE(refused({}, "ftp://127.0.0.1/"));
  EXPECT_TRUE(refused({}, "http://u:p@127.0.0.1/"));
  EXPECT_TRUE(refused({}, "127.0.0.1"));
}

TEST(HttpClient, NobodyListens) {
  std::string url;
  {
    const Serving serving;
    url = serving.url("/");
  }
  const auto response = make_client()->send(url, {}, 10);
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, Errc::environment);
  EXPECT_TRUE(response.error().message.contains(url)) << response.error().message;
}

TEST(HttpClient, GivesUpInTime) {
  const ScriptedServer server({[](int fd) {
    read_head(fd);
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    ::send(fd, head.data(), head.size(), MSG_NOSIGNAL);
    // One byte after another: each read succeeds, the exchange does not.
    while (::send(fd, "x", 1, MSG_NOSIGNAL) == 1) {
      std::this_thread::sleep_for(10ms);
    }
  }});
  const auto start = std::chrono::steady_clock::now();
  const auto response = make_client({.timeout = 300ms})->send(server.url(), {}, 1'000'000);
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, Errc::environment);
  EXPECT_TRUE(response.error().message.contains("in time")) << response.error().message;
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
}

// --- connections that are kept -----------------------------------------------------------------

TEST(HttpClientPool, KeepsConnections) {
  Serving serving;
  const auto client = make_client();
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(client->send(serving.url("/"), post("x"), 100).has_value());
  }
  EXPECT_EQ(serving.server().connections(), 1U);
}

TEST(HttpClientPool, KeepsAsManyAsItMay) {
  Serving serving;
  const auto client = make_client({.max_idle = 0});
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(client->send(serving.url("/"), {}, 100).has_value());
  }
  EXPECT_TRUE(test::eventually([&] { return serving.server().connections() == 0; }));
}

TEST(HttpClientPool, NoticesConnectionsClosedMeanwhile) {
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
  const ScriptedServer server({says(answer)});
  const auto client = make_client();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(body_of(client->send(server.url(), post("x"), 100)), "x");
    // The server closes right after its answer; once that has arrived, even a POST is safe.
    std::this_thread::sleep_for(20ms);
  }
}

// Answers the first request, reads a second one and closes without an answer.
void answer_once(int fd) {
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
  read_head(fd);
  ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
  read_head(fd);
}

TEST(HttpClientPool, SendsAgainWhatMayBeSentTwice) {
  const ScriptedServer server({answer_once});
  const auto client = make_client();
  EXPECT_EQ(body_of(client->send(server.url(), {}, 100)), "x");
  EXPECT_EQ(body_of(client->send(server.url(), {}, 100)), "x");
  HttpRequest marked = post("");
  marked.repeatable = true;
  EXPECT_EQ(body_of(client->send(server.url(), marked, 100)), "x");
  EXPECT_EQ(server.connections(), 3);
}

TEST(HttpClientPool, DoesNotSendAgainWhatMayNot) {
  const ScriptedServer server({answer_once});
  const auto client = make_client();
  EXPECT_EQ(body_of(client->send(server.url(), {}, 100)), "x");
  const auto response = client->send(server.url(), post(""), 100);
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, Errc::environment);
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClientPool, SendsAgainOnceOnly) {
  const ScriptedServer server({answer_once, [](int fd) { read_head(fd); }});
  const auto client = make_client();
  EXPECT_EQ(body_of(client->send(server.url(), {}, 100)), "x");
  EXPECT_FALSE(client->send(server.url(), {}, 100).has_value());
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpClientPool, DoesNotKeepWhatIsInDoubt) {
  for (const char* answer : {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
                             "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
                             "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 "
                             "OK\r\nContent-Length: 4\r\n\r\nevil"}) {
    const ScriptedServer server({says(answer)});
    const auto client = make_client();
    EXPECT_EQ(body_of(client->send(server.url(), {}, 100)), "x");
    EXPECT_EQ(body_of(client->send(server.url(), {}, 100)), "x");
    EXPECT_EQ(server.connections(), 2);
  }
}

TEST(HttpClientPool, ServesManyThreads) {
  Serving serving;
  const auto client = make_client({.max_idle = 4});
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] {
        for (int j = 0; j < 50; ++j) {
          const std::string body = std::to_string(i) + "-" + std::to_string(j);
          right += body_of(client->send(serving.url("/"), post(body), 100)) == "POST /? " + body;
        }
      });
    }
  }
  EXPECT_EQ(right, 400);
}

// --- TLS -----------------------------------------------------------------------------------------

class HttpClientTls : public testing::Test {
 protected:
  static test::ServerOptions with(const CertificateFiles& files) {
    test::ServerOptions options;
    options.certificate = files.certificate;
    options.key = files.key;
    return options;
  }
  // What a client that trusts `authority_` says of a server with this certificate.
  Result<HttpResponse> visit(const CertificateFiles& files, const std::string& host = "127.0.0.1") {
    const Serving serving(test::echo, with(files));
    return make_client({.timeout = 10s, .ca_file = authority_.file()})
        ->send("https://" + host + ":" + std::to_string(serving.port()) + "/", {}, 100);
  }

  Folder folder_;
  Authority authority_{folder_, "authority"};
};

TEST_F(HttpClientTls, Verified) {
  EXPECT_EQ(body_of(visit(authority_.issue("good"))), "GET /? ");
  EXPECT_EQ(body_of(visit(authority_.issue("good"), "localhost")), "GET /? ");
}

TEST_F(HttpClientTls, KeepsConnections) {
  Serving serving(test::echo, with(authority_.issue("good")));
  const auto client = make_client({.ca_file = authority_.file()});
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(body_of(client->send(serving.url("/", true), post("x"), 100)), "POST /? x");
  }
  EXPECT_EQ(serving.server().connections(), 1U);
}

TEST_F(HttpClientTls, LargeBodies) {
  Serving serving(test::echo, with(authority_.issue("good")));
  const std::string body(900'000, 'x');
  EXPECT_EQ(body_of(make_client({.ca_file = authority_.file()})
                        ->send(serving.url("/", true), post(body), 1'000'000)),
            "POST /? " + body);
}

TEST_F(HttpClientTls, Refused) {
  const Authority other(folder_, "other");
  const std::vector<std::pair<std::string, CertificateFiles>> bad{
      {"another authority", other.issue("other-server")},
      {"expired", authority_.issue("expired", {.valid_from = -7200, .valid_until = -3600})},
      {"not yet valid", authority_.issue("future", {.valid_from = 3600, .valid_until = 7200})},
      {"another address", authority_.issue("elsewhere", {.names = "IP:127.0.0.2"})},
      {"a name for an address", authority_.issue("name", {.names = "DNS:127.0.0.1"})},
      {"no name", authority_.issue("nameless", {.subject = "127.0.0.1", .names = ""})},
  };
  for (const auto& [what, files] : bad) {
    const auto response = visit(files);
    ASSERT_FALSE(response.has_value()) << what;
    EXPECT_EQ(response.error().code, Errc::environment) << what;
    EXPECT_TRUE(response.error().message.contains("TLS")) << what << response.error().message;
    // Told apart from a network that does not work.
    EXPECT_TRUE(response.error().message.contains("may be another server"))
        << what << response.error().message;
  }
  EXPECT_FALSE(visit(authority_.issue("wrong", {.names = "DNS:example.org"}), "localhost"));
}

TEST_F(HttpClientTls, IsNotSpokenToPlainServers) {
  const Serving plain;
  const auto response = make_client({.timeout = 10s, .ca_file = authority_.file()})
                            ->send(plain.url("/", true), {}, 100);
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, Errc::environment);
  EXPECT_FALSE(response.error().message.contains("certificate")) << response.error().message;
}

TEST_F(HttpClientTls, SystemAuthoritiesDoNotKnowOurs) {
  Serving serving(test::echo, with(authority_.issue("good")));
  EXPECT_FALSE(make_client({.timeout = 10s})->send(serving.url("/", true), {}, 100).has_value());
}

TEST_F(HttpClientTls, FilesThatCannotBeUsed) {
  const CertificateFiles good = authority_.issue("good");
  const auto create = [](BeastHttpClient::Options options) {
    return BeastHttpClient::create(std::move(options)).has_value();
  };
  EXPECT_FALSE(create({.ca_file = "/nowhere/ca.pem"}));
  EXPECT_FALSE(create({.ca_file = good.key}));
  EXPECT_FALSE(create({.client_certificate = "/nowhere/c.pem", .client_key = good.key}));
  EXPECT_FALSE(create({.client_certificate = good.certificate, .client_key = "/nowhere/k.pem"}));
  EXPECT_FALSE(
      create({.client_certificate = good.certificate, .client_key = authority_.issue("b").key}));
}

}  // namespace
}  // namespace psephos::network
