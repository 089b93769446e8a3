// A TCP connection, with TLS or without, for coroutines. Includes Asio.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace psephos::network {

// Wire is used by one thread. What fails sets `error`, which must live until the awaited operation
// has ended. One read and one write may be under way at once.
class Wire {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using SslContext = boost::asio::ssl::context;
  using ErrorCode = boost::system::error_code;
  using Buffers = std::vector<boost::asio::const_buffer>;

 private:
  static auto redirected(ErrorCode& error) {
    return boost::asio::redirect_error(boost::asio::use_awaitable, error);
  }

 public:
  // Without a context: no TLS.
  Wire(Socket socket, std::shared_ptr<SslContext> context)
      : socket_(std::move(socket)), context_(std::move(context)) {
    if (context_) {
      tls_.emplace(socket_, *context_);
    }
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() = default;

  [[nodiscard]] Socket& socket() { return socket_; }
  // Null without TLS.
  [[nodiscard]] SSL* tls() { return tls_ ? tls_->native_handle() : nullptr; }

  // With TLS only.
  template <class Verify>
  void verify_with(Verify verify) {
    tls_->set_verify_callback(std::move(verify));
  }
  boost::asio::awaitable<void> handshake(boost::asio::ssl::stream_base::handshake_type type,
                                         ErrorCode& error) {
    return tls_->async_handshake(type, redirected(error));
  }
  boost::asio::awaitable<void> shutdown_tls(ErrorCode& error) {
    return tls_->async_shutdown(redirected(error));
  }

  boost::asio::awaitable<std::size_t> read_some(boost::asio::mutable_buffer buffer,
                                                ErrorCode& error) {
    if (tls_) {
      return tls_->async_read_some(buffer, redirected(error));
    }
    return socket_.async_read_some(buffer, redirected(error));
  }

  // The same without a coroutine: calls done().
  template <class Done>
  void read_some_then(boost::asio::mutable_buffer buffer, Done done) {
    auto handler = [done = std::move(done)](ErrorCode /*error*/, std::size_t /*size*/) { done(); };
    if (tls_) {
      tls_->async_read_some(buffer, std::move(handler));
    } else {
      socket_.async_read_some(buffer, std::move(handler));
    }
  }

  boost::asio::awaitable<std::size_t> write(const Buffers& buffers, ErrorCode& error) {
    if (tls_) {
      return boost::asio::async_write(*tls_, buffers, redirected(error));
    }
    return boost::asio::async_write(socket_, buffers, redirected(error));
  }

  // What is under way ends with an error; the connection can still be used.
  void cancel() {
    ErrorCode ignored;
    socket_.cancel(ignored);
  }
  void close() {
    ErrorCode ignored;
    socket_.close(ignored);
  }

 private:
  Socket socket_;
  std::shared_ptr<SslContext> context_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
};

}  // namespace psephos::network
