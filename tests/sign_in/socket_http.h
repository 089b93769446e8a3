// The smallest client that speaks to a server on 127.0.0.1: HTTP/1.0, a connection for each
// request.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include "psephos/network/http_client.h"

namespace psephos::sign_in {

class SocketHttp final : public network::HttpClient {
 public:
  Result<network::HttpResponse> send(const std::string& url, const network::HttpRequest& request,
                                     std::size_t max_body) override {
    constexpr std::string_view kStart = "http://127.0.0.1:";
    if (!url.starts_with(kStart)) {
      return fail(Errc::misuse, url + ": not on this machine");
    }
    const std::size_t slash = std::min(url.find('/', kStart.size()), url.size());
    std::uint16_t port = 0;
    std::from_chars(url.data() + kStart.size(), url.data() + slash, port);
    std::string text = request.method + " " + (slash < url.size() ? url.substr(slash) : "/") +
                       " HTTP/1.0\r\nHost: 127.0.0.1:" + std::to_string(port) +
                       "\r\nContent-Length: " + std::to_string(request.body.size()) + "\r\n";
    for (const network::HttpHeader& header : request.headers) {
      text += header.name + ": " + header.value + "\r\n";
    }
    text += "\r\n" + std::string(as_text(request.body));

    const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string answer;
    if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
        ::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size())) {
      char chunk[4096];
      for (ssize_t count = 0; (count = recv(descriptor, chunk, sizeof(chunk), 0)) > 0;) {
        answer.append(chunk, static_cast<std::size_t>(count));
      }
    }
    close(descriptor);
    return parse(url, answer, max_body);
  }

 private:
  static Result<network::HttpResponse> parse(const std::string& url, std::string_view answer,
                                             std::size_t max_body) {
    const std::size_t end = answer.find("\r\n\r\n");
    if (end == std::string_view::npos || !answer.starts_with("HTTP/1.")) {
      return fail(Errc::environment, url + ": no answer");
    }
    network::HttpResponse response;
    std::string_view head = answer.substr(0, end);
    std::from_chars(head.data() + 9, head.data() + 12, response.status);
    while (head.contains("\r\n")) {
      head.remove_prefix(head.find("\r\n") + 2);
      const std::string_view line = head.substr(0, head.find("\r\n"));
      const std::size_t colon = line.find(": ");
      response.headers.push_back(
          {std::string(line.substr(0, colon)), std::string(line.substr(colon + 2))});
    }
    const ByteView body = as_bytes(answer.substr(end + 4));
    if (body.size() > max_body) {
      return fail(Errc::malformed, url + ": answer too long");
    }
    response.body.assign(body.begin(), body.end());
    return response;
  }
};

}  // namespace psephos::sign_in
