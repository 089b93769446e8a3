#include "src/http/request_parser.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "src/http/ascii.h"

namespace psephos::http {

namespace beast = boost::beast;

namespace {

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

// The values of all headers of a name.
std::vector<std::string_view> values_of(const std::vector<Header>& headers, std::string_view name) {
  std::vector<std::string_view> values;
  for (const Header& header : headers) {
    if (same_word(header.name, name)) {
      values.emplace_back(header.value);
    }
  }
  return values;
}

}  // namespace

// Collects what Beast's parser reports. Trailers are left out: they would be headers nobody has
// checked.
struct RequestParser::Beast final : beast::http::basic_parser<true> {
  std::string method;
  std::string target;
  unsigned version = 0;
  std::vector<Header> headers;
  Bytes body;

 private:
  using Error = beast::error_code;
  using Text = beast::string_view;

  void on_request_impl(beast::http::verb /*verb*/, Text method_text, Text target_text, int number,
                       Error& error) override {
    method = view(method_text);
    target = view(target_text);
    version = static_cast<unsigned>(number);
    error = {};
  }
  void on_response_impl(int /*status*/, Text /*reason*/, int /*version*/, Error& error) override {
    error = {};
  }
  void on_field_impl(beast::http::field /*field*/, Text name, Text value, Error& error) override {
    if (!is_header_done()) {
      headers.push_back({std::string(view(name)), std::string(view(value))});
    }
    error = {};
  }
  void on_header_impl(Error& error) override { error = {}; }
  // The announced length is not reserved: memory is taken as bytes arrive.
  void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/, Error& error) override {
    error = {};
  }
  std::size_t on_body_impl(Text text, Error& error) override {
    body.insert(body.end(), text.begin(), text.end());
    error = {};
    return text.size();
  }
  void on_chunk_header_impl(std::uint64_t /*size*/, Text /*extensions*/, Error& error) override {
    error = {};
  }
  std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, Text text, Error& error) override {
    return on_body_impl(text, error);
  }
  void on_finish_impl(Error& error) override { error = {}; }
};

RequestParser::RequestParser(std::size_t max_header) : max_header_(max_header) {}

RequestParser::~RequestParser() = default;

MutableByteView RequestParser::prepare(std::size_t size) {
  if (input_.size() - end_ < size) {
    std::copy(input_.begin() + static_cast<std::ptrdiff_t>(begin_),
              input_.begin() + static_cast<std::ptrdiff_t>(end_), input_.begin());
    end_ -= std::exchange(begin_, 0);
    input_.resize(std::max(input_.size(), end_ + size));
  }
  return MutableByteView(input_).subspan(end_, size);
}

void RequestParser::commit(std::size_t size) { end_ += size; }

void RequestParser::release() {
  if (begin_ == end_) {
    input_ = {};
    begin_ = end_ = 0;
  }
}

void RequestParser::next() {
  beast_.reset();
  begun_ = false;
  state_ = State::more;
  head_ = {};
  failure_ = {};
}

Bytes RequestParser::take_body() { return beast_ ? std::move(beast_->body) : Bytes(); }

RequestParser::State RequestParser::fail(unsigned status, std::string detail) {
  failure_ = {status, std::move(detail)};
  return state_ = State::failed;
}

RequestParser::State RequestParser::too_long() {
  const std::string limit = std::to_string(max_header_) + " bytes.";
  if (beast_->is_header_done()) {
    return fail(400, "The line of a chunk, or the trailers, are longer than " + limit);
  }
  return begun_ ? fail(431, "The headers are longer than " + limit)
                : fail(414, "The request line is longer than " + limit);
}

RequestParser::State RequestParser::step() {
  if (state_ == State::failed || state_ == State::complete) {
    return state_;
  }
  if (!beast_) {
    if (begin_ == end_) {
      return State::more;
    }
    beast_ = std::make_unique<Beast>();
    beast_->header_limit(static_cast<std::uint32_t>(max_header_));
    beast_->body_limit(boost::none);
  }
  while (!beast_->is_done()) {
    if (begin_ == end_) {
      return State::more;
    }
    beast::error_code error;
    const std::size_t parsed =
        beast_->put(boost::asio::const_buffer(input_.data() + begin_, end_ - begin_), error);
    begin_ += parsed;
    begun_ = begun_ || parsed != 0;
    if (error == beast::http::error::header_limit) {
      return too_long();
    }
    if (error == beast::http::error::body_limit) {
      return fail(413, "The body is longer than this path takes.");
    }
    if (error && error != beast::http::error::need_more) {
      return fail(400, "Not a request: " + error.message() + ".");
    }
    if (beast_->is_header_done() && state_ == State::more) {
      return read_head();
    }
    if (error) {
      // What Beast keeps waiting for is one line, or the headers.
      return end_ - begin_ > 2 * max_header_ ? too_long() : State::more;
    }
  }
  return state_ = State::complete;
}

RequestParser::State RequestParser::read_head() {
  head_.method = beast_->method;
  head_.headers = std::move(beast_->headers);
  head_.version_1_1 = beast_->version == 11;
  head_.keep_alive = beast_->keep_alive();
  const auto hosts = values_of(head_.headers, "Host");
  if (hosts.size() > 1 || (hosts.empty() && head_.version_1_1)) {
    return fail(400, "A request has one Host header.");
  }
  const auto encodings = values_of(head_.headers, "Transfer-Encoding");
  const auto lengths = values_of(head_.headers, "Content-Length");
  if (encodings.size() + lengths.size() > 1) {
    return fail(400, "The length of the body is given more than once.");
  }
  if (!encodings.empty() && (!head_.version_1_1 || !same_word(encodings[0], "chunked"))) {
    return fail(400, "The only transfer coding taken is 'chunked', in HTTP/1.1.");
  }
  if (!lengths.empty()) {
    if (!std::ranges::all_of(lengths[0], is_digit)) {
      return fail(400, "Content-Length is not a number.");
    }
    head_.content_length = *beast_->content_length();
  }
  const auto expectations = values_of(head_.headers, "Expect");
  if (!expectations.empty()) {
    if (expectations.size() > 1 || !same_word(expectations[0], "100-continue")) {
      return fail(417, "The only expectation met is '100-continue'.");
    }
    head_.expects_continue = head_.version_1_1;
  }
  auto target = parse_target(beast_->target);
  if (!target.has_value()) {
    return fail(400, "The request's target is refused: " + target.error().message + ".");
  }
  head_.target = *std::move(target);
  beast_->eager(true);
  return state_ = State::head;
}

RequestParser::State RequestParser::limit_body(std::size_t max) {
  if (head_.content_length.value_or(0) > max) {
    return fail(413,
                "The body is longer than the " + std::to_string(max) + " bytes this path takes.");
  }
  beast_->body_limit(max);
  return state_;
}

}  // namespace psephos::http
