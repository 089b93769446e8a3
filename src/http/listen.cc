#include "src/http/listen.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

namespace psephos::http {

namespace {

struct Endpoint {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

std::unexpected<Error> system_error(const std::string& what, std::string_view doing) {
  const int code = errno;
  return fail(Errc::environment, what + ": cannot " + std::string(doing) + ": " +
                                     std::generic_category().message(code));
}

// The kernel's structures are read and written as bytes.
template <class Structure>
Endpoint endpoint_of(const Structure& structure) {
  Endpoint endpoint;
  std::memcpy(&endpoint.storage, &structure, sizeof structure);
  endpoint.size = sizeof structure;
  return endpoint;
}

template <class Structure>
Structure structure_of(const sockaddr_storage& storage) {
  Structure structure{};
  std::memcpy(&structure, &storage, sizeof structure);
  return structure;
}

Result<Endpoint> parse_endpoint(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  std::string host = text.substr(0, colon);
  const bool v6 = host.starts_with('[') && host.ends_with(']');
  if (v6) {
    host = host.substr(1, host.size() - 2);
  }
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const char* begin = colon == std::string::npos ? end : text.data() + colon + 1;
  const auto [stop, error] = std::from_chars(begin, end, port);
  const auto address = parse_address(host);
  if (error != std::errc() || stop != end || !address.has_value() || v6 != host.contains(':')) {
    return fail(Errc::malformed, "'" + text +
                                     "' is nothing to listen on: write a numeric address "
                                     "and a port, 127.0.0.1:8080 or [::1]:8080");
  }
  if (v6) {
    sockaddr_in6 structure{};
    structure.sin6_family = AF_INET6;
    structure.sin6_port = htons(port);
    std::ranges::copy(address->bytes, std::begin(structure.sin6_addr.s6_addr));
    return endpoint_of(structure);
  }
  sockaddr_in structure{};
  structure.sin_family = AF_INET;
  structure.sin_port = htons(port);
  std::memcpy(&structure.sin_addr, &address->bytes[12], 4);
  return endpoint_of(structure);
}

Result<Descriptor> bind_to(const std::string& name, const Endpoint& endpoint, bool shared) {
  Descriptor fd(::socket(endpoint.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (fd.get() < 0 || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      (shared && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)) {
    return system_error(name, "make a socket");
  }
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-cstyle-cast): how the system's interface is used.
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&endpoint.storage), endpoint.size) != 0) {
    return system_error(name, "listen");
  }
  return fd;
}

Result<Endpoint> endpoint_of_socket(int fd, const std::string& name) {
  Endpoint endpoint;
  endpoint.size = sizeof endpoint.storage;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-cstyle-cast): how the system's interface is used.
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&endpoint.storage), &endpoint.size) != 0) {
    return system_error(name, "find its address");
  }
  return endpoint;
}

std::uint16_t port_of(const Endpoint& endpoint) {
  return ntohs(endpoint.storage.ss_family == AF_INET6
                   ? structure_of<sockaddr_in6>(endpoint.storage).sin6_port
                   : structure_of<sockaddr_in>(endpoint.storage).sin_port);
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

int Descriptor::release() { return std::exchange(fd_, -1); }

Result<Listener> listen_on(const std::string& address, std::size_t count) {
  PSEPHOS_TRY(Endpoint endpoint, parse_endpoint(address));
  Listener listener;
  listener.v6 = endpoint.storage.ss_family == AF_INET6;
  if (port_of(endpoint) != 0) {
    // Another process of this user that shares the port would silently get a part of the
    // connections. A socket that does not share finds out whether there is one.
    PSEPHOS_CHECK_OK(bind_to(address, endpoint, false));
  }
  for (std::size_t i = 0; i < count; ++i) {
    PSEPHOS_TRY(Descriptor fd, bind_to(address, endpoint, true));
    if (i == 0) {
      PSEPHOS_TRY(endpoint, endpoint_of_socket(fd.get(), address));  // with the port it was given
    }
    if (::listen(fd.get(), SOMAXCONN) != 0) {
      return system_error(address, "listen");
    }
    listener.sockets.push_back(std::move(fd));
  }
  listener.port = port_of(endpoint);
  return listener;
}

Result<Listener> listen_inherited(int fd, std::size_t count) {
  const std::string name = "inherited socket " + std::to_string(fd);
  PSEPHOS_TRY(const Endpoint endpoint, endpoint_of_socket(fd, name));
  int listening = 0;
  socklen_t size = sizeof listening;
  const auto family = endpoint.storage.ss_family;
  if ((family != AF_INET && family != AF_INET6) ||
      ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0) {
    return fail(Errc::misuse, name + " is not a listening TCP socket");
  }
  Listener listener;
  listener.v6 = family == AF_INET6;
  listener.port = port_of(endpoint);
  for (std::size_t i = 0; i < count; ++i) {
    Descriptor copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (copy.get() < 0) {
      return system_error(name, "share it");
    }
    listener.sockets.push_back(std::move(copy));
  }
  return listener;
}

}  // namespace psephos::http
