// One I/O thread of the server: its connections, and the event streams among them. Includes Asio.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "src/http/client_address.h"
#include "src/http/connection_limit.h"
#include "src/http/events.h"
#include "src/http/rate_limit.h"
#include "src/http/server.h"

namespace psephos::http {

class Session;

// What all I/O threads share.
struct Shared {
  Shared(ServerOptions chosen, Handler& answering)
      : options(std::move(chosen)),
        handler(answering),
        rate(options.requests_per_second, options.requests_burst),
        connections(options.max_connections, options.max_connections_per_client) {}

  [[nodiscard]] std::shared_ptr<boost::asio::ssl::context> tls() {
    const std::scoped_lock lock(tls_mutex);
    return tls_context;
  }

  const ServerOptions options;
  Handler& handler;
  std::vector<AddressRange> trusted;
  RateLimiter rate;
  ConnectionLimit connections;
  std::atomic<std::size_t> event_listeners = 0;
  std::atomic<bool> stopping = false;
  std::mutex tls_mutex;
  std::shared_ptr<boost::asio::ssl::context> tls_context;  // guarded; null: no TLS
};

// Loop is used by its own thread, but for post_* and io().
class Loop {
 public:
  explicit Loop(Shared& shared);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  [[nodiscard]] boost::asio::io_context& io() { return io_; }
  [[nodiscard]] Shared& shared() { return shared_; }

  // Before the thread runs.
  void listen(bool v6, int socket);
  // Runs until post_end.
  void run();

  // Any thread. Close: acceptors, idle connections and event streams. Abort: all connections.
  void post_close();
  void post_abort();
  void post_end();

  void enter(Session& session) { sessions_.insert(&session); }
  void leave(Session& session) { sessions_.erase(&session); }

  // The session gets the hub's events until unsubscribe.
  void subscribe(Session& session, const std::shared_ptr<EventHub>& hub);
  void unsubscribe(Session& session, const std::shared_ptr<EventHub>& hub);

 private:
  class Group;

  boost::asio::awaitable<void> accept(boost::asio::ip::tcp::acceptor& acceptor);
  boost::asio::awaitable<void> beat();
  void admit(boost::asio::ip::tcp::socket socket);
  boost::asio::awaitable<void> refuse(std::shared_ptr<boost::asio::ip::tcp::socket> socket,
                                      std::shared_ptr<const std::string> answer);

  Shared& shared_;
  std::unordered_set<Session*> sessions_;
  std::unordered_map<EventHub*, std::unique_ptr<Group>> groups_;
  std::size_t refusing_ = 0;
  // After what the coroutines it destroys use.
  boost::asio::io_context io_;
  boost::asio::steady_timer heart_;
  std::vector<std::unique_ptr<boost::asio::ip::tcp::acceptor>> acceptors_;
};

}  // namespace psephos::http
