// Bytes of a connection to requests: no input or output here, so that it can be fuzzed.
//
// The grammar is Boost.Beast's. What is added makes the end of each request beyond doubt, whatever
// stands in front of the server (request smuggling): one framing, written in one way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "psephos/bytes.h"

#include "src/http/message.h"
#include "src/http/target.h"

namespace psephos::http {

struct RequestHead {
  std::string method;
  Target target;
  std::vector<Header> headers;
  bool version_1_1 = true;
  bool keep_alive = false;
  bool expects_continue = false;
  std::optional<std::uint64_t> content_length;
};

struct RequestFailure {
  unsigned status = 0;
  std::string detail;
};

class RequestParser {
 public:
  enum class State : std::uint8_t {
    more,      // bytes are missing
    head,      // head() is there; returned once for each request
    complete,  // so is the body
    failed,    // failure() is there; nothing after it can be trusted
  };

  // max_header bounds the request line, and the headers, and the line of a chunk.
  explicit RequestParser(std::size_t max_header);
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;
  ~RequestParser();

  // Bytes go into what prepare returns; commit says how many did.
  [[nodiscard]] MutableByteView prepare(std::size_t size);
  void commit(std::size_t size);

  State step();

  [[nodiscard]] const RequestHead& head() const { return head_; }
  [[nodiscard]] const RequestFailure& failure() const { return failure_; }
  // To be called after the head: a longer body fails with 413.
  State limit_body(std::size_t max);
  [[nodiscard]] Bytes take_body();

  // next is ready for another request; bytes that came with the last one are kept.
  void next();
  // No byte of the request has come.
  [[nodiscard]] bool empty() const { return !begun_ && begin_ == end_; }
  // Gives back the memory of the buffer, if there is nothing in it.
  void release();

 private:
  struct Beast;

  State fail(unsigned status, std::string detail);
  State read_head();
  State too_long();

  const std::size_t max_header_;
  std::unique_ptr<Beast> beast_;  // only while a request is being read
  Bytes input_;
  std::size_t begin_ = 0;  // of what has come and is not yet parsed
  std::size_t end_ = 0;
  bool begun_ = false;  // some of this request has been parsed
  State state_ = State::more;
  RequestHead head_;
  RequestFailure failure_;
};

}  // namespace psephos::http
