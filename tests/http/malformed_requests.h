// Requests that are refused, and how: read by the tests of the parser and of the server.
#pragma once

#include <string>
#include <vector>

namespace psephos::test {

struct MalformedRequest {
  std::string what;
  std::string bytes;
  unsigned status;
};

inline std::vector<MalformedRequest> malformed_requests() {
  using namespace std::string_literals;
  const std::string get = "GET / HTTP/1.1\r\n";
  const std::string post = "POST / HTTP/1.1\r\nHost: x\r\n";
  return {
      {"no request", "hello\r\n\r\n", 400},
      {"binary", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS to a plain port\r\n\r\n"s, 400},
      {"empty line first", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"no version", "GET /\r\nHost: x\r\n\r\n", 400},
      {"version 2", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400},
      {"version 0.9", "GET / HTTP/0.9\r\nHost: x\r\n\r\n", 400},
      {"not HTTP", "GET / HTTQ/1.1\r\nHost: x\r\n\r\n", 400},
      {"two blanks", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"blank in the target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"tab for a blank", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"line feeds only", "GET / HTTP/1.1\nHost: x\n\n\r\n\r\n", 400},
      {"carriage return alone", "GET / HTTP/1.1\rHost: x\r\n\r\n", 400},
      {"method with a colon", "G:T / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"no host", get + "\r\n", 400},
      {"two hosts", get + "Host: x\r\nHost: y\r\n\r\n", 400},
      {"blank before a colon", get + "Host : x\r\n\r\n", 400},
      {"header without a name", get + "Host: x\r\n: y\r\n\r\n", 400},
      {"header without a colon", get + "Host: x\r\nnonsense\r\n\r\n", 400},
      {"NUL in a value", get + "Host: x\r\nA: b\0c\r\n\r\n"s, 400},
      {"NUL in a name", get + "Host: x\r\nA\0b: c\r\n\r\n"s, 400},
      {"control in a value", get + "Host: x\r\nA: b\x01c\r\n\r\n"s, 400},
      {"carriage return in a value", get + "Host: x\r\nA: b\rc\r\n\r\n"s, 400},
      {"line feed in a value", get + "Host: x\r\nA: b\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"dots", "GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"encoded dots", "GET /%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"encoded slash", "GET /a%2fb HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"encoded NUL", "GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"not UTF-8", "GET /%ff HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"bad percent", "GET /%g1 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"fragment", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"asterisk", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"authority", "CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},

      // Framing: what could be taken for two requests, or for one, by somebody in between.
      {"length and chunked",
       post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked and length",
       post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
      {"two lengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
      {"two equal lengths", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400},
      {"list of lengths", post + "Content-Length: 5, 5\r\n\r\nhello", 400},
      {"negative length", post + "Content-Length: -5\r\n\r\nhello", 400},
      {"length with a sign", post + "Content-Length: +5\r\n\r\nhello", 400},
      {"hexadecimal length", post + "Content-Length: 0x5\r\n\r\nhello", 400},
      {"length with a tail", post + "Content-Length: 5 6\r\n\r\nhello", 400},
      {"no length", post + "Content-Length:\r\n\r\nhello", 400},
      {"huge length", post + "Content-Length: 99999999999999999999999\r\n\r\nhello", 400},
      {"length above 2^64", post + "Content-Length: 18446744073709551621\r\n\r\nhello", 400},
      {"another coding", post + "Transfer-Encoding: gzip\r\n\r\n", 400},
      {"identity", post + "Transfer-Encoding: identity\r\n\r\n", 400},
      {"two codings", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked twice", post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked in two headers",
       post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked, then identity",
       post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400},
      {"chunked not last", post + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400},
      {"misspelt coding", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
      {"quoted coding", post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400},
      {"coding with a vertical tab", post + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", 400},
      {"blank before the colon of a coding", post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
       400},
      {"misspelt coding and length",
       post + "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\nhello", 400},
      {"chunked in HTTP/1.0",
       "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"no size of a chunk", post + "Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n", 400},
      {"negative size of a chunk", post + "Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
       400},
      {"chunk longer than it says", post + "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
       400},
      {"chunk ended by a line feed",
       post + "Transfer-Encoding: chunked\r\n\r\n1\nx\n0\n\nGET / HTTP/1.1\r\n\r\n", 400},
      {"size of a chunk above 2^64",
       post + "Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\nx\r\n0\r\n\r\n", 400},
      {"long line of a chunk",
       post + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(100'000, 'a'), 400},
      {"long trailers",
       post + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: " + std::string(100'000, 'a'), 400},

      {"unknown expectation", post + "Content-Length: 1\r\nExpect: a-miracle\r\n\r\nx", 417},
      {"body too long", post + "Content-Length: 2000000\r\n\r\n", 413},
      {"body far too long", post + "Content-Length: 18446744073709551615\r\n\r\n", 413},
      {"chunk too long", post + "Transfer-Encoding: chunked\r\n\r\nffffff\r\n", 413},
      {"target too long", "GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n",
       414},
      {"target without an end", "GET /" + std::string(100'000, 'a'), 414},
      {"header too long", get + "Host: x\r\nA: " + std::string(100'000, 'a') + "\r\n\r\n", 431},
      {"many headers",
       [&] {
         std::string text = get + "Host: x\r\n";
         for (int i = 0; i < 10'000; ++i) {
           text += "A: b\r\n";
         }
         return text + "\r\n";
       }(),
       431},
  };
}

}  // namespace psephos::test
