#include "src/http/session.h"

#include <algorithm>
#include <array>
#include <exception>
#include <mutex>
#include <string_view>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "src/http/ascii.h"
#include "src/http/problem.h"
#include "src/http/tls.h"

namespace psephos::http {

namespace asio = boost::asio;
using ErrorCode = network::Wire::ErrorCode;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t kPiece = 65'536;     // of an answer, written at once
constexpr std::size_t kFirstRead = 1'024;  // what a connection that waits holds
constexpr std::size_t kRead = 16'384;
constexpr std::size_t kMaxDrained = 1 << 20U;
constexpr std::chrono::milliseconds kDrainTime(2'000);
constexpr std::chrono::milliseconds kEndTime(200);  // for TLS to say so
constexpr std::chrono::seconds kListenersRetry(30);
constexpr int kListenerBuffer = 65'536;  // of the kernel, for each event stream

asio::mutable_buffer buffer_of(MutableByteView bytes) { return {bytes.data(), bytes.size()}; }

// The names of methods are the client's: statistics count only those in use.
std::string usual_method(const std::string& method) {
  for (const std::string_view usual :
       {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    if (method == usual) {
      return method;
    }
  }
  return "other";
}

Response no_answer() { return problem(500, "", "The request could not be answered."); }

}  // namespace

// Mailbox takes the answer to a request from any thread, and wakes the session, if it still waits.
class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  explicit Mailbox(Session& session) : session_(&session), io_(&session.loop_.io()) {}

  void put(Response response) {
    const std::scoped_lock lock(mutex_);
    if (io_ == nullptr) {
      return;  // nobody waits: the server behind io_ may be gone
    }
    response_ = std::move(response);
    asio::post(*io_, [self = shared_from_this()] {
      if (self->session_ != nullptr) {
        self->session_->signal_.cancel();
      }
    });
  }

  // The rest by the session's thread.
  [[nodiscard]] std::optional<Response> take() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(response_, std::nullopt);
  }
  void abandon() {
    const std::scoped_lock lock(mutex_);
    io_ = nullptr;
    session_ = nullptr;
  }

 private:
  Session* session_;  // looked at by its thread only
  std::mutex mutex_;
  asio::io_context* io_;              // guarded
  std::optional<Response> response_;  // guarded
};

namespace {

// Responder is what a Respond holds: it answers once, at the latest when it is destroyed.
class Responder {
 public:
  explicit Responder(std::shared_ptr<Mailbox> mailbox) : mailbox_(std::move(mailbox)) {}
  Responder(Responder&&) = default;
  Responder& operator=(Responder&&) = delete;
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;
  ~Responder() {
    if (mailbox_) {
      mailbox_->put(no_answer());
    }
  }
  void operator()(Response response) {
    if (const auto mailbox = std::exchange(mailbox_, nullptr); mailbox) {
      mailbox->put(std::move(response));
    }
  }

 private:
  std::shared_ptr<Mailbox> mailbox_;
};

}  // namespace

Session::Session(Loop& loop, asio::ip::tcp::socket socket, const Address& peer, std::string counted)
    : loop_(loop),
      shared_(loop.shared()),
      peer_(peer),
      counted_(std::move(counted)),
      wire_(std::move(socket), shared_.tls()),
      deadline_(loop.io()),
      signal_(loop.io()),
      parser_(shared_.options.max_header) {}

Session::~Session() {
  if (mailbox_) {
    mailbox_->abandon();
  }
  loop_.leave(*this);
  shared_.connections.leave(counted_);
}

void Session::start() {
  loop_.enter(*this);
  // What the coroutine throws (no memory) ends this connection and nothing else.
  asio::co_spawn(
      loop_.io(), [self = shared_from_this()] { return self->run(); },
      [](const std::exception_ptr& /*ignored*/) {});
}

void Session::arm(std::chrono::milliseconds time) {
  timed_out_ = false;
  deadline_.expires_after(time);
  watch_deadline();
}

void Session::disarm() { deadline_.expires_at(Clock::time_point::max()); }

void Session::watch_deadline() {
  deadline_.async_wait([weak = weak_from_this()](const ErrorCode& error) {
    const auto self = weak.lock();
    if (error || !self || Clock::now() < self->deadline_.expiry()) {
      return;  // ended, or armed anew meanwhile
    }
    self->timed_out_ = true;
    self->wire_.cancel();
    // Between two steps of an operation there is nothing to cancel: try again soon.
    self->deadline_.expires_after(std::chrono::milliseconds(50));
    self->watch_deadline();
  });
}

void Session::close_if_idle() {
  if (waiting_ != Waiting::no) {
    wire_.cancel();
    signal_.cancel();
  }
}

void Session::abort() {
  gone_ = true;
  wire_.close();
  signal_.cancel();
}

asio::awaitable<void> Session::run() {
  arm(shared_.options.header_timeout);
  bool more = true;
  if (wire_.tls() != nullptr) {
    more = co_await handshake();
  }
  while (more) {
    more = co_await serve();
  }
  co_await close();
}

asio::awaitable<bool> Session::handshake() {
  ErrorCode error;
  co_await wire_.handshake(asio::ssl::stream_base::server, error);
  if (error) {
    gone_ = true;
    co_return false;
  }
  certificate_ = peer_subject(wire_.tls());
  co_return true;
}

// One request and its answer. False: the connection is to end.
asio::awaitable<bool> Session::serve() {
  received_ = sent_ = 0;
  route_.clear();
  method_ = "other";
  answer_.reset();
  const bool arrived = co_await read_head();
  if (!arrived) {
    co_return false;
  }
  if (!answer_) {
    admit();
  }
  if (!answer_) {
    co_await read_body();
  }
  const RequestHead& head = parser_.head();
  ResponseFrame frame{head.version_1_1, head.keep_alive, head.method == "HEAD"};
  if (parser_.step() != RequestParser::State::complete) {
    frame.keep_alive = false;  // where the next request begins is not known
  }
  disarm();
  if (!answer_) {
    co_await ask();
  }
  bool written = false;
  if (answer_ && !gone_) {
    frame.keep_alive = frame.keep_alive && !answer_->events && !shared_.stopping;
    drains_ = true;
    if (answer_->events && !frame.head_only) {
      co_await stream(frame);
    } else {
      written = co_await write_answer(frame);
    }
  }
  report();
  request_ = {};  // refused: nobody took it
  parser_.next();
  parser_.release();
  first_ = false;
  co_return written&& frame.keep_alive;
}

// False: there is no request, and none to be expected. Else the head is there, or answer_.
asio::awaitable<bool> Session::read_head() {
  const bool waits = parser_.empty();
  if (!first_) {
    arm(waits ? shared_.options.idle_timeout : shared_.options.header_timeout);
  }
  begun_ = Clock::now();
  RequestParser::State state = parser_.step();
  while (state == RequestParser::State::more) {
    const bool begins = parser_.empty();
    if (begins && shared_.stopping) {
      co_return false;
    }
    waiting_ = begins ? Waiting::for_request : Waiting::no;
    const MutableByteView space = parser_.prepare(begins ? kFirstRead : kRead);
    ErrorCode error;
    const std::size_t size = co_await wire_.read_some(buffer_of(space), error);
    waiting_ = Waiting::no;
    if (error && timed_out_ && !begins) {
      answer_ = problem(408, "", "The head of the request took too long.");
      co_return true;
    }
    if (error || gone_) {
      gone_ = gone_ || !(timed_out_ || shared_.stopping);
      co_return false;
    }
    if (begins && !first_) {
      arm(shared_.options.header_timeout);
    }
    if (begins) {
      begun_ = Clock::now();
    }
    parser_.commit(size);
    received_ += size;
    state = parser_.step();
  }
  answer_ = parser_refusal();
  co_return true;
}

std::optional<Response> Session::parser_refusal() {
  const RequestFailure& failure = parser_.failure();
  if (failure.status == 0) {
    return std::nullopt;
  }
  return problem(failure.status, "", failure.detail);
}

// What can be said to a head: whether the client may send it, and a body of that length.
void Session::admit() {
  const RequestHead& head = parser_.head();
  try {
    route_ = shared_.handler.route(head.method, head.target.path);
  } catch (...) {
    answer_ = no_answer();
    return;
  }
  method_ = usual_method(head.method);
  std::vector<std::string_view> forwarded;
  for (const Header& header : head.headers) {
    if (same_word(header.name, "X-Forwarded-For")) {
      forwarded.emplace_back(header.value);
    }
  }
  client_ = client_of(peer_, forwarded, shared_.trusted).client();
  const auto wait = shared_.rate.take(client_, Clock::now());
  if (wait.count() != 0) {
    answer_ = problem_retry(429, "", "Too many requests from your address. Try again later.", wait);
    return;
  }
  request_ = request_of(head);
  try {
    auto admitted = shared_.handler.admit(request_);
    if (!admitted.has_value()) {
      answer_ = is_valid(admitted.error()) ? std::move(admitted.error()) : no_answer();
      return;
    }
    parser_.limit_body(admitted->value_or(shared_.options.max_body));
  } catch (...) {
    answer_ = no_answer();
    return;
  }
  answer_ = parser_refusal();
}

asio::awaitable<void> Session::read_body() {
  arm(shared_.options.body_timeout);
  RequestParser::State state = parser_.step();
  if (state == RequestParser::State::more && parser_.head().expects_continue) {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    const std::vector<asio::const_buffer> buffers{asio::buffer(kContinue)};
    ErrorCode error;
    co_await wire_.write(buffers, error);
    gone_ = gone_ || error;
  }
  while (state == RequestParser::State::more && !gone_) {
    const MutableByteView space = parser_.prepare(kRead);
    ErrorCode error;
    const std::size_t size = co_await wire_.read_some(buffer_of(space), error);
    if (error) {
      answer_ = problem(408, "", "The body of the request took too long.");
      gone_ = gone_ || !timed_out_;
      co_return;
    }
    parser_.commit(size);
    received_ += size;
    state = parser_.step();
  }
  answer_ = parser_refusal();
}

// Without its body.
Request Session::request_of(const RequestHead& head) const {
  Request request;
  request.method = head.method;
  request.path = head.target.path;
  request.query = head.target.query;
  request.headers = head.headers;
  request.client = client_;
  request.client_certificate = certificate_;
  return request;
}

// Gives the request to the handler and waits for the answer; none comes if the server stops.
asio::awaitable<void> Session::ask() {
  if (gone_) {
    co_return;
  }
  mailbox_ = std::make_shared<Mailbox>(*this);
  try {
    Respond respond = Responder(mailbox_);
    request_.body = parser_.take_body();
    shared_.handler.handle(std::exchange(request_, {}), std::move(respond));
  } catch (...) {  // NOLINT(bugprone-empty-catch): its Respond, destroyed now or later, answers 500
  }
  answer_ = mailbox_->take();
  while (!answer_ && !gone_) {
    signal_.expires_at(Clock::time_point::max());
    ErrorCode cancelled;
    co_await signal_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    answer_ = mailbox_->take();
  }
  mailbox_->abandon();
  mailbox_.reset();
  if (answer_ && !is_valid(*answer_)) {
    answer_ = no_answer();
  }
}

asio::awaitable<bool> Session::write(std::vector<asio::const_buffer> buffers) {
  arm(shared_.options.write_timeout);
  ErrorCode error;
  sent_ += co_await wire_.write(buffers, error);
  disarm();
  gone_ = gone_ || error;
  co_return !gone_;
}

asio::awaitable<bool> Session::write_answer(ResponseFrame frame) {
  const std::string head = response_head(*answer_, frame);
  const std::size_t size = has_body(*answer_, frame) ? answer_->body.size() : 0;
  // In pieces: each has its own time, so that a slow client that goes on reading is served.
  std::size_t begin = 0;
  std::vector<asio::const_buffer> buffers{asio::buffer(head)};
  bool written = true;
  do {
    const std::size_t piece = std::min(kPiece, size - begin);
    if (piece != 0) {
      buffers.emplace_back(answer_->body.data() + begin, piece);
    }
    begin += piece;
    written = co_await write(std::move(buffers));
    buffers.clear();
  } while (written && begin < size);
  co_return written;
}

asio::awaitable<void> Session::close() {
  if (!gone_) {
    // A connection closed while bytes of the client are unread is reset, and the answer may be lost
    // on its way. So first say that nothing more comes, then read on for a while.
    arm(drains_ ? kDrainTime : kEndTime);
    ErrorCode error;
    if (wire_.tls() != nullptr) {
      co_await wire_.shutdown_tls(error);
    }
    wire_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
    std::array<char, 4096> unread{};
    std::size_t drained = 0;
    while (drains_ && !error && !timed_out_ && !gone_ && drained < kMaxDrained) {
      drained += co_await wire_.socket().async_read_some(
          asio::buffer(unread), asio::redirect_error(asio::use_awaitable, error));
    }
  }
  disarm();
  wire_.close();
}

void Session::report() {
  if (!shared_.options.observer || !answer_) {
    return;
  }
  RequestRecord record;
  record.route = route_;
  record.method = method_;
  record.status = answer_->events ? 200 : answer_->status;
  record.seconds = std::chrono::duration<double>(Clock::now() - begun_).count();
  record.received = received_;
  record.sent = sent_;
  record.stream = answer_->events != nullptr;
  try {
    shared_.options.observer(record);
  } catch (...) {  // NOLINT(bugprone-empty-catch): statistics must not take a connection away
  }
}

// --- event streams -----------------------------------------------------------------------------

namespace {

// Listening counts a listener, and has the session get the hub's events, as long as it lives.
class Listening {
 public:
  Listening(Session& session, Loop& loop, std::shared_ptr<EventHub> hub)
      : session_(session), loop_(loop), hub_(std::move(hub)) {
    loop_.subscribe(session_, hub_);
    hub_->count_listener(true);
  }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;
  ~Listening() {
    hub_->count_listener(false);
    loop_.unsubscribe(session_, hub_);
    --loop_.shared().event_listeners;
  }

 private:
  Session& session_;
  Loop& loop_;
  std::shared_ptr<EventHub> hub_;
};

}  // namespace

asio::awaitable<void> Session::stream(ResponseFrame frame) {
  if (shared_.event_listeners.fetch_add(1) >= shared_.options.max_event_listeners) {
    --shared_.event_listeners;
    answer_ = problem_retry(503, "", "Too many listeners. Try again later.", kListenersRetry);
    co_await write_answer(frame);
    co_return;
  }
  const std::shared_ptr<EventHub> hub = answer_->events;
  const Listening listening(*this, loop_, hub);
  // After the subscription, so that no event falls between.
  if (answer_->last_event_id) {
    std::vector<SharedEvent> kept = hub->since(*answer_->last_event_id);
    last_event_ = kept.empty() ? 0 : kept.back()->id;
    caught_up_ = kept.size();
    queue_ = std::move(kept);
  }
  const std::string head = response_head(*answer_, frame);
  std::vector<asio::const_buffer> buffers{asio::buffer(head)};
  // Nothing is kept of the request: thousands of these wait for events.
  parser_.next();
  parser_.release();
  ErrorCode ignored;
  wire_.socket().set_option(asio::socket_base::send_buffer_size(kListenerBuffer), ignored);
  co_await write(std::move(buffers));
  watch_for_end();
  co_await send_events();
}

asio::awaitable<void> Session::send_events() {
  waiting_ = Waiting::for_events;
  while (!gone_ && !shared_.stopping) {
    if (queue_.empty()) {
      signal_.expires_at(Clock::time_point::max());
      ErrorCode cancelled;
      co_await signal_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
      continue;
    }
    const std::vector<SharedEvent> events = std::exchange(queue_, {});
    caught_up_ = 0;
    std::vector<asio::const_buffer> buffers;
    buffers.reserve(events.size());
    for (const SharedEvent& event : events) {
      buffers.emplace_back(asio::buffer(event->text));
    }
    co_await write(std::move(buffers));
  }
  waiting_ = Waiting::no;
  wire_.cancel();  // what watches for the end
}

// A listener sends nothing: what is read is the end of the connection, or against the protocol.
void Session::watch_for_end() {
  wire_.read_some_then(asio::buffer(&unexpected_, 1), [self = shared_from_this()] {
    self->gone_ = self->gone_ || !self->shared_.stopping;
    self->wire_.cancel();
    self->signal_.cancel();
  });
}

void Session::push(const SharedEvent& event) {
  if (event->id <= last_event_ && event->id != 0) {
    return;  // was among those kept
  }
  if (queue_.size() >= caught_up_ + shared_.options.max_queued_events) {
    abort();  // does not read
    return;
  }
  queue_.push_back(event);
  signal_.cancel();
}

void Session::beat() {
  static const SharedEvent sign = std::make_shared<const Event>(Event{0, ":\n\n"});
  if (queue_.empty()) {
    push(sign);
  }
}

}  // namespace psephos::http
