#include "src/http/loop.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "src/http/problem.h"
#include "src/http/response_text.h"
#include "src/http/session.h"

namespace psephos::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

namespace {

constexpr std::size_t kMaxRefusing = 64;  // connections that are read on after they were refused
constexpr std::chrono::seconds kRefusalTime(1);
constexpr std::chrono::milliseconds kAcceptPause(50);
constexpr std::chrono::seconds kRetry(5);

Address address_of(const tcp::endpoint& endpoint) {
  Address address;
  address.bytes =
      endpoint.address().is_v6()
          ? endpoint.address().to_v6().to_bytes()
          : asio::ip::make_address_v6(asio::ip::v4_mapped, endpoint.address().to_v4()).to_bytes();
  return address;
}

// Whole answers for connections that are not admitted.
std::shared_ptr<const std::string> refusal(unsigned status, std::string_view detail) {
  const Response response = problem_retry(status, "", detail, kRetry);
  std::string text = response_head(response, ResponseFrame{});
  text.append(as_text(response.body));
  return std::make_shared<const std::string>(std::move(text));
}

void end_quietly(const std::exception_ptr& /*no memory*/) {}

}  // namespace

// The sessions of this loop that listen to one hub: an event costs the publisher one call, whatever
// their number.
class Loop::Group final : public EventSink {
 public:
  Group(Loop& loop, std::shared_ptr<EventHub> hub) : loop_(loop), hub_(std::move(hub)) {
    hub_->attach(*this);
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  ~Group() override { hub_->detach(*this); }

  void on_event(const SharedEvent& event) override {
    // The group may be gone when the loop comes to it. The hub is not, so that no other one can
    // have taken its address.
    asio::post(loop_.io_, [&loop = loop_, hub = hub_, event] {
      if (const auto found = loop.groups_.find(hub.get()); found != loop.groups_.end()) {
        for (Session* session : found->second->sessions) {
          session->push(event);
        }
      }
    });
  }

  std::unordered_set<Session*> sessions;

 private:
  Loop& loop_;
  std::shared_ptr<EventHub> hub_;
};

Loop::Loop(Shared& shared) : shared_(shared), io_(1), heart_(io_) {}

Loop::~Loop() = default;

void Loop::listen(bool v6, int socket) {
  auto acceptor = std::make_unique<tcp::acceptor>(io_, v6 ? tcp::v6() : tcp::v4(), socket);
  asio::co_spawn(io_, [this, raw = acceptor.get()] { return accept(*raw); }, end_quietly);
  acceptors_.push_back(std::move(acceptor));
}

void Loop::run() {
  asio::co_spawn(io_, [this] { return beat(); }, end_quietly);
  const auto work = asio::make_work_guard(io_);
  while (!io_.stopped()) {
    try {
      io_.run();
      // Nothing of ours throws but for want of memory: what was to be done then is lost, the other
      // connections are not.
    } catch (...) {  // NOLINT(bugprone-empty-catch): see above
    }
  }
}

void Loop::post_close() {
  asio::post(io_, [this] {
    ErrorCode ignored;
    for (const auto& acceptor : acceptors_) {
      acceptor->close(ignored);
    }
    for (Session* session : sessions_) {
      session->close_if_idle();
    }
  });
}

void Loop::post_abort() {
  asio::post(io_, [this] {
    for (Session* session : sessions_) {
      session->abort();
    }
  });
}

void Loop::post_end() {
  asio::post(io_, [this] { io_.stop(); });
}

asio::awaitable<void> Loop::accept(tcp::acceptor& acceptor) {
  while (!shared_.stopping) {
    tcp::socket socket(io_);
    ErrorCode error;
    co_await acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) {
      co_return;
    }
    if (error) {
      // Usually no descriptor is left: wait until one is closed.
      asio::steady_timer pause(io_, kAcceptPause);
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    try {
      admit(std::move(socket));
    } catch (...) {  // NOLINT(bugprone-empty-catch): no memory for this one; others will come
    }
  }
}

void Loop::admit(tcp::socket socket) {
  static const auto full = refusal(503, "The server has as many connections as it takes.");
  static const auto too_many = refusal(429, "There are too many connections from your address.");
  ErrorCode error;
  const tcp::endpoint endpoint = socket.remote_endpoint(error);
  if (error) {
    return;  // gone
  }
  socket.set_option(tcp::no_delay(true), error);
  const Address peer = address_of(endpoint);
  const bool proxy = std::ranges::any_of(
      shared_.trusted, [&](const AddressRange& range) { return range.contains(peer); });
  const std::string counted = proxy ? std::string() : peer.client();
  const auto verdict = shared_.connections.enter(counted);
  if (verdict == ConnectionLimit::Verdict::admitted) {
    std::shared_ptr<Session> session;
    try {
      session = std::make_shared<Session>(*this, std::move(socket), peer, counted);
    } catch (...) {
      shared_.connections.leave(counted);  // else its end does
      throw;
    }
    session->start();
    return;
  }
  // No handshake for those: it is what costs most.
  if (shared_.options.certificate.empty() && refusing_ < kMaxRefusing) {
    asio::co_spawn(
        io_,
        [this, kept = std::make_shared<tcp::socket>(std::move(socket)),
         answer = verdict == ConnectionLimit::Verdict::full ? full : too_many] {
          return refuse(kept, answer);
        },
        end_quietly);
  }
}

asio::awaitable<void> Loop::refuse(std::shared_ptr<tcp::socket> socket,
                                   std::shared_ptr<const std::string> answer) {
  ++refusing_;
  ErrorCode error;
  socket->non_blocking(true, error);
  socket->write_some(asio::buffer(*answer), error);
  socket->shutdown(tcp::socket::shutdown_send, error);
  // What the client still sends would have the answer thrown away.
  asio::steady_timer end(io_, kRefusalTime);
  end.async_wait([weak = std::weak_ptr(socket)](const ErrorCode& cancelled) {
    if (const auto kept = weak.lock(); kept && !cancelled) {
      ErrorCode ignored;
      kept->close(ignored);
    }
  });
  std::array<char, 1024> unread{};
  while (!error) {
    co_await socket->async_read_some(asio::buffer(unread),
                                     asio::redirect_error(asio::use_awaitable, error));
  }
  --refusing_;
}

asio::awaitable<void> Loop::beat() {
  while (true) {
    heart_.expires_after(shared_.options.heartbeat);
    ErrorCode error;
    co_await heart_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      co_return;
    }
    for (const auto& [hub, group] : groups_) {
      for (Session* session : group->sessions) {
        session->beat();
      }
    }
  }
}

void Loop::subscribe(Session& session, const std::shared_ptr<EventHub>& hub) {
  std::unique_ptr<Group>& group = groups_[hub.get()];
  if (!group) {
    group = std::make_unique<Group>(*this, hub);
  }
  group->sessions.insert(&session);
}

void Loop::unsubscribe(Session& session, const std::shared_ptr<EventHub>& hub) {
  const auto found = groups_.find(hub.get());
  if (found == groups_.end()) {
    return;
  }
  found->second->sessions.erase(&session);
  if (found->second->sessions.empty()) {
    groups_.erase(found);
  }
}

}  // namespace psephos::http
