#include "src/http/connection_limit.h"

namespace psephos::http {

ConnectionLimit::Verdict ConnectionLimit::enter(const std::string& client) {
  const std::scoped_lock lock(mutex_);
  if (size_ >= max_) {
    return Verdict::full;
  }
  if (!client.empty()) {
    std::size_t& count = clients_[client];
    if (count >= max_per_client_) {
      return Verdict::too_many_of_client;
    }
    ++count;
  }
  ++size_;
  return Verdict::admitted;
}

void ConnectionLimit::leave(const std::string& client) {
  const std::scoped_lock lock(mutex_);
  --size_;
  if (const auto found = clients_.find(client); found != clients_.end() && --found->second == 0) {
    clients_.erase(found);
  }
}

std::size_t ConnectionLimit::size() const {
  const std::scoped_lock lock(mutex_);
  return size_;
}

}  // namespace psephos::http
