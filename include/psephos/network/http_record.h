// A record that a web server publishes below a URL, read file by file.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"
#include "psephos/network/http_client.h"
#include "psephos/protocol/storage.h"

namespace psephos::network {

// is_url tells whether a text is meant as the URL of a record, not as a directory's name.
[[nodiscard]] bool is_url(std::string_view text);

// HttpRecord asks for the files of a record. It believes nothing of what it is answered, and
// nothing that it asks for comes from the server: no redirects, no listing.
class HttpRecord final : public protocol::RecordSource {
 public:
  using Options = Patience;

  // create: `url` is the record's directory, with or without a slash at the end. Errc::misuse if it
  // is no http or https URL, or has a query or fragment.
  static Result<std::unique_ptr<HttpRecord>> create(HttpClient& client, std::string url,
                                                    Options options);
  static Result<std::unique_ptr<HttpRecord>> create(HttpClient& client, std::string url) {
    return create(client, std::move(url), Options{});
  }

  // fetch reads a file whole; nothing if the server does not have it (404). Every other answer but
  // 200 is an error that names the URL: Errc::environment, or Errc::malformed for more than `max`
  // bytes.
  [[nodiscard]] Result<std::optional<Bytes>> fetch(const std::string& path, std::size_t max) const;
  [[nodiscard]] std::string url(const std::string& path) const { return base_ + path; }

  [[nodiscard]] Result<Bytes> read(const std::string& path, std::size_t max) const override;
  // Errc::misuse: over HTTP nobody can say that no other files are there.
  [[nodiscard]] Result<std::vector<std::string>> list() const override;
  // False also if the server cannot be asked.
  [[nodiscard]] bool exists(const std::string& path) const override;

 private:
  HttpRecord(HttpClient& client, std::string base, Options options)
      : client_(&client), base_(std::move(base)), options_(std::move(options)) {}
  [[nodiscard]] Result<HttpResponse> send(const std::string& method, const std::string& path,
                                          std::size_t max) const;
  HttpClient* client_;
  std::string base_;  // with a slash at the end
  Options options_;
};

}  // namespace psephos::network
