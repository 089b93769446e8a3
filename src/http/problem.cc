#include "src/http/problem.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

namespace psephos::http {

namespace {

struct Name {
  unsigned status;
  std::string_view name;
};

constexpr std::array kNames = std::to_array<Name>({
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
});

}  // namespace

std::string_view status_name(unsigned status) {
  const auto found = std::ranges::find(kNames, status, &Name::status);
  return found == kNames.end() ? "Status" : found->name;
}

Response problem(unsigned status, std::string_view title, std::string_view detail,
                 const ProblemMembers& members) {
  nlohmann::ordered_json json;
  json["type"] = "about:blank";
  json["title"] = title.empty() ? status_name(status) : title;
  json["status"] = status;
  if (!detail.empty()) {
    json["detail"] = detail;
  }
  for (const auto& [name, value] : members) {
    json[name] = value;
  }
  // What is quoted from a request may be anything but UTF-8.
  const std::string text =
      json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.headers.push_back({"Cache-Control", "no-store"});
  response.body.assign(text.begin(), text.end());
  return response;
}

Response problem_retry(unsigned status, std::string_view title, std::string_view detail,
                       std::chrono::milliseconds after) {
  Response response = problem(status, title, detail);
  const auto seconds =
      std::max(std::chrono::ceil<std::chrono::seconds>(after), std::chrono::seconds(1));
  response.headers.push_back({"Retry-After", std::to_string(seconds.count())});
  return response;
}

}  // namespace psephos::http
