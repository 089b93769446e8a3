// Listening sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "psephos/error.h"

#include "src/http/client_address.h"

namespace psephos::http {

// Descriptor owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();
  [[nodiscard]] int get() const { return fd_; }
  int release();

 private:
  int fd_;
};

// One place that is listened on, by one socket for each thread.
struct Listener {
  std::vector<Descriptor> sockets;
  bool v6 = false;
  std::uint16_t port = 0;
};

// listen_on opens `count` sockets of their own (SO_REUSEPORT: the kernel spreads connections over
// them) for "address:port".
[[nodiscard]] Result<Listener> listen_on(const std::string& address, std::size_t count);

// listen_inherited returns `count` descriptors of one socket that is listening already.
[[nodiscard]] Result<Listener> listen_inherited(int fd, std::size_t count);

}  // namespace psephos::http
