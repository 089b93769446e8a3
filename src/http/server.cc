#include "src/http/server.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <utility>

#include "src/http/listen.h"
#include "src/http/loop.h"
#include "src/http/tls.h"

namespace psephos::http {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPoll(5);
constexpr std::chrono::seconds kAbortTime(2);

}  // namespace

class HttpServer::State {
 public:
  State(ServerOptions options, Handler& handler) : shared_(std::move(options), handler) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { stop(std::chrono::milliseconds(0)); }

  Result<void> open() {
    const ServerOptions& options = shared_.options;
    for (const std::string& proxy : options.trusted_proxies) {
      PSEPHOS_TRY(const AddressRange range, AddressRange::parse(proxy));
      shared_.trusted.push_back(range);
    }
    if (options.certificate.empty() && !(options.key.empty() && options.client_ca.empty())) {
      return fail(Errc::misuse, "a key or a client authority without a certificate");
    }
    if (options.require_client_certificate && options.client_ca.empty()) {
      return fail(Errc::misuse, "client certificates are required, but no authority is named");
    }
    if (options.listen.empty() && options.inherited.empty()) {
      return fail(Errc::misuse, "nothing to listen on");
    }
    PSEPHOS_CHECK_OK(load_certificates());
    const std::size_t threads =
        options.threads != 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
    for (std::size_t i = 0; i < threads; ++i) {
      loops_.push_back(std::make_unique<Loop>(shared_));
    }
    for (const std::string& address : options.listen) {
      PSEPHOS_TRY(Listener listener, listen_on(address, threads));
      take(std::move(listener));
    }
    for (const int fd : options.inherited) {
      PSEPHOS_TRY(Listener listener, listen_inherited(fd, threads));
      take(std::move(listener));
    }
    return {};
  }

  void start() {
    for (const auto& loop : loops_) {
      threads_.emplace_back([&loop = *loop] { loop.run(); });
    }
  }

  void stop(std::chrono::milliseconds deadline) {
    shared_.stopping = true;
    if (threads_.empty()) {
      return;
    }
    // What just then is neither idle nor in flight is closed the next time.
    wait_for_end(Clock::now() + deadline, &Loop::post_close);
    wait_for_end(Clock::now() + kAbortTime, &Loop::post_abort);
    for (const auto& loop : loops_) {
      loop->post_end();
    }
    threads_.clear();  // joins
  }

  Result<void> load_certificates() {
    const ServerOptions& options = shared_.options;
    if (options.certificate.empty()) {
      return {};
    }
    PSEPHOS_TRY(TlsContext context,
                make_tls_context({options.certificate, options.key, options.client_ca,
                                  options.require_client_certificate}));
    auto taken = std::make_shared<boost::asio::ssl::context>(context.release());
    const std::scoped_lock lock(shared_.tls_mutex);
    shared_.tls_context = std::move(taken);
    return {};
  }

  [[nodiscard]] Shared& shared() { return shared_; }
  [[nodiscard]] const std::vector<std::uint16_t>& ports() const { return ports_; }

 private:
  void take(Listener listener) {
    ports_.push_back(listener.port);
    for (std::size_t i = 0; i < loops_.size(); ++i) {
      loops_[i]->listen(listener.v6, listener.sockets[i].release());
    }
  }

  void wait_for_end(Clock::time_point end, void (Loop::*ask)()) {
    do {
      for (const auto& loop : loops_) {
        ((*loop).*ask)();
      }
      if (shared_.connections.size() == 0) {
        return;
      }
      std::this_thread::sleep_for(kPoll);
    } while (Clock::now() < end);
  }

  Shared shared_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::uint16_t> ports_;
  std::vector<std::jthread> threads_;
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::create(ServerOptions options, Handler& handler) {
  try {
    auto state = std::make_unique<State>(std::move(options), handler);
    PSEPHOS_CHECK_OK(state->open());
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
  } catch (const std::exception& error) {
    return fail(Errc::environment, std::string("cannot set up the server: ") + error.what());
  }
}

const std::vector<std::uint16_t>& HttpServer::ports() const { return state_->ports(); }

void HttpServer::start() { state_->start(); }

void HttpServer::stop(std::chrono::milliseconds deadline) { state_->stop(deadline); }

Result<void> HttpServer::reload_certificates() { return state_->load_certificates(); }

std::size_t HttpServer::connections() const { return state_->shared().connections.size(); }

std::size_t HttpServer::event_listeners() const { return state_->shared().event_listeners; }

}  // namespace psephos::http
