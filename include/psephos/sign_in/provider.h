// An identity provider: what it says of itself (OpenID Connect Discovery) and its keys, fetched
// when they are needed and kept while they are good.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "psephos/error.h"
#include "psephos/network/http_client.h"
#include "psephos/sign_in/jwk.h"
#include "psephos/sign_in/token.h"

namespace psephos::sign_in {

struct ProviderMetadata {
  std::string issuer;
  std::string authorization_endpoint;
  std::string token_endpoint;
  std::string jwks_uri;
  bool names_issuer = false;  // its redirects have the parameter "iss" (RFC 9207)

  // parse takes the document of an issuer and of no other. Every URL must be https, or http on
  // loopback if the issuer's is.
  static Result<ProviderMetadata> parse(std::string_view text, const std::string& issuer);
};

// Provider may be used by several threads at once. One of them fetches at a time.
class Provider {
 public:
  struct Options {
    std::string issuer;  // an https URL, exactly as the provider writes it; http on loopback only
    // Keys older than this are fetched anew before they are used.
    std::chrono::seconds keys_lifetime{600};
    // At most one fetch in this time, whatever the tokens name and whether it succeeds.
    std::chrono::seconds refetch_interval{30};
    // How old keys may get while the provider cannot be reached.
    std::chrono::seconds max_age{24 * 3600};
    // How long a call waits for another's fetch if it cannot do without.
    std::chrono::milliseconds max_wait{2000};
    std::function<std::chrono::steady_clock::time_point()> clock = std::chrono::steady_clock::now;
  };

  // The client must outlive the provider. Errc::malformed: the issuer is no such URL.
  static Result<std::unique_ptr<Provider>> create(network::HttpClient& http, Options options);
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;
  ~Provider() = default;

  [[nodiscard]] const std::string& issuer() const { return options_.issuer; }

  // metadata fetches if need be. Errc::environment: the provider does not answer as one should.
  [[nodiscard]] Result<ProviderMetadata> metadata();

  // verify judges a token by the provider's keys; the issuer of the rules must be this one's. A key
  // that is not known makes it fetch, if it has not lately. Errc::environment: no judgement was
  // possible now, the same token may do later.
  [[nodiscard]] Result<Claims> verify(std::string_view text, const TokenRules& rules,
                                      std::chrono::sys_seconds now);

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Fetched {
    ProviderMetadata metadata;
    JwkSet keys;
    Time at;
  };
  using Known = std::shared_ptr<const Fetched>;

  Provider(network::HttpClient& http, Options options)
      : http_(http), options_(std::move(options)) {}

  [[nodiscard]] Result<std::string> get(const std::string& url) const;
  [[nodiscard]] Result<Fetched> fetch() const;
  Result<Known> known(const Known& lacking);

  network::HttpClient& http_;
  const Options options_;
  std::mutex mutex_;  // guards all below
  std::condition_variable fetched_;
  bool is_fetching_ = false;
  std::optional<Time> last_attempt_;
  std::optional<Error> last_error_;  // of the last attempt
  Known known_;
};

}  // namespace psephos::sign_in
