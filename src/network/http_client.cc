#include "psephos/network/http_client.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <thread>

namespace psephos::network {

const std::string* HttpResponse::header(std::string_view name) const {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  const auto found = std::ranges::find_if(headers, [&](const HttpHeader& header) {
    return std::ranges::equal(header.name, name, {}, lower, lower);
  });
  return found == headers.end() ? nullptr : &found->value;
}

std::chrono::seconds retry_after(const HttpResponse& response, unsigned waits) {
  const std::chrono::seconds usual(1U << std::min(waits, 10U));
  const std::string* value = response.header("Retry-After");
  if (value == nullptr) {
    return usual;
  }
  std::uint32_t seconds = 0;
  const char* const end = value->data() + value->size();
  const auto parsed = std::from_chars(value->data(), end, seconds);
  if (parsed.ec == std::errc::result_out_of_range) {
    return std::chrono::seconds::max();
  }
  return parsed.ec == std::errc() && parsed.ptr == end ? std::chrono::seconds(seconds) : usual;
}

bool is_busy(const HttpResponse& response) {
  constexpr unsigned kTooManyRequests = 429;
  constexpr unsigned kUnavailable = 503;
  return response.status == kTooManyRequests || response.status == kUnavailable;
}

Result<HttpResponse> send_patiently(HttpClient& client, const std::string& url,
                                    const HttpRequest& request, std::size_t max_body,
                                    const Patience& patience) {
  for (unsigned waits = 0;; ++waits) {
    auto response = client.send(url, request, max_body);
    if (!response.has_value()) {
      return response.error().message.find(url) == std::string::npos
                 ? within(url, response.error())
                 : std::unexpected(response.error());
    }
    if (!is_busy(*response)) {
      return response;
    }
    const std::chrono::seconds wait = retry_after(*response, waits);
    if (waits >= patience.max_waits || wait > patience.longest_wait) {
      return response;
    }
    if (patience.sleep) {
      patience.sleep(wait);
    } else {
      std::this_thread::sleep_for(wait);
    }
  }
}

}  // namespace psephos::network
