// A server of one's own making: the test says what is answered to each request.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "psephos/network/http_client.h"

namespace psephos::test {

inline const std::string kService = "https://vote.example/";

struct Asked {
  std::string method;
  std::string path;  // below kService
  std::vector<network::HttpHeader> headers;
  Bytes body;

  [[nodiscard]] std::string header(const std::string& name) const {
    for (const auto& header : headers) {
      if (header.name == name) {
        return header.value;
      }
    }
    return "";
  }
};

class FakeService final : public network::HttpClient {
 public:
  using Answer = std::function<Result<network::HttpResponse>(const Asked&)>;

  explicit FakeService(Answer answer) : answer_(std::move(answer)) {}

  Result<network::HttpResponse> send(const std::string& url, const network::HttpRequest& request,
                                     std::size_t /*max_body*/) override {
    if (!url.starts_with(kService)) {
      return fail(Errc::environment, url + ": there is no such server");
    }
    asked.push_back({.method = request.method,
                     .path = url.substr(kService.size()),
                     .headers = request.headers,
                     .body = request.body});
    return answer_(asked.back());
  }

  std::vector<Asked> asked;

 private:
  Answer answer_;
};

inline network::HttpResponse says(unsigned status, std::string_view body = "",
                                  std::vector<network::HttpHeader> headers = {}) {
  return {.status = status,
          .headers = std::move(headers),
          .body = Bytes(as_bytes(body).begin(), as_bytes(body).end())};
}

}  // namespace psephos::test
