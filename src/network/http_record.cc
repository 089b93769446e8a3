#include "psephos/network/http_record.h"

#include <utility>

#include "psephos/network/url.h"

namespace psephos::network {

namespace {

constexpr unsigned kOk = 200;
constexpr unsigned kNotFound = 404;

std::unexpected<Error> unexpected_answer(const std::string& url, const HttpResponse& response) {
  std::string message = url + ": the server answers " + std::to_string(response.status);
  if (const std::string* location = response.header("Location"); location != nullptr) {
    message += " and sends to " + printable(*location) + "; give that URL if you trust it";
  }
  return fail(Errc::environment, std::move(message));
}

}  // namespace

bool is_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

Result<std::unique_ptr<HttpRecord>> HttpRecord::create(HttpClient& client, std::string url,
                                                       Options options) {
  const auto parsed = Url::parse(url);
  if (!is_url(url) || !parsed.has_value() || url.find_first_of("?#") != std::string::npos) {
    return fail(Errc::misuse, printable(url) +
                                  ": is not the URL of a record, such as "
                                  "https://vote.example/record/" +
                                  (parsed.has_value() ? "" : " (" + parsed.error().message + ")"));
  }
  url = parsed->print();
  if (!url.ends_with('/')) {
    url += '/';
  }
  return std::unique_ptr<HttpRecord>(new HttpRecord(client, std::move(url), std::move(options)));
}

Result<HttpResponse> HttpRecord::send(const std::string& method, const std::string& path,
                                      std::size_t max) const {
  HttpRequest request{.method = method, .headers = {}, .body = {}};
  // Caches on the way may keep tiles for ever, but must ask for what changes.
  if (path.find("/tile/") == std::string::npos) {
    request.headers.push_back({.name = "Cache-Control", .value = "no-cache"});
  }
  const std::string address = url(path);
  PSEPHOS_TRY(HttpResponse response, send_patiently(*client_, address, request, max, options_));
  if (is_busy(response)) {
    return fail(Errc::environment, address + ": the server answers " +
                                       std::to_string(response.status) +
                                       ", it is overloaded; try again later");
  }
  if (response.body.size() > max) {
    return fail(Errc::malformed, address + ": is longer than the " + std::to_string(max) +
                                     " bytes that are allowed here");
  }
  return response;
}

Result<std::optional<Bytes>> HttpRecord::fetch(const std::string& path, std::size_t max) const {
  PSEPHOS_TRY(HttpResponse response, send("GET", path, max));
  if (response.status == kNotFound) {
    return std::nullopt;
  }
  if (response.status != kOk) {
    return unexpected_answer(url(path), response);
  }
  return std::move(response.body);
}

Result<Bytes> HttpRecord::read(const std::string& path, std::size_t max) const {
  PSEPHOS_TRY(std::optional<Bytes> file, fetch(path, max));
  if (!file.has_value()) {
    return fail(Errc::environment, url(path) + ": is not there (404)");
  }
  return *std::move(file);
}

Result<std::vector<std::string>> HttpRecord::list() const {
  return fail(Errc::misuse, base_ + ": a record behind a URL cannot be listed");
}

bool HttpRecord::exists(const std::string& path) const {
  const auto response = send("HEAD", path, 0);
  return response.has_value() && response->status == kOk;
}

}  // namespace psephos::network
