// What a handler is given and what it answers: plain data, whatever carries it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "psephos/bytes.h"

namespace psephos::http {

class EventHub;

struct Header {
  std::string name;
  std::string value;
};

// find_header returns the value of the first header of that name, whatever its case; null if none.
[[nodiscard]] const std::string* find_header(const std::vector<Header>& headers,
                                             std::string_view name);

struct Request {
  std::string method;
  std::string path;   // decoded and checked: parse_target in target.h says how
  std::string query;  // after the '?', as it was sent
  std::vector<Header> headers;
  Bytes body;
  std::string client;  // an address: to limit its rate, never to be kept
  // Subject of the verified certificate (RFC 2253), which may be empty; none: there is none.
  std::optional<std::string> client_certificate;

  [[nodiscard]] const std::string* header(std::string_view name) const {
    return find_header(headers, name);
  }
};

struct Response {
  unsigned status = 200;
  std::string content_type;  // empty: none
  // Others than Content-Type. Those that frame the message (Content-Length, Transfer-Encoding,
  // Connection …) are the server's, and left out if they are here.
  std::vector<Header> headers;
  Bytes body;

  // If set, the answer is an event stream: status and body do not count. The events after
  // last_event_id that are still kept come first; without it, only those to come.
  std::shared_ptr<EventHub> events;
  std::optional<std::uint64_t> last_event_id;
};

// Respond takes the answer to one request: once, from any thread. Further calls are ignored, as is
// an answer for a client that has left or a server that has stopped. Destroyed without a call, it
// answers 500.
using Respond = std::move_only_function<void(Response)>;

// A Handler answers requests. Its methods are called on I/O threads, several at once: none of them
// may block for long. What it throws is answered with 500.
class Handler {
 public:
  Handler() = default;
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  virtual ~Handler() = default;

  // What admit has let through.
  virtual void handle(Request request, Respond respond) = 0;

  // Called when a request's head has been read; it has no body yet. Says how long the body may be
  // (empty: as the options say), or answers: then nothing more is read, and handle is not called.
  using Admission = std::expected<std::optional<std::size_t>, Response>;
  [[nodiscard]] virtual Admission admit(const Request& head) const;

  // The template of the route a request takes, for statistics; empty if there is none.
  [[nodiscard]] virtual std::string route(std::string_view method, std::string_view path) const;
};

}  // namespace psephos::http
