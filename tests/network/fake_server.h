// A web server that is a function of the test's: the files of a record below http://fake/record/.
#pragma once

#include <atomic>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "psephos/network/http_client.h"

#include "tests/support/memory_store.h"

namespace psephos::test {

inline const std::string kBase = "http://fake/record/";

class FakeServer final : public network::HttpClient {
 public:
  static constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

  FakeServer() = default;
  explicit FakeServer(MemoryStore::Files served) : files(std::move(served)) {}

  Result<network::HttpResponse> send(const std::string& url, const network::HttpRequest& request,
                                     std::size_t max_body) override {
    const std::lock_guard lock(mutex_);
    if (!url.starts_with(kBase)) {
      return fail(Errc::misuse, url + ": is not what this server serves");
    }
    const std::string path = url.substr(kBase.size());
    requests.push_back(path);
    if (requests.size() > fail_from) {
      return fail(Errc::environment, "no connection");
    }
    if (instead) {
      if (auto answer = instead(path); answer.has_value()) {
        return *std::move(answer);
      }
    }
    const auto found = files.find(path);
    if (found == files.end()) {
      return network::HttpResponse{.status = 404, .headers = {}, .body = {}};
    }
    network::HttpResponse response{.status = 200, .headers = {}, .body = {}};
    if (request.method == "GET") {
      response.body = found->second;
    }
    if (!obedient || response.body.size() <= max_body) {
      return response;
    }
    return fail(Errc::malformed, url + ": the body is too long");
  }

  // How often a path was asked for.
  [[nodiscard]] std::size_t count(const std::string& path) const {
    std::size_t times = 0;
    for (const std::string& request : requests) {
      times += request == path ? 1U : 0U;
    }
    return times;
  }

  MemoryStore::Files files;
  std::vector<std::string> requests;
  std::size_t fail_from = kNever;  // the requests after so many find no server
  bool obedient = true;            // whether max_body is kept
  // What is answered instead of a file, if anything; may change the files.
  std::function<std::optional<Result<network::HttpResponse>>(const std::string& path)> instead;

 private:
  std::mutex mutex_;
};

inline network::HttpResponse answer(unsigned status,
                                    std::vector<network::HttpHeader> headers = {}) {
  return {.status = status, .headers = std::move(headers), .body = {}};
}

}  // namespace psephos::test
