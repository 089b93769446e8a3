// An HTTP client: what the tool and the server need to speak to servers, identity providers and
// mirrors. Requests are sent and answers read whole.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"

namespace psephos::network {

struct HttpHeader {
  std::string name;
  std::string value;
};

struct HttpRequest {
  std::string method = "GET";
  std::vector<HttpHeader>
      headers;  // those that frame the request are the client's: Host, Content-Length
  Bytes body;
  // Sending it twice does what sending it once does. True anyway for GET, HEAD, PUT, DELETE and
  // OPTIONS. Such a request is sent again, once, if a connection kept from before turns out closed.
  bool repeatable = false;
};

struct HttpResponse {
  unsigned status = 0;
  std::vector<HttpHeader> headers;
  Bytes body;

  // The value of a header, whatever the case of its name; null if it is not there.
  [[nodiscard]] const std::string* header(std::string_view name) const;
};

// How long an answer of 429 or 503 asks to wait, after so many waits before. A date, or nothing, in
// the place of seconds: one second, then twice as long each time.
[[nodiscard]] std::chrono::seconds retry_after(const HttpResponse& response, unsigned waits);

// How a busy server (429, 503) is met: it is asked again, so often for each request, after the time
// it asks for; one that asks for more than `longest_wait` is given up.
struct Patience {
  unsigned max_waits = 5;
  std::chrono::seconds longest_wait{60};
  std::function<void(std::chrono::seconds)> sleep;  // empty: the calling thread sleeps
};

class HttpClient {
 public:
  HttpClient() = default;
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  virtual ~HttpClient() = default;

  // send a request to an absolute http or https URL and read the whole answer; of any status.
  // Redirects are not followed. Errc::misuse: no such URL; Errc::environment: no connection, TLS
  // refused, timeout; Errc::malformed: no HTTP answer, or a body above max_body. May be called from
  // several threads at once.
  [[nodiscard]] virtual Result<HttpResponse> send(const std::string& url,
                                                  const HttpRequest& request,
                                                  std::size_t max_body) = 0;
};

// send_patiently sends a request that does the same when it is sent again, and waits for a busy
// server; its last answer is returned, whatever it is. Every error names the URL.
[[nodiscard]] Result<HttpResponse> send_patiently(HttpClient& client, const std::string& url,
                                                  const HttpRequest& request, std::size_t max_body,
                                                  const Patience& patience);
[[nodiscard]] bool is_busy(const HttpResponse& response);

// BeastHttpClient keeps connections alive, and reuses them. TLS certificates are verified against
// the system's authorities, or those of ca_file.
class BeastHttpClient final : public HttpClient {
 public:
  struct Options {
    std::chrono::milliseconds timeout{30'000};  // for a whole exchange
    std::string ca_file;                        // PEM; empty: the system's
    std::string client_certificate;             // PEM files for mutual TLS; empty: none
    std::string client_key;
    std::size_t max_idle = 16;  // connections kept for later, in all
  };
  static Result<std::unique_ptr<HttpClient>> create(Options options);
  ~BeastHttpClient() override;

  [[nodiscard]] Result<HttpResponse> send(const std::string& url, const HttpRequest& request,
                                          std::size_t max_body) override;

 private:
  class State;
  explicit BeastHttpClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace psephos::network
