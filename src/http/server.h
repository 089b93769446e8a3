// A server of HTTP/1.1 over TCP, or over TLS 1.3.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "psephos/error.h"

#include "src/http/message.h"

namespace psephos::http {

// What may be counted and logged of a request: nothing that tells whose it was.
struct RequestRecord {
  std::string route;   // the template, not the path
  std::string method;  // "other" if it is not a usual one
  unsigned status = 0;
  double seconds = 0;  // from the first byte to the last
  std::size_t received = 0;
  std::size_t sent = 0;
  bool stream = false;  // was an event stream
};

struct ServerOptions {
  // Numeric "address:port", "[v6 address]:port"; port 0: any. Listening sockets that were
  // inherited, of systemd for instance, are given by their descriptors; the server does not close
  // these.
  std::vector<std::string> listen;
  std::vector<int> inherited;
  std::size_t threads = 0;  // for I/O; 0: one per processor

  // PEM files; empty: no TLS. client_ca: its clients have a certificate; others are turned away if
  // require_client_certificate.
  std::string certificate;
  std::string key;
  std::string client_ca;
  bool require_client_certificate = false;

  std::size_t max_header = 16'384;
  std::size_t max_body = 4'096;  // of requests whose route asks for no other
  // For TLS and head, from the connection or from the head's first byte; for the body; between
  // requests; for each 64 KiB of an answer.
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds body_timeout{30'000};
  std::chrono::milliseconds idle_timeout{60'000};
  std::chrono::milliseconds write_timeout{30'000};

  // Connections above are answered with 503, those above of one client with 429, and closed.
  std::size_t max_connections = 10'000;
  std::size_t max_connections_per_client = 1'000;
  // Requests of one client; 0 a second: no limit.
  double requests_per_second = 0;
  double requests_burst = 100;
  // Addresses and networks of proxies whose X-Forwarded-For is believed.
  std::vector<std::string> trusted_proxies;

  std::size_t max_event_listeners = 8'000;
  // A listener who is further behind is dropped. What is sent to catch up does not count.
  std::size_t max_queued_events = 256;
  std::chrono::milliseconds heartbeat{15'000};

  // Told of each request that has been answered; called on I/O threads.
  std::function<void(const RequestRecord&)> observer;
};

class HttpServer {
 public:
  // create listens; requests are answered once start was called. The handler must outlive the
  // server. Errc::environment: an address is taken, a file cannot be read; Errc::malformed:
  // options.
  static Result<std::unique_ptr<HttpServer>> create(ServerOptions options, Handler& handler);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();  // stops at once

  // The ports listened on: those of `listen`, then those inherited.
  [[nodiscard]] const std::vector<std::uint16_t>& ports() const;
  [[nodiscard]] std::uint16_t port() const { return ports().front(); }

  // start starts the threads, once.
  void start();

  // stop takes no more connections, closes idle ones and event streams, waits for requests in
  // flight, closes what is still open after `deadline`, and joins the threads. Not to be called
  // from a handler.
  void stop(std::chrono::milliseconds deadline);

  // reload_certificates reads the TLS files again, for connections to come. On an error, what was
  // read before stays.
  Result<void> reload_certificates();

  // For statistics.
  [[nodiscard]] std::size_t connections() const;
  [[nodiscard]] std::size_t event_listeners() const;

 private:
  class State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace psephos::http
