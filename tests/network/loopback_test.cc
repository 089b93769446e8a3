#include "psephos/network/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "tests/crypto/expect.h"

namespace psephos::network {
namespace {

using test::fails_with;
using test::is_ok;
using test::must;

// Browser is a connection to the listener.
class Browser {
 public:
  explicit Browser(std::uint16_t port) : descriptor_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;
  ~Browser() { close(descriptor_); }

  void send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t count = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) {
        return;
      }
      text.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  void end() const { shutdown(descriptor_, SHUT_WR); }
  // All that comes until the listener closes.
  [[nodiscard]] std::string read() const {
    std::string text;
    char chunk[1024];
    for (ssize_t count = 0; (count = recv(descriptor_, chunk, sizeof(chunk), 0)) > 0;) {
      text.append(chunk, static_cast<std::size_t>(count));
    }
    return text;
  }

 private:
  int descriptor_;
};

std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
}

class LoopbackTest : public testing::Test {
 protected:
  ~LoopbackTest() override {
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  void wait(LoopbackListener::IsAwaited is_awaited = any) {
    thread_ = std::thread([this, is_awaited = std::move(is_awaited)] {
      query_ = listener_.wait("/callback", is_awaited,
                              std::chrono::steady_clock::now() + std::chrono::seconds(60));
    });
  }
  static bool any(std::string_view /*query*/) { return true; }
  Result<std::string> query() {
    thread_.join();
    return *query_;
  }
  std::string exchange(std::string_view request) {
    const Browser browser(listener_.port());
    browser.send(request);
    return browser.read();
  }

  LoopbackListener listener_ = must(LoopbackListener::open());
  std::optional<Result<std::string>> query_;
  std::thread thread_;
};

TEST_F(LoopbackTest, ReturnsTheQueryAndShowsAPage) {
  wait();
  const std::string page = exchange(get("/callback?code=a%20b&state=c"));
  EXPECT_TRUE(page.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(page.contains("You can close this window"));
  EXPECT_EQ(must(query()), "code=a%20b&state=c");
}

TEST_F(LoopbackTest, TakesARequestWithoutQueryAndInPieces) {
  wait();
  const Browser browser(listener_.port());
  for (const char c : get("/callback")) {
    browser.send(std::string_view(&c, 1));
  }
  EXPECT_TRUE(browser.read().starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(must(query()), "");
}

TEST_F(LoopbackTest, GoesOnAfterOtherRequests) {
  wait();
  EXPECT_TRUE(exchange(get("/favicon.ico")).starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(exchange(get("/")).starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(exchange(get("/callback/?code=x")).starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(exchange(get("/callback2?code=x")).starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(exchange("POST /callback?code=x HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
  for (const char* request : {"\r\n\r\n", "GET\r\n\r\n", "GET /callback\r\n\r\n",
                              "GET /callback FTP/1.1\r\n\r\n", "\x16\x03\x01 x y\r\n\r\n"}) {
    EXPECT_TRUE(exchange(request).starts_with("HTTP/1.1 400 ")) << request;
  }
  {
    const Browser silent(listener_.port());
    silent.send("GET /callb");
    silent.end();
    EXPECT_EQ(silent.read(), "");
  }
  EXPECT_TRUE(exchange(get("/callback?code=y")).starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(must(query()), "code=y");
}

// A web page that tries all ports does not end the sign-in.
TEST_F(LoopbackTest, GoesOnAfterQueriesThatAreNotAwaited) {
  wait([](std::string_view query) { return query.contains("state=mine"); });
  for (const char* target : {"/callback", "/callback?", "/callback?code=x",
                             "/callback?code=x&state=other", "/callback?error=access_denied"}) {
    const std::string answer = exchange(get(target));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 404 ")) << target;
    EXPECT_FALSE(answer.contains("You can close this window"));
  }
  EXPECT_TRUE(exchange(get("/callback?code=y&state=mine")).starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(must(query()), "code=y&state=mine");
}

TEST_F(LoopbackTest, DoesNotWaitForConnectionsThatSendNothing) {
  std::vector<std::unique_ptr<Browser>> idle;
  wait();
  for (int i = 0; i < 100; ++i) {
    idle.push_back(std::make_unique<Browser>(listener_.port()));
  }
  EXPECT_TRUE(exchange(get("/callback?code=z")).starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(must(query()), "code=z");
}

TEST_F(LoopbackTest, EndsRequestsThatAreTooLong) {
  wait();
  const std::string head = "GET /callback?code=x HTTP/1.1\r\nX: ";
  const Browser browser(listener_.port());
  browser.send(head + std::string(256 * 1024, 'x') + "\r\n\r\n");
  EXPECT_FALSE(browser.read().starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(exchange(get("/callback?code=short")).starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(must(query()), "code=short");
}

TEST_F(LoopbackTest, GivesUpAtTheDeadline) {
  const auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
  EXPECT_TRUE(fails_with(Errc::environment, listener_.wait("/callback", any, soon)));
  EXPECT_TRUE(fails_with(Errc::environment, listener_.wait("/callback", any, {})));
  const Browser idle(listener_.port());
  EXPECT_TRUE(fails_with(Errc::environment, listener_.wait("/callback", any,
                                                           std::chrono::steady_clock::now() +
                                                               std::chrono::milliseconds(20))));
}

TEST_F(LoopbackTest, IsOpenUntilItEnds) {
  LoopbackListener moved = must(LoopbackListener::open());
  const std::uint16_t port = moved.port();
  EXPECT_NE(port, listener_.port());
  {
    LoopbackListener other = std::move(moved);
    EXPECT_EQ(other.port(), port);
    const Browser browser(port);
  }
  EXPECT_THROW(Browser{port}, std::runtime_error);
}

}  // namespace
}  // namespace psephos::network
