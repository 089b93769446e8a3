// A server on a port of its own, with a handler made of a function.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "src/http/server.h"
#include "tests/http/raw_client.h"

namespace psephos::test {

using http::HttpServer;
using http::Request;
using http::Respond;
using http::Response;
using http::ServerOptions;

inline Response text_response(std::string_view text, unsigned status = 200) {
  Response response;
  response.status = status;
  response.content_type = "text/plain";
  response.body.assign(text.begin(), text.end());
  return response;
}

class FunctionHandler final : public http::Handler {
 public:
  using Function = std::function<void(Request, Respond)>;
  explicit FunctionHandler(Function function) : function_(std::move(function)) {}
  void handle(Request request, Respond respond) override {
    function_(std::move(request), std::move(respond));
  }

 private:
  Function function_;
};

inline constexpr std::size_t kUsualMaxBody = 1 << 20U;

// Answers "METHOD path?query body".
inline void echo(Request request, Respond respond) {
  std::string text = request.method + " " + request.path + "?" + request.query + " ";
  text.append(as_text(request.body));
  respond(text_response(text));
}

inline ServerOptions local(ServerOptions options = {}) {
  options.listen = {"127.0.0.1:0"};
  if (options.max_body == ServerOptions().max_body) {
    options.max_body = kUsualMaxBody;
  }
  options.threads = options.threads == 0 ? 2 : options.threads;
  return options;
}

class Serving {
 public:
  explicit Serving(FunctionHandler::Function function = echo, ServerOptions options = {})
      : own_(std::make_unique<FunctionHandler>(std::move(function))) {
    start(std::move(options), *own_);
  }
  Serving(http::Handler& handler, ServerOptions options) { start(std::move(options), handler); }

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  HttpServer& server() { return *server_; }
  [[nodiscard]] std::string url(std::string_view path, bool tls = false) const {
    return (tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port()) +
           std::string(path);
  }
  // Sends bytes on a connection of their own; all that comes until the server closes it.
  std::string exchange(std::string_view bytes) {
    RawClient client(port());
    client.send(bytes);
    std::string answer = client.read_all();
    EXPECT_FALSE(client.timed_out()) << bytes.substr(0, 200);
    return answer;
  }

 private:
  void start(ServerOptions options, http::Handler& handler) {
    auto server = HttpServer::create(local(std::move(options)), handler);
    if (!server.has_value()) {
      throw std::runtime_error(server.error().message);
    }
    server_ = std::move(*server);
    server_->start();
  }

  std::unique_ptr<FunctionHandler> own_;
  std::unique_ptr<HttpServer> server_;  // goes first
};

// Waits until something is so.
inline bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace psephos::test
