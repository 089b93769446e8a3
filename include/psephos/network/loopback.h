// Where the browser hands over the answer of a sign-in (RFC 8252 §7.3): a port of this machine,
// open for one answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "psephos/error.h"

namespace psephos::network {

class LoopbackListener {
 public:
  // open takes a free port of 127.0.0.1.
  static Result<LoopbackListener> open();
  LoopbackListener(const LoopbackListener&) = delete;
  LoopbackListener& operator=(const LoopbackListener&) = delete;
  LoopbackListener(LoopbackListener&& other) noexcept;
  LoopbackListener& operator=(LoopbackListener&& other) noexcept;
  ~LoopbackListener();

  [[nodiscard]] std::uint16_t port() const { return port_; }

  // wait returns the query of the first GET of the path ("/callback") that `is_awaited` knows by
  // its query; it is answered with a page that says to go back to the program. Other requests,
  // which any web page can send, get 404 and change nothing. Errc::environment: none came before
  // the deadline.
  using IsAwaited = std::function<bool(std::string_view query)>;
  [[nodiscard]] Result<std::string> wait(std::string_view path, const IsAwaited& is_awaited,
                                         std::chrono::steady_clock::time_point deadline);

 private:
  LoopbackListener(int descriptor, std::uint16_t port) : descriptor_(descriptor), port_(port) {}
  int descriptor_;
  std::uint16_t port_;
};

}  // namespace psephos::network
