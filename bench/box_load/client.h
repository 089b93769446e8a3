// Many keep-alive HTTP/1.1 connections to one server, driven by one thread that does as little as
// can be: it shares the machine with what it measures.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"

namespace psephos::load {

using Clock = std::chrono::steady_clock;

struct Exchange {
  std::size_t tag = 0;    // the caller's
  std::string head;       // the whole request but its body
  ByteView body;          // must outlive the exchange
  Clock::time_point due;  // latency counts from here
};

class Client {
 public:
  // done is told of every exchange once; status 0: the connection ended before an answer, and
  // whether the request was taken is unknown.
  using Done = std::function<void(const Exchange&, unsigned status, std::string_view body)>;
  // connect opens the connections to "http://address:port" (numeric).
  static Result<Client> connect(const std::string& url, std::size_t connections, Done done);
  Client(Client&& other) noexcept;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  Client& operator=(Client&&) = delete;
  ~Client();

  // start sends the request on an idle connection; there must be one.
  void start(Exchange exchange);
  // poll handles what has arrived, after waiting at most so long for something.
  void poll(std::chrono::microseconds patience);

  [[nodiscard]] std::size_t idle() const { return idle_.size(); }
  [[nodiscard]] std::size_t busy() const { return busy_; }
  [[nodiscard]] std::size_t open() const { return open_; }
  [[nodiscard]] const std::string& host() const { return host_; }

 private:
  struct Connection {
    int fd = -1;
    bool waits = false;       // for an answer
    bool wants_out = false;   // epoll tells when more can be written
    std::size_t written = 0;  // of head and body
    Exchange exchange;
    std::string answer;
  };
  Client(std::string host, Done done) : host_(std::move(host)), done_(std::move(done)) {}
  void write(std::size_t number);
  void read(std::size_t number);
  void end(std::size_t number);
  void watch(std::size_t number, bool out, bool first);

  std::string host_;
  Done done_;
  int epoll_ = -1;
  std::vector<Connection> connections_;
  std::vector<std::size_t> idle_;  // a stack: as few connections as are needed are used
  std::size_t busy_ = 0;
  std::size_t open_ = 0;
};

}  // namespace psephos::load
