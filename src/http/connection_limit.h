// How many connections there may be: in all, and of one client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

namespace psephos::http {

// ConnectionLimit is used by several threads.
class ConnectionLimit {
 public:
  enum class Verdict : std::uint8_t { admitted, full, too_many_of_client };

  ConnectionLimit(std::size_t max, std::size_t max_per_client)
      : max_(max), max_per_client_(max_per_client) {}

  // An empty client counts among all only: a proxy that stands for many.
  [[nodiscard]] Verdict enter(const std::string& client);
  // For each that was admitted.
  void leave(const std::string& client);
  [[nodiscard]] std::size_t size() const;

 private:
  const std::size_t max_;
  const std::size_t max_per_client_;
  mutable std::mutex mutex_;
  std::size_t size_ = 0;
  std::unordered_map<std::string, std::size_t> clients_;  // those with a connection
};

}  // namespace psephos::http
