#include "src/http/request_parser.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/http/malformed_requests.h"

namespace psephos::http {
namespace {

using State = RequestParser::State;

constexpr std::size_t kMaxBody = 1 << 20U;

void feed(RequestParser& parser, std::string_view bytes) {
  const MutableByteView space = parser.prepare(bytes.size());
  std::ranges::copy(bytes, space.begin());
  parser.commit(bytes.size());
}

// Feeds pieces of a size, until the parser is done.
State run(RequestParser& parser, std::string_view bytes, std::size_t piece) {
  State state = parser.step();
  while (state != State::complete && state != State::failed) {
    if (state == State::head) {
      state = parser.limit_body(kMaxBody);
    } else if (bytes.empty()) {
      return state;
    } else {
      feed(parser, bytes.substr(0, piece));
      bytes.remove_prefix(std::min(piece, bytes.size()));
    }
    if (state != State::failed) {
      state = parser.step();
    }
  }
  return state;
}

TEST(RequestParser, ReadsARequest) {
  RequestParser parser(1000);
  EXPECT_TRUE(parser.empty());
  feed(parser, "POST /a%20b?c HTTP/1.1\r\nHost: x\r\nA:  b \r\nContent-Length: 5\r\n\r\nhel");
  EXPECT_FALSE(parser.empty());
  ASSERT_EQ(parser.step(), State::head);
  EXPECT_EQ(parser.head().method, "POST");
  EXPECT_EQ(parser.head().target.path, "/a b");
  EXPECT_EQ(parser.head().target.query, "c");
  EXPECT_EQ(*find_header(parser.head().headers, "a"), "b");
  EXPECT_EQ(parser.head().content_length, 5U);
  EXPECT_TRUE(parser.head().keep_alive);
  EXPECT_FALSE(parser.head().expects_continue);
  parser.limit_body(5);
  EXPECT_EQ(parser.step(), State::more);
  feed(parser, "lo");
  EXPECT_EQ(parser.step(), State::complete);
  EXPECT_EQ(as_text(parser.take_body()), "hello");
}

TEST(RequestParser, OneByteAfterAnother) {
  for (const std::size_t piece : {1U, 2U, 3U, 7U, 1000U}) {
    RequestParser parser(1000);
    ASSERT_EQ(run(parser,
                  "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
                  "3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n",
                  piece),
              State::complete)
        << piece << parser.failure().detail;
    EXPECT_EQ(as_text(parser.take_body()), "abcde");
    EXPECT_EQ(parser.head().content_length, std::nullopt);
  }
}

TEST(RequestParser, KeepsWhatCameAfter) {
  RequestParser parser(1000);
  feed(parser, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET");
  for (const char* path : {"/1", "/2"}) {
    ASSERT_EQ(parser.step(), State::head);
    EXPECT_EQ(parser.head().target.path, path);
    EXPECT_EQ(parser.step(), State::complete);
    parser.next();
  }
  EXPECT_FALSE(parser.empty());
  parser.release();  // keeps what has come
  EXPECT_EQ(parser.step(), State::more);
  feed(parser, " /3 HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_EQ(parser.step(), State::head);
  EXPECT_EQ(parser.head().target.path, "/3");
  EXPECT_EQ(parser.step(), State::complete);
  parser.next();
  EXPECT_TRUE(parser.empty());
}

TEST(RequestParser, Trailers_AreNoHeaders) {
  RequestParser parser(1000);
  ASSERT_EQ(run(parser,
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                "0\r\nAuthorization: Bearer x\r\n\r\n",
                1000),
            State::complete);
  EXPECT_EQ(find_header(parser.head().headers, "Authorization"), nullptr);
}

TEST(RequestParser, WhoClosesSaysSo) {
  const auto keeps = [](const std::string& version, const std::string& header) {
    RequestParser parser(1000);
    EXPECT_EQ(run(parser, "GET / " + version + "\r\nHost: x\r\n" + header + "\r\n", 1000),
              State::complete);
    return parser.head().keep_alive;
  };
  EXPECT_TRUE(keeps("HTTP/1.1", ""));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: foo, CLOSE\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.0", ""));
  EXPECT_TRUE(keeps("HTTP/1.0", "Connection: keep-alive\r\n"));
}

TEST(RequestParser, BodiesUpToTheLimit) {
  RequestParser parser(1000);
  feed(parser, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
  ASSERT_EQ(parser.step(), State::head);
  EXPECT_EQ(parser.limit_body(4), State::failed);
  EXPECT_EQ(parser.failure().status, 413U);
  EXPECT_EQ(parser.step(), State::failed);
}

TEST(RequestParser, ChunksUpToTheLimit) {
  for (const bool fits : {true, false}) {
    RequestParser parser(1000);
    feed(parser,
         "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    ASSERT_EQ(parser.step(), State::head);
    parser.limit_body(fits ? 5 : 4);
    EXPECT_EQ(parser.step(), fits ? State::complete : State::failed);
    EXPECT_EQ(parser.failure().status, fits ? 0U : 413U);
  }
}

TEST(RequestParser, RefusesTheMalformed) {
  for (const test::MalformedRequest& request : test::malformed_requests()) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, request.bytes.size()}) {
      if (piece == 1 && request.bytes.size() > 1000) {
        continue;
      }
      RequestParser parser(16'384);
      EXPECT_EQ(run(parser, request.bytes, piece), State::failed) << request.what << piece;
      EXPECT_EQ(parser.failure().status, request.status)
          << request.what << ": " << parser.failure().detail;
      EXPECT_FALSE(parser.failure().detail.empty());
    }
  }
}

TEST(RequestParser, MemoryIsBounded) {
  RequestParser parser(1000);
  std::size_t taken = 0;
  while (parser.step() == State::more) {
    feed(parser, taken == 0 ? "GET / HTTP/1.1\r\n" : "A: b\r\n");
    ++taken;
    ASSERT_LT(taken, 1000U);
  }
  EXPECT_EQ(parser.failure().status, 431U);
}

}  // namespace
}  // namespace psephos::http
