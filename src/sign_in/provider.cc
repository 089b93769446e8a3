#include "psephos/sign_in/provider.h"

#include <algorithm>
#include <utility>

#include "psephos/bytes.h"

#include "src/sign_in/json.h"
#include "src/sign_in/url.h"

namespace psephos::sign_in {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxDocumentBytes = std::size_t{256} * 1024;

Result<std::string> endpoint(const json& document, const char* name, bool allow_loopback) {
  const std::string* url = text_member(document, name);
  if (url == nullptr) {
    return fail(Errc::malformed, std::string(name) + ": missing or no text");
  }
  PSEPHOS_CHECK_OK(check_url(name, *url, allow_loopback));
  return *url;
}

}  // namespace

Result<ProviderMetadata> ProviderMetadata::parse(std::string_view text, const std::string& issuer) {
  PSEPHOS_TRY(const json document, parse_object(text, kMaxDocumentBytes));
  ProviderMetadata metadata;
  const std::string* name = text_member(document, "issuer");
  if (name == nullptr || *name != issuer) {
    return fail(Errc::malformed, "issuer: is " + (name == nullptr ? "missing" : excerpt(*name)) +
                                     ", not exactly " + excerpt(issuer));
  }
  metadata.issuer = issuer;
  const bool allow_loopback = is_loopback(issuer);
  PSEPHOS_TRY(metadata.authorization_endpoint,
              endpoint(document, "authorization_endpoint", allow_loopback));
  PSEPHOS_TRY(metadata.token_endpoint, endpoint(document, "token_endpoint", allow_loopback));
  PSEPHOS_TRY(metadata.jwks_uri, endpoint(document, "jwks_uri", allow_loopback));
  // Providers that have PKCE need not say so.
  if (const auto methods = document.find("code_challenge_methods_supported");
      methods != document.end() &&
      (!methods->is_array() || std::ranges::find(*methods, json("S256")) == methods->end())) {
    return fail(Errc::malformed, "code_challenge_methods_supported: does not have S256 (PKCE)");
  }
  const auto names_issuer = document.find("authorization_response_iss_parameter_supported");
  metadata.names_issuer = names_issuer != document.end() && *names_issuer == json(true);
  return metadata;
}

Result<std::unique_ptr<Provider>> Provider::create(network::HttpClient& http, Options options) {
  PSEPHOS_CHECK_OK(check_url("issuer", options.issuer, /*allow_loopback=*/true));
  if (options.issuer.contains('?')) {
    return fail(Errc::malformed, "issuer " + excerpt(options.issuer) + " has a query");
  }
  return std::unique_ptr<Provider>(new Provider(http, std::move(options)));
}

Result<std::string> Provider::get(const std::string& url) const {
  const network::HttpRequest request{
      .method = "GET", .headers = {{"Accept", "application/json"}}, .body = {}};
  PSEPHOS_TRY(const network::HttpResponse response, http_.send(url, request, kMaxDocumentBytes));
  if (response.status != 200) {
    return fail(Errc::environment, url + ": answered " + std::to_string(response.status));
  }
  return std::string(as_text(response.body));
}

Result<Provider::Fetched> Provider::fetch() const {
  std::string_view base = options_.issuer;
  if (base.ends_with('/')) {
    base.remove_suffix(1);
  }
  const std::string url = std::string(base) + "/.well-known/openid-configuration";
  PSEPHOS_TRY(const std::string document, get(url));
  auto metadata = ProviderMetadata::parse(document, options_.issuer);
  if (!metadata.has_value()) {
    return within(url, metadata.error());
  }
  PSEPHOS_TRY(const std::string key_set, get(metadata->jwks_uri));
  auto keys = JwkSet::parse(key_set);
  if (!keys.has_value()) {
    return within(metadata->jwks_uri, keys.error());
  }
  if (keys->keys().empty()) {
    return fail(Errc::malformed, metadata->jwks_uri + ": has no key for RS256, ES256 or EdDSA" +
                                     (keys->left_out().empty() ? "" : "; " + keys->left_out()[0]));
  }
  return Fetched{
      .metadata = *std::move(metadata), .keys = *std::move(keys), .at = options_.clock()};
}

// What is known of the provider, if that is not `lacking` something; else what a fetch brings, if
// one is due. It is `lacking` itself if none is.
Result<Provider::Known> Provider::known(const Known& lacking) {
  const auto deadline = std::chrono::steady_clock::now() + options_.max_wait;
  std::unique_lock lock(mutex_);
  const auto age = [&] { return options_.clock() - known_->at; };
  const auto is_usable = [&] { return known_ != nullptr && age() < options_.max_age; };
  const auto is_enough = [&] { return is_usable() && known_ != lacking; };
  while (!is_enough() || age() >= options_.keys_lifetime) {
    if (is_fetching_) {
      if (is_enough()) {
        return known_;
      }
      if (fetched_.wait_until(lock, deadline) == std::cv_status::timeout && is_fetching_) {
        return fail(Errc::environment, "identity provider " + options_.issuer +
                                           ": has not answered yet; try again in a moment");
      }
      continue;
    }
    if (last_attempt_.has_value() &&
        options_.clock() - *last_attempt_ < options_.refetch_interval) {
      break;
    }
    is_fetching_ = true;
    last_attempt_ = options_.clock();
    lock.unlock();
    auto fetched = fetch();
    lock.lock();
    is_fetching_ = false;
    fetched_.notify_all();
    last_error_.reset();
    if (fetched.has_value()) {
      known_ = std::make_shared<const Fetched>(*std::move(fetched));
    } else {
      last_error_ = fetched.error();
    }
    break;
  }
  if (is_usable() && (known_ != lacking || !last_error_.has_value())) {
    return known_;
  }
  return fail(Errc::environment,
              "identity provider " + options_.issuer + ": " +
                  (last_error_.has_value() ? last_error_->message : "its keys are out of date"));
}

Result<ProviderMetadata> Provider::metadata() {
  PSEPHOS_TRY(const Known known_now, known(nullptr));
  return known_now->metadata;
}

Result<Claims> Provider::verify(std::string_view text, const TokenRules& rules,
                                std::chrono::sys_seconds now) {
  if (rules.issuer != options_.issuer) {
    return fail(Errc::misuse, "the rules are for tokens of another issuer");
  }
  PSEPHOS_TRY(const Token token, Token::parse(text));
  PSEPHOS_TRY(Known known_now, known(nullptr));
  PSEPHOS_TRY(const Jwk* const jwk, known_now->keys.select(token.algorithm(), token.kid()));
  if (jwk == nullptr) {
    PSEPHOS_TRY(known_now, known(known_now));
  }
  return token.verify(known_now->keys, rules, now);
}

}  // namespace psephos::sign_in
