#include "src/http/response_text.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <string_view>

#include "src/http/ascii.h"
#include "src/http/problem.h"

namespace psephos::http {

namespace {

// The server writes these itself.
bool is_framing(std::string_view name) {
  return std::ranges::any_of(
      std::to_array<std::string_view>({"Content-Length", "Transfer-Encoding", "Connection",
                                       "Keep-Alive", "Upgrade", "Trailer", "Date", "Content-Type",
                                       "X-Content-Type-Options"}),
      [&](std::string_view framing) { return same_word(framing, name); });
}

bool may_have_body(unsigned status) { return status >= 200 && status != 204 && status != 304; }

// IMF-fixdate (RFC 9110 §5.6.7), whatever the locale.
std::string date() {
  static constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed",
                                                    "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  if (::gmtime_r(&now, &utc) == nullptr) {
    return {};
  }
  const auto two = [](int number) {
    return std::string(number < 10 ? "0" : "") + std::to_string(number);
  };
  return std::string(kDays.at(static_cast<std::size_t>(utc.tm_wday))) + ", " + two(utc.tm_mday) +
         " " + kMonths.at(static_cast<std::size_t>(utc.tm_mon)) + " " +
         std::to_string(utc.tm_year + 1900) + " " + two(utc.tm_hour) + ":" + two(utc.tm_min) + ":" +
         two(utc.tm_sec) + " GMT";
}

void append(std::string& text, std::string_view name, std::string_view value) {
  text.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

bool is_valid(const Response& response) {
  return response.status >= 200 && response.status <= 599 &&
         is_field_value(response.content_type) &&
         std::ranges::all_of(response.headers, [](const Header& header) {
           return is_token(header.name) && is_field_value(header.value);
         });
}

bool has_body(const Response& response, const ResponseFrame& frame) {
  return !frame.head_only && may_have_body(response.status);
}

std::string response_head(const Response& response, const ResponseFrame& frame) {
  const unsigned status = response.events ? 200 : response.status;
  std::string text = "HTTP/1.1 " + std::to_string(status) + " ";
  text.append(status_name(status)).append("\r\n");
  append(text, "Date", date());
  append(text, "X-Content-Type-Options", "nosniff");
  if (response.events) {
    append(text, "Content-Type", "text/event-stream");
    append(text, "Cache-Control", "no-store");
    append(text, "X-Accel-Buffering", "no");  // nginx would hold events back
  } else if (!response.content_type.empty()) {
    append(text, "Content-Type", response.content_type);
  }
  if (!response.events && may_have_body(status)) {
    append(text, "Content-Length", std::to_string(response.body.size()));
  }
  if (!frame.keep_alive) {
    append(text, "Connection", "close");
  } else if (!frame.version_1_1) {
    append(text, "Connection", "keep-alive");
  }
  for (const Header& header : response.headers) {
    if (!is_framing(header.name)) {
      append(text, header.name, header.value);
    }
  }
  return text + "\r\n";
}

}  // namespace psephos::http
