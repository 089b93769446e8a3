#include "bench/box_load/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

namespace psephos::load {

namespace {

struct Head {
  std::size_t size = 0;  // of the head; 0: not all there
  unsigned status = 0;
  std::size_t length = 0;
  bool closes = false;
};

// Reads just what the server is known to write: "HTTP/1.1 200 …", Content-Length, Connection.
Head parse_head(std::string_view text) {
  Head head;
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    return head;
  }
  head.size = end + 4;
  text = text.substr(0, end + 2);
  const auto number = [](std::string_view digits, auto& value) {
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
  };
  number(text.substr(std::min<std::size_t>(9, text.size()), 3), head.status);
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  if (const std::size_t at = text.find(kLength); at != std::string_view::npos) {
    number(text.substr(at + kLength.size()), head.length);
  }
  head.closes = text.find("\r\nConnection: close") != std::string_view::npos;
  return head;
}

}  // namespace

Result<Client> Client::connect(const std::string& url, std::size_t connections, Done done) {
  constexpr std::string_view kScheme = "http://";
  const std::string host = url.starts_with(kScheme) ? url.substr(kScheme.size()) : url;
  const std::size_t colon = host.find(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  std::uint16_t port = 0;
  const std::string_view digits = std::string_view(host).substr(std::min(colon + 1, host.size()));
  std::from_chars(digits.data(), digits.data() + digits.size(), port);
  address.sin_port = htons(port);
  if (colon == std::string::npos || port == 0 ||
      ::inet_pton(AF_INET, host.substr(0, colon).c_str(), &address.sin_addr) != 1) {
    return fail(Errc::misuse, url + ": is not http://ADDRESS:PORT with a numeric IPv4 address");
  }
  Client client(host, std::move(done));
  client.epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  client.connections_.resize(connections);
  for (std::size_t i = 0; i < connections; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    client.connections_[i].fd = fd;
    const auto* target = static_cast<const sockaddr*>(static_cast<const void*>(&address));
    if (fd < 0 || ::connect(fd, target, sizeof(address)) != 0) {
      return fail(Errc::environment, url + ": cannot open connection " + std::to_string(i + 1));
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    client.watch(i, false, true);
    client.idle_.push_back(i);
    ++client.open_;
  }
  return client;
}

Client::Client(Client&& other) noexcept
    : host_(std::move(other.host_)),
      done_(std::move(other.done_)),
      epoll_(std::exchange(other.epoll_, -1)),
      connections_(std::exchange(other.connections_, {})),
      idle_(std::move(other.idle_)),
      busy_(other.busy_),
      open_(other.open_) {}

Client::~Client() {
  for (const Connection& connection : connections_) {
    if (connection.fd >= 0) {
      ::close(connection.fd);
    }
  }
  if (epoll_ >= 0) {
    ::close(epoll_);
  }
}

void Client::watch(std::size_t number, bool out, bool first) {
  Connection& connection = connections_[number];
  if (!first && connection.wants_out == out) {
    return;
  }
  connection.wants_out = out;
  epoll_event event{};
  event.events = EPOLLIN | (out ? std::uint32_t{EPOLLOUT} : 0U);
  event.data.u64 = number;
  ::epoll_ctl(epoll_, first ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, connection.fd, &event);
}

void Client::start(Exchange exchange) {
  const std::size_t number = idle_.back();
  idle_.pop_back();
  ++busy_;
  Connection& connection = connections_[number];
  connection.exchange = std::move(exchange);
  connection.written = 0;
  connection.waits = true;
  write(number);
}

void Client::write(std::size_t number) {
  Connection& connection = connections_[number];
  const ByteView parts[] = {as_bytes(connection.exchange.head), connection.exchange.body};
  const std::size_t all = parts[0].size() + parts[1].size();
  while (connection.written < all) {
    std::array<iovec, 2> pieces{};
    std::size_t skip = connection.written;
    int count = 0;
    for (const ByteView part : parts) {
      const std::size_t passed = std::min(skip, part.size());
      skip -= passed;
      if (passed < part.size()) {
        // iovec has no const; nothing is written there.
        pieces[static_cast<std::size_t>(count++)] = {
            const_cast<std::uint8_t*>(part.data()) + passed, part.size() - passed};
      }
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = static_cast<std::size_t>(count);
    const ssize_t sent = ::sendmsg(connection.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EAGAIN) {
        watch(number, true, false);
      } else {
        end(number);
      }
      return;
    }
    connection.written += static_cast<std::size_t>(sent);
  }
  watch(number, false, false);
}

void Client::read(std::size_t number) {
  Connection& connection = connections_[number];
  std::array<char, 16384> buffer;
  const ssize_t got = ::recv(connection.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) {
    return;
  }
  if (got <= 0) {
    end(number);
    return;
  }
  const std::string_view arrived(buffer.data(), static_cast<std::size_t>(got));
  // Nearly always an answer comes in one piece.
  if (!connection.answer.empty()) {
    connection.answer += arrived;
  }
  const std::string_view text = connection.answer.empty() ? arrived : connection.answer;
  const Head head = parse_head(text);
  if (head.size == 0 || text.size() < head.size + head.length) {
    if (connection.answer.empty()) {
      connection.answer = arrived;
    }
    return;
  }
  if (connection.waits) {
    connection.waits = false;
    --busy_;
    done_(connection.exchange, head.status, text.substr(head.size, head.length));
  }
  connection.answer.clear();
  if (head.closes) {
    end(number);
  } else {
    idle_.push_back(number);
  }
}

void Client::end(std::size_t number) {
  Connection& connection = connections_[number];
  ::close(std::exchange(connection.fd, -1));
  --open_;
  if (std::exchange(connection.waits, false)) {
    --busy_;
    done_(connection.exchange, 0, {});
  } else {
    std::erase(idle_, number);
  }
}

void Client::poll(std::chrono::microseconds patience) {
  std::array<epoll_event, 256> events{};
  const timespec time{.tv_sec = 0, .tv_nsec = patience.count() * 1000};
  const int count =
      ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &time, nullptr);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const auto number = static_cast<std::size_t>(event.data.u64);
    if (connections_[number].fd >= 0 && (event.events & EPOLLOUT) != 0) {
      write(number);
    }
    if (connections_[number].fd >= 0 && (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
      read(number);
    }
  }
}

}  // namespace psephos::load
