// One connection of the server. Includes Asio.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "src/http/client_address.h"
#include "src/http/events.h"
#include "src/http/loop.h"
#include "src/http/message.h"
#include "src/http/request_parser.h"
#include "src/http/response_text.h"
#include "src/network/wire.h"

namespace psephos::http {

class Mailbox;

// Session reads requests and writes answers, one after another, until the connection ends. It lives
// as long as its coroutine, and belongs to its loop's thread.
class Session : public std::enable_shared_from_this<Session> {
 public:
  // `counted` is under what the connection was admitted by Shared::connections.
  Session(Loop& loop, boost::asio::ip::tcp::socket socket, const Address& peer,
          std::string counted);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  void start();

  // Ends the connection if no request is in flight.
  void close_if_idle();
  // Ends it whatever it does.
  void abort();

  // For event streams: an event to be sent; a sign of life, unless something else is on its way.
  void push(const SharedEvent& event);
  void beat();

 private:
  friend class Mailbox;
  enum class Waiting : std::uint8_t { no, for_request, for_events };

  boost::asio::awaitable<void> run();
  boost::asio::awaitable<bool> handshake();
  boost::asio::awaitable<bool> serve();
  boost::asio::awaitable<bool> read_head();
  boost::asio::awaitable<void> read_body();
  boost::asio::awaitable<void> ask();
  boost::asio::awaitable<bool> write_answer(ResponseFrame frame);
  boost::asio::awaitable<bool> write(std::vector<boost::asio::const_buffer> buffers);
  boost::asio::awaitable<void> stream(ResponseFrame frame);
  boost::asio::awaitable<void> send_events();
  boost::asio::awaitable<void> close();

  void admit();
  [[nodiscard]] Request request_of(const RequestHead& head) const;
  [[nodiscard]] std::optional<Response> parser_refusal();
  void watch_for_end();
  void report();

  // Ends what is under way when the time is over, and sets timed_out_.
  void arm(std::chrono::milliseconds time);
  void disarm();
  void watch_deadline();

  Loop& loop_;
  Shared& shared_;
  const Address peer_;
  const std::string counted_;
  network::Wire wire_;
  boost::asio::steady_timer deadline_;
  boost::asio::steady_timer signal_;  // cancelled when there is something to look at
  RequestParser parser_;
  std::optional<std::string> certificate_;
  std::string client_;

  Waiting waiting_ = Waiting::no;
  bool first_ = true;
  bool timed_out_ = false;
  bool gone_ = false;    // the connection has ended, or has to
  bool drains_ = false;  // an answer was written that must not be lost by closing

  // The request being answered.
  Request request_;
  std::shared_ptr<Mailbox> mailbox_;
  std::optional<Response> answer_;
  std::chrono::steady_clock::time_point begun_;
  std::size_t received_ = 0;
  std::size_t sent_ = 0;
  std::string route_;
  std::string method_;

  std::vector<SharedEvent> queue_;  // of an event stream
  std::size_t caught_up_ = 0;       // how many of these the listener had missed
  std::uint64_t last_event_ = 0;
  char unexpected_ = 0;  // what a listener sends
};

}  // namespace psephos::http
