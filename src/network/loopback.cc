#include "psephos/network/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace psephos::network {

namespace {

// Browsers open connections that they may never use, and send some kilobytes of headers.
constexpr std::size_t kMaxConnections = 16;
constexpr std::size_t kMaxRequestBytes = std::size_t{32} * 1024;

constexpr std::string_view kPage =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>psephos</title>"
    "<p>The answer of the sign-in has arrived. You can close this window and go back to "
    "psephos.</p></html>\n";

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor() {
    if (value_ >= 0) {
      close(value_);
    }
  }
  [[nodiscard]] int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

struct Connection {
  Descriptor descriptor;
  std::string request;  // what has come of it
};

std::unexpected<Error> failed(std::string_view what, int error) {
  return fail(Errc::environment, "listening on 127.0.0.1: cannot " + std::string(what) + ": " +
                                     std::generic_category().message(error));
}

void answer(const Connection& connection, std::string_view status, std::string_view page) {
  const std::string response = "HTTP/1.1 " + std::string(status) +
                               "\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: " +
                               std::to_string(page.size()) +
                               "\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
                               "Content-Security-Policy: default-src 'none'\r\n"
                               "Connection: close\r\n\r\n" +
                               std::string(page);
  // Some hundred bytes fit into the buffer of a socket; a browser that is gone misses nothing.
  static_cast<void>(
      send(connection.descriptor.get(), response.data(), response.size(), MSG_NOSIGNAL));
  static_cast<void>(shutdown(connection.descriptor.get(), SHUT_WR));
}

// The query of the request that is awaited; none if it is another request. Both are answered.
std::optional<std::string> judge(const Connection& connection, std::string_view path,
                                 const LoopbackListener::IsAwaited& is_awaited) {
  const std::string_view line =
      std::string_view(connection.request).substr(0, connection.request.find("\r\n"));
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last == first ||
      !line.substr(last + 1).starts_with("HTTP/1.")) {
    answer(connection, "400 Bad Request", "");
    return std::nullopt;
  }
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::size_t end = std::min(target.find('?'), target.size());
  if (target.substr(0, end) != path) {
    answer(connection, "404 Not Found", "");
    return std::nullopt;
  }
  if (line.substr(0, first) != "GET") {
    answer(connection, "405 Method Not Allowed", "");
    return std::nullopt;
  }
  const std::string_view query = end < target.size() ? target.substr(end + 1) : std::string_view();
  if (!is_awaited(query)) {
    answer(connection, "404 Not Found", "");
    return std::nullopt;
  }
  answer(connection, "200 OK", kPage);
  return std::string(query);
}

enum class Progress : std::uint8_t { more, whole, over };

// Reads what has arrived.
Progress read_some(Connection& connection) {
  std::array<char, 4096> chunk;
  const ssize_t count = recv(connection.descriptor.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
    return Progress::more;
  }
  if (count <= 0) {
    return Progress::over;
  }
  connection.request.append(chunk.data(), static_cast<std::size_t>(count));
  if (connection.request.contains("\r\n\r\n")) {
    return Progress::whole;
  }
  return connection.request.size() > kMaxRequestBytes ? Progress::over : Progress::more;
}

}  // namespace

Result<LoopbackListener> LoopbackListener::open() {
  Descriptor descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (descriptor.get() < 0) {
    return failed("open a socket", errno);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(descriptor.get(), generic, size) != 0 || listen(descriptor.get(), SOMAXCONN) != 0 ||
      getsockname(descriptor.get(), generic, &size) != 0) {
    return failed("take a port", errno);
  }
  return LoopbackListener(descriptor.release(), ntohs(address.sin_port));
}

LoopbackListener::LoopbackListener(LoopbackListener&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), port_(other.port_) {}

LoopbackListener& LoopbackListener::operator=(LoopbackListener&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(port_, other.port_);
  return *this;
}

LoopbackListener::~LoopbackListener() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
}

Result<std::string> LoopbackListener::wait(std::string_view path, const IsAwaited& is_awaited,
                                           std::chrono::steady_clock::time_point deadline) {
  std::vector<Connection> connections;
  while (true) {
    std::vector<pollfd> polled = {{.fd = descriptor_, .events = POLLIN, .revents = 0}};
    for (const Connection& connection : connections) {
      polled.push_back({.fd = connection.descriptor.get(), .events = POLLIN, .revents = 0});
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return fail(Errc::environment,
                  "no answer came from the browser in time; start the sign-in again");
    }
    constexpr std::chrono::milliseconds::rep kMaxPoll = 60'000;
    const int ready =
        poll(polled.data(), polled.size(), static_cast<int>(std::min(left.count(), kMaxPoll)));
    if (ready < 0 && errno != EINTR) {
      return failed("wait", errno);
    }
    if (ready <= 0) {
      continue;
    }
    // From the last on, so that erasing one leaves the places of those before it.
    for (std::size_t i = connections.size(); i-- > 0;) {
      if (polled[i + 1].revents == 0) {
        continue;
      }
      const Progress progress = read_some(connections[i]);
      if (progress == Progress::whole) {
        if (auto query = judge(connections[i], path, is_awaited); query.has_value()) {
          return *std::move(query);
        }
      }
      if (progress != Progress::more) {
        connections.erase(connections.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    if (polled[0].revents != 0) {
      Descriptor accepted(accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (accepted.get() >= 0) {
        if (connections.size() == kMaxConnections) {
          connections.erase(connections.begin());
        }
        connections.push_back({.descriptor = std::move(accepted), .request = {}});
      } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR &&
                 errno != ECONNABORTED) {
        return failed("take a connection", errno);
      }
    }
  }
}

}  // namespace psephos::network
