#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "psephos/network/http_client.h"
#include "psephos/network/url.h"

#include "src/network/wire.h"

namespace psephos::network {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::uint32_t kMaxHeader = 65'536;
constexpr std::size_t kRead = 65'536;
// A server's own limit is usually longer: a kept connection is seldom closed just as it is used.
constexpr std::chrono::seconds kMaxIdle(15);

bool same_word(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [&](auto word) { return same_word(text, word); });
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").contains(c);
  });
}

bool is_repeatable(const HttpRequest& request) {
  return request.repeatable ||
         is_one_of(request.method, {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"});
}

Result<std::string> request_head(const Url& url, const HttpRequest& request) {
  if (!is_token(request.method) || is_one_of(request.method, {"CONNECT", "TRACE"})) {
    return fail(Errc::misuse, "'" + printable(request.method) + "' is no method of a request");
  }
  std::string text = request.method + " " + url.target + " HTTP/1.1\r\n";
  text += "Host: " + url.authority() + "\r\n";
  if (!request.body.empty() || is_one_of(request.method, {"POST", "PUT", "PATCH"})) {
    text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  for (const HttpHeader& header : request.headers) {
    const bool framing = is_one_of(header.name, {"Host", "Content-Length", "Transfer-Encoding",
                                                 "Connection", "Expect", "Upgrade", "TE"});
    // A line break would end the header, and what follows would be another.
    if (framing || !is_token(header.name) || std::ranges::any_of(header.value, [](char c) {
          return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
        })) {
      return fail(Errc::misuse, "the header '" + printable(header.name) + "' cannot be sent");
    }
    text.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  return text + "\r\n";
}

// Collects what Beast's parser reports; trailers are left out.
class Answer final : public beast::http::basic_parser<false> {
 public:
  HttpResponse response;

 private:
  using Text = beast::string_view;

  void on_request_impl(beast::http::verb /*verb*/, Text /*method*/, Text /*target*/,
                       int /*version*/, ErrorCode& error) override {
    error = {};
  }
  void on_response_impl(int status, Text /*reason*/, int /*version*/, ErrorCode& error) override {
    response.status = static_cast<unsigned>(status);
    error = {};
  }
  void on_field_impl(beast::http::field /*field*/, Text name, Text value,
                     ErrorCode& error) override {
    if (!is_header_done()) {
      response.headers.push_back(
          {std::string(name.data(), name.size()), std::string(value.data(), value.size())});
    }
    error = {};
  }
  void on_header_impl(ErrorCode& error) override { error = {}; }
  void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/,
                         ErrorCode& error) override {
    error = {};
  }
  std::size_t on_body_impl(Text text, ErrorCode& error) override {
    response.body.insert(response.body.end(), text.begin(), text.end());
    error = {};
    return text.size();
  }
  void on_chunk_header_impl(std::uint64_t /*size*/, Text /*extensions*/,
                            ErrorCode& error) override {
    error = {};
  }
  std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, Text text, ErrorCode& error) override {
    return on_body_impl(text, error);
  }
  void on_finish_impl(ErrorCode& error) override { error = {}; }
};

using SharedTls = std::shared_ptr<asio::ssl::context>;

// Exchange is one request and what became of it.
struct Exchange {
  const Url& url;
  const HttpRequest& request;
  const std::string& head;
  const std::size_t max_body;
  bool answered = false;  // a byte of the answer has come
  bool reusable = false;  // another request may follow on the connection
  Result<HttpResponse> result = fail(Errc::environment, "not sent");
};

// Connection belongs to the thread that sends; its coroutines run there, until a point in time.
class Connection {
 public:
  explicit Connection(SharedTls tls) : tls_(std::move(tls)) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() = default;

  void send(Exchange& exchange, Clock::time_point deadline) {
    bool ended = false;
    asio::co_spawn(
        io_, [this, &exchange, deadline] { return run(exchange, deadline); },
        [&](const std::exception_ptr& error) {
          ended = true;
          if (error) {
            exchange.result = fail(Errc::environment, "out of memory");
            exchange.reusable = false;
          }
        });
    io_.restart();
    io_.run_until(deadline);
    if (ended) {
      return;
    }
    expired_ = true;
    resolver_.cancel();
    attempt_end_.cancel();
    if (wire_) {
      wire_->close();
    }
    io_.run();
    exchange.reusable = false;
    exchange.result = fail(Errc::environment, "no complete answer in time");
  }

  // Whether nothing has come, not even the end, since the last answer.
  [[nodiscard]] bool is_quiet() {
    char byte = 0;
    return ::recv(wire_->socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
  }

  Clock::time_point used;

 private:
  using Addresses = tcp::resolver::results_type;

  asio::awaitable<void> run(Exchange& exchange, Clock::time_point deadline) {
    if (!wire_) {
      const bool connected = co_await connect(exchange, deadline);
      if (!connected) {
        co_return;
      }
    }
    ErrorCode error;
    const std::vector<asio::const_buffer> buffers{asio::buffer(exchange.head),
                                                  asio::buffer(exchange.request.body)};
    co_await wire_->write(buffers, error);
    // A server may answer and close before it has read a long body: what it says is worth more than
    // that it closed.
    co_await read(exchange, error);
  }

  asio::awaitable<bool> connect(Exchange& exchange, Clock::time_point deadline) {
    const Url& url = exchange.url;
    ErrorCode error;
    const Addresses addresses = co_await resolver_.async_resolve(
        url.host, std::to_string(url.port), asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      exchange.result = fail(Errc::environment, "cannot find the host: " + error.message());
      co_return false;
    }
    std::size_t left = addresses.size();
    for (const auto& entry : addresses) {
      const tcp::endpoint endpoint = entry.endpoint();
      // An address that does not answer leaves time for the others.
      const auto now = Clock::now();
      attempt_end_.expires_at(now + (deadline - now) / static_cast<int>(left--));
      error = co_await attempt(endpoint);
      if (!error) {
        break;
      }
    }
    if (error || !wire_) {
      exchange.result = fail(Errc::environment, "cannot connect: " + error.message());
      co_return false;
    }
    if (wire_->tls() != nullptr) {
      co_await shake_hands(url, error);
      if (error) {
        exchange.result = fail(Errc::environment, "TLS is refused: " + tls_reason(url, error));
        co_return false;
      }
    }
    co_return true;
  }

  asio::awaitable<ErrorCode> attempt(tcp::endpoint endpoint) {
    wire_.emplace(tcp::socket(io_), tls_);
    attempt_end_.async_wait([this](const ErrorCode& cancelled) {
      if (!cancelled && Clock::now() >= attempt_end_.expiry()) {
        wire_->close();
      }
    });
    ErrorCode error;
    co_await wire_->socket().async_connect(endpoint,
                                           asio::redirect_error(asio::use_awaitable, error));
    attempt_end_.cancel();
    if (!error && !expired_) {
      wire_->socket().set_option(tcp::no_delay(true), error);
    }
    co_return error;
  }

  asio::awaitable<void> shake_hands(const Url& url, ErrorCode& error) {
    asio::ip::make_address(url.host, error);
    // An address is no name: there is none to ask for (RFC 6066 §3). What OpenSSL's macro does,
    // without its casts.
    std::string name = url.host;
    if (error && SSL_ctrl(wire_->tls(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                          name.data()) != 1) {
      error = asio::error::invalid_argument;
      co_return;
    }
    wire_->verify_with(asio::ssl::host_name_verification(url.host));
    co_await wire_->handshake(asio::ssl::stream_base::client, error);
  }

  // A refused certificate is more than a connection that failed: somebody may be in between.
  [[nodiscard]] std::string tls_reason(const Url& url, const ErrorCode& error) {
    const long verified = SSL_get_verify_result(wire_->tls());
    return verified == X509_V_OK ? error.message()
                                 : "the certificate does not prove that this is " + url.host +
                                       " (" + X509_verify_cert_error_string(verified) +
                                       "): it may be another server, and nothing was sent to it";
  }

  asio::awaitable<void> read(Exchange& exchange, ErrorCode write_error) {
    input_.clear();
    bool more = true;
    while (more) {  // interim answers (1xx) come before the answer
      Answer answer;
      answer.header_limit(kMaxHeader);
      answer.body_limit(exchange.max_body);
      answer.skip(exchange.request.method == "HEAD");
      answer.eager(true);
      ErrorCode error;
      co_await read_answer(answer, exchange, error);
      if (error) {
        exchange.result = explain(answer, exchange, error, write_error);
        co_return;
      }
      const unsigned status = answer.response.status;
      more = status < 200 && status != 101;
      exchange.reusable = answer.keep_alive() && !write_error && status != 101 && input_.empty();
      exchange.result = std::move(answer.response);
    }
  }

  asio::awaitable<void> read_answer(Answer& answer, Exchange& exchange, ErrorCode& error) {
    while (!answer.is_done()) {
      if (!input_.empty()) {
        const std::size_t parsed = answer.put(asio::buffer(input_), error);
        input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(parsed));
        if (error == beast::http::error::need_more &&
            input_.size() <= std::size_t{2} * kMaxHeader) {
          error = {};
        }
        if (error || answer.is_done()) {
          co_return;
        }
      }
      const std::size_t before = input_.size();
      input_.resize(before + kRead);
      const asio::mutable_buffer space(input_.data() + before, kRead);
      const std::size_t size = co_await wire_->read_some(space, error);
      input_.resize(before + size);
      exchange.answered = exchange.answered || size != 0;
      // An answer without a length ends with the connection. Over TLS that end is signed: else
      // anyone on the way could cut the answer short.
      if (error == asio::error::eof && answer.got_some()) {
        error = {};
        answer.put_eof(error);
      }
      if (error) {
        co_return;
      }
    }
  }

  static std::unexpected<Error> explain(const Answer& answer, const Exchange& exchange,
                                        const ErrorCode& error, const ErrorCode& write_error) {
    if (error == beast::http::error::body_limit) {
      return fail(Errc::malformed, "the answer is longer than the " +
                                       std::to_string(exchange.max_body) + " bytes expected");
    }
    if (!exchange.answered) {
      return fail(Errc::environment, "the connection was closed without an answer: " +
                                         (write_error ? write_error : error).message());
    }
    if (error != beast::http::error::partial_message &&
        error.category() == make_error_code(beast::http::error::need_more).category()) {
      return fail(Errc::malformed, "what came is no HTTP answer: " + error.message());
    }
    return fail(Errc::environment, std::string("the connection was closed within the ") +
                                       (answer.is_header_done() ? "body" : "head") +
                                       " of the answer: " + error.message());
  }

  SharedTls tls_;  // null for http
  asio::io_context io_{1};
  tcp::resolver resolver_{io_};
  asio::steady_timer attempt_end_{io_};
  std::optional<Wire> wire_;
  std::vector<char> input_;
  bool expired_ = false;
};

std::unexpected<Error> file_error(const std::string& file, const ErrorCode& error) {
  return fail(Errc::environment, file + ": cannot be used for TLS: " + error.message());
}

}  // namespace

// The connections that are kept, and what new ones are made with.
class BeastHttpClient::State {
 public:
  explicit State(Options chosen) : options(std::move(chosen)) {}

  Result<void> open() {
    ErrorCode error;
    tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
    SSL_CTX* const raw = tls->native_handle();
    if (SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1) {
      return fail(Errc::environment, "OpenSSL does not offer TLS 1.2");
    }
    tls->set_verify_mode(asio::ssl::verify_peer, error);
    if (options.ca_file.empty()) {
      tls->set_default_verify_paths(error);
    } else {
      tls->load_verify_file(options.ca_file, error);
    }
    if (error) {
      return file_error(options.ca_file, error);
    }
    if (!options.client_certificate.empty()) {
      tls->use_certificate_chain_file(options.client_certificate, error);
      if (error) {
        return file_error(options.client_certificate, error);
      }
      tls->use_private_key_file(options.client_key, asio::ssl::context::pem, error);
      if (error) {
        return file_error(options.client_key, error);
      }
    }
    return {};
  }

  // A connection kept from before; null if there is none.
  std::unique_ptr<Connection> take(const std::string& place) {
    const auto oldest = Clock::now() - kMaxIdle;
    const std::scoped_lock lock(mutex_);
    std::erase_if(idle_, [&](const auto& kept) { return kept.second->used < oldest; });
    // The one used last is the likeliest to be open.
    for (auto at = idle_.rbegin(); at != idle_.rend(); ++at) {
      if (at->first == place) {
        std::unique_ptr<Connection> connection = std::move(at->second);
        idle_.erase(std::next(at).base());
        return connection;
      }
    }
    return nullptr;
  }

  void keep(const std::string& place, std::unique_ptr<Connection> connection) {
    connection->used = Clock::now();
    const std::scoped_lock lock(mutex_);
    idle_.emplace_back(place, std::move(connection));
    if (idle_.size() > options.max_idle) {
      idle_.erase(idle_.begin());
    }
  }

  const Options options;
  SharedTls tls;

 private:
  std::mutex mutex_;
  std::vector<std::pair<std::string, std::unique_ptr<Connection>>> idle_;
};

BeastHttpClient::BeastHttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}

BeastHttpClient::~BeastHttpClient() = default;

Result<std::unique_ptr<HttpClient>> BeastHttpClient::create(Options options) {
  try {
    auto state = std::make_unique<State>(std::move(options));
    PSEPHOS_CHECK_OK(state->open());
    return std::unique_ptr<HttpClient>(new BeastHttpClient(std::move(state)));
  } catch (const std::exception& error) {
    return fail(Errc::environment, std::string("cannot set up the HTTP client: ") + error.what());
  }
}

Result<HttpResponse> BeastHttpClient::send(const std::string& url_text, const HttpRequest& request,
                                           std::size_t max_body) {
  PSEPHOS_TRY(const Url url, Url::parse(url_text));
  PSEPHOS_TRY(const std::string head, request_head(url, request));
  const auto deadline = Clock::now() + state_->options.timeout;
  const std::string place = (url.secure ? "https://" : "http://") + url.authority();
  try {
    bool may_reuse = true;
    while (true) {
      std::unique_ptr<Connection> connection = may_reuse ? state_->take(place) : nullptr;
      if (connection && !connection->is_quiet()) {
        continue;  // closed meanwhile
      }
      const bool reused = connection != nullptr;
      if (!reused) {
        connection = std::make_unique<Connection>(url.secure ? state_->tls : nullptr);
      }
      Exchange exchange{url, request, head, max_body};
      connection->send(exchange, deadline);
      if (exchange.reusable) {
        state_->keep(place, std::move(connection));
      }
      if (exchange.result.has_value()) {
        return std::move(exchange.result);
      }
      if (!reused || exchange.answered || !is_repeatable(request) || Clock::now() >= deadline) {
        return within(printable(url_text), exchange.result.error());
      }
      may_reuse = false;
    }
  } catch (const std::exception& error) {
    return fail(Errc::environment, printable(url_text) + ": " + error.what());
  }
}

}  // namespace psephos::network
