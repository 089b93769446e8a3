// What the tests of sign-in share: keys of a provider, tokens signed with them, and a provider that
// is no process.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "psephos/bytes.h"
#include "psephos/network/http_client.h"
#include "psephos/sign_in/token.h"

#include "tests/crypto/expect.h"

namespace psephos::sign_in {

using nlohmann::json;
using test::fails_with;
using test::is_ok;
using test::must;

inline constexpr std::string_view kIssuer = "https://id.example";
inline constexpr std::string_view kClient = "psephos-wallet";
inline constexpr std::chrono::sys_seconds kNow{std::chrono::seconds(1'780'000'000)};
inline std::int64_t seconds_of(std::chrono::sys_seconds time) {
  return time.time_since_epoch().count();
}

// Signer is a key pair of a provider.
class Signer {
 public:
  // "RS256", "ES256" or "EdDSA".
  explicit Signer(std::string algorithm, std::string kid = "k1")
      : algorithm_(std::move(algorithm)), kid_(std::move(kid)) {
    EVP_PKEY* key = nullptr;
    if (algorithm_ == "RS256") {
      key = EVP_RSA_gen(2048);
    } else if (algorithm_ == "ES256") {
      key = EVP_EC_gen("P-256");
    } else {
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    }
    key_.reset(require(key), EVP_PKEY_free);
  }

  [[nodiscard]] const std::string& algorithm() const { return algorithm_; }
  [[nodiscard]] const std::string& kid() const { return kid_; }

  [[nodiscard]] json jwk() const {
    json result = {{"kid", kid_}, {"use", "sig"}, {"alg", algorithm_}};
    if (algorithm_ == "RS256") {
      result["kty"] = "RSA";
      result["n"] = number(OSSL_PKEY_PARAM_RSA_N, 0);
      result["e"] = number(OSSL_PKEY_PARAM_RSA_E, 0);
    } else if (algorithm_ == "ES256") {
      result["kty"] = "EC";
      result["crv"] = "P-256";
      result["x"] = number(OSSL_PKEY_PARAM_EC_PUB_X, 32);
      result["y"] = number(OSSL_PKEY_PARAM_EC_PUB_Y, 32);
    } else {
      Bytes raw(32);
      std::size_t size = raw.size();
      check(EVP_PKEY_get_raw_public_key(key_.get(), raw.data(), &size));
      result["kty"] = "OKP";
      result["crv"] = "Ed25519";
      result["x"] = base64url(raw);
    }
    return result;
  }

  [[nodiscard]] Bytes sign(std::string_view input) const {
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                     EVP_MD_CTX_free);
    const EVP_MD* digest = algorithm_ == "EdDSA" ? nullptr : EVP_sha256();
    check(EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_.get()));
    const ByteView bytes = as_bytes(input);
    std::size_t size = 0;
    check(EVP_DigestSign(context.get(), nullptr, &size, bytes.data(), bytes.size()));
    Bytes signature(size);
    check(EVP_DigestSign(context.get(), signature.data(), &size, bytes.data(), bytes.size()));
    signature.resize(size);
    if (algorithm_ != "ES256") {
      return signature;
    }
    const unsigned char* in = signature.data();
    const std::unique_ptr<ECDSA_SIG, void (*)(ECDSA_SIG*)> numbers(
        d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(size)), ECDSA_SIG_free);
    Bytes raw(64);
    BN_bn2binpad(ECDSA_SIG_get0_r(numbers.get()), raw.data(), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(numbers.get()), raw.data() + 32, 32);
    return raw;
  }

  // A token with this header and these claims, as they stand.
  [[nodiscard]] std::string token_of(std::string_view header, std::string_view claims) const {
    const std::string input = base64url(as_bytes(header)) + "." + base64url(as_bytes(claims));
    return input + "." + base64url(sign(input));
  }
  [[nodiscard]] json header() const { return {{"alg", algorithm_}, {"kid", kid_}, {"typ", "JWT"}}; }
  [[nodiscard]] std::string token(const json& claims) const {
    return token_of(header().dump(), claims.dump());
  }

 private:
  static EVP_PKEY* require(EVP_PKEY* key) {
    if (key == nullptr) {
      throw std::runtime_error("OpenSSL made no key");
    }
    return key;
  }
  static void check(int result) {
    if (result != 1) {
      throw std::runtime_error("OpenSSL refused");
    }
  }
  [[nodiscard]] std::string number(const char* name, std::size_t size) const {
    BIGNUM* value = nullptr;
    check(EVP_PKEY_get_bn_param(key_.get(), name, &value));
    Bytes bytes(size == 0 ? static_cast<std::size_t>(BN_num_bytes(value)) : size);
    BN_bn2binpad(value, bytes.data(), static_cast<int>(bytes.size()));
    BN_free(value);
    return base64url(bytes);
  }

  std::string algorithm_;
  std::string kid_;
  std::shared_ptr<EVP_PKEY> key_;
};

// One key pair of each kind, made once: RSA keys take their time.
inline const Signer& rs256() {
  static const Signer signer("RS256", "rsa");
  return signer;
}
inline const Signer& es256() {
  static const Signer signer("ES256", "ec");
  return signer;
}
inline const Signer& eddsa() {
  static const Signer signer("EdDSA", "ed");
  return signer;
}

inline json key_set(const std::vector<const Signer*>& signers) {
  json keys = json::array();
  for (const Signer* signer : signers) {
    keys.push_back(signer->jwk());
  }
  return {{"keys", keys}};
}

inline Client client(std::string id = std::string(kClient), std::string resource = {}) {
  return {.client_id = std::move(id), .scope = "openid", .resource = std::move(resource)};
}

inline constexpr std::string_view kNonce = "n-0S6_WzA2Mj";

// The claims of a good ID token.
inline json good_claims() {
  return {{"iss", kIssuer},
          {"sub", "alice"},
          {"aud", kClient},
          {"nonce", kNonce},
          {"iat", seconds_of(kNow) - 10},
          {"exp", seconds_of(kNow) + 300}};
}

inline json discovery(std::string_view issuer = kIssuer) {
  const std::string base(issuer);
  return {{"issuer", issuer},
          {"authorization_endpoint", base + "/auth"},
          {"token_endpoint", base + "/token"},
          {"jwks_uri", base + "/jwks"}};
}

// FakeHttp answers from a table; what is not in it cannot be reached.
class FakeHttp final : public network::HttpClient {
 public:
  using Answer = std::function<Result<network::HttpResponse>(const network::HttpRequest&)>;

  static network::HttpResponse response(std::string_view body, unsigned status = 200) {
    const ByteView bytes = as_bytes(body);
    return {.status = status, .headers = {}, .body = Bytes(bytes.begin(), bytes.end())};
  }

  void set(const std::string& url, const std::string& body, unsigned status = 200) {
    set(url, [=](const network::HttpRequest&) { return response(body, status); });
  }
  void set(const std::string& url, Answer answer) {
    const std::scoped_lock lock(mutex_);
    answers_[url] = std::move(answer);
  }
  void remove(const std::string& url) {
    const std::scoped_lock lock(mutex_);
    answers_.erase(url);
  }
  // A provider that publishes these keys.
  void publish(const std::vector<const Signer*>& signers) {
    const std::string base(kIssuer);
    set(base + "/.well-known/openid-configuration", discovery().dump());
    set(base + "/jwks", key_set(signers).dump());
  }
  void go_down() {
    const std::scoped_lock lock(mutex_);
    answers_.clear();
  }
  int count(const std::string& url) {
    const std::scoped_lock lock(mutex_);
    return counts_[url];
  }
  int key_fetches() { return count(std::string(kIssuer) + "/jwks"); }
  int attempts() { return count(std::string(kIssuer) + "/.well-known/openid-configuration"); }

  Result<network::HttpResponse> send(const std::string& url, const network::HttpRequest& request,
                                     std::size_t max_body) override {
    Answer answer;
    {
      const std::scoped_lock lock(mutex_);
      ++counts_[url];
      const auto at = answers_.find(url);
      if (at == answers_.end()) {
        return fail(Errc::environment, url + ": no connection");
      }
      answer = at->second;
    }
    auto response = answer(request);
    if (response.has_value() && response->body.size() > max_body) {
      return fail(Errc::malformed, url + ": answer too long");
    }
    return response;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, Answer> answers_;
  std::map<std::string, int> counts_;
};

}  // namespace psephos::sign_in
