// A client that sends exactly the bytes it is told to.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace psephos::test {

// No test waits longer than this for anything that should happen.
inline constexpr std::chrono::seconds kPatience(20);

class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer != 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { close(); }

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] int fd() const { return fd_; }

  void close() {
    if (fd_ >= 0) {
      ::close(fd_);
      fd_ = -1;
    }
  }

  // Goes away so that the server's next write fails.
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }

  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t size = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (size <= 0) {
        return false;
      }
      text.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
  }

  // Reads some; false: the end, an error, or nothing in time.
  bool read(std::string& text, std::chrono::milliseconds time = kPatience) {
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(time.count())) <= 0) {
      timed_out_ = true;
      return false;
    }
    char buffer[16'384];
    const ssize_t size = ::recv(fd_, buffer, sizeof buffer, 0);
    if (size <= 0) {
      closed_ = true;
      return false;
    }
    text.append(buffer, static_cast<std::size_t>(size));
    return true;
  }

  // Everything up to the end of the connection.
  std::string read_all() {
    while (read(buffered_)) {
    }
    return std::exchange(buffered_, {});
  }

  // Up to and with `mark`; what came if it does not come.
  std::string read_until(std::string_view mark) {
    while (!buffered_.contains(mark) && read(buffered_)) {
    }
    const std::size_t at = buffered_.find(mark);
    const std::size_t end = at == std::string::npos ? buffered_.size() : at + mark.size();
    std::string text = buffered_.substr(0, end);
    buffered_.erase(0, end);
    return text;
  }

  // One answer with a Content-Length, or without a body.
  std::string read_answer() {
    std::string text = read_until("\r\n\r\n");
    const std::size_t at = text.find("Content-Length: ");
    if (at != std::string::npos) {
      const std::size_t size = std::stoul(text.substr(at + 16));
      while (buffered_.size() < size && read(buffered_)) {
      }
      text += buffered_.substr(0, size);
      buffered_.erase(0, size);
    }
    return text;
  }

  // Whether the server has closed the connection, as far as read() saw.
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] bool timed_out() const { return timed_out_; }

 private:
  int fd_;
  bool connected_ = false;
  bool closed_ = false;
  bool timed_out_ = false;
  std::string buffered_;
};

// 0: no answer.
inline unsigned status_of(std::string_view answer) {
  return answer.starts_with("HTTP/1.1 ") && answer.size() > 12
             ? static_cast<unsigned>(std::stoul(std::string(answer.substr(9, 3))))
             : 0;
}

}  // namespace psephos::test
