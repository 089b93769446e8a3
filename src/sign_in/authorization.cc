#include "psephos/sign_in/authorization.h"

#include <algorithm>
#include <array>
#include <utility>

#include "psephos/bytes.h"
#include "psephos/crypto/hash.h"

#include "src/sign_in/json.h"
#include "src/sign_in/url.h"

namespace psephos::sign_in {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxCodeBytes = 4096;
constexpr std::size_t kMaxAnswerBytes = std::size_t{256} * 1024;
constexpr std::size_t kMaxBearerBytes = Token::kMaxBytes;

// 256 bits, as 43 digits.
SecretBuffer random_text(Random& random) {
  SecretBytes<32> bytes;
  random.fill(bytes.expose_secret());
  std::string text = base64url(bytes.expose_secret());
  SecretBuffer secret(as_bytes(text));
  wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return secret;
}

std::string public_text(const SecretBuffer& secret) {
  return std::string(as_text(secret.expose_secret()));
}

std::string parameter(std::string_view name, std::string_view value) {
  return std::string(name) + "=" + percent_encode(value);
}

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::string_view first = words.substr(0, words.find(' '));
    if (first == word) {
      return true;
    }
    words.remove_prefix(std::min(words.size(), first.size() + 1));
  }
  return false;
}

// b64token of RFC 6750: what may stand in an Authorization header.
bool is_bearer(std::string_view text) {
  const std::size_t end = text.find_last_not_of('=');
  return end != std::string_view::npos && text.size() <= kMaxBearerBytes &&
         std::ranges::all_of(text.substr(0, end + 1), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("-._~+/").contains(c);
         });
}

// What a provider says went wrong: a code, and often words for a person.
std::string reason(const std::string* error, const std::string* description) {
  return (error == nullptr ? "no reason given" : excerpt(*error)) +
         (description == nullptr ? "" : ": " + excerpt(*description));
}

}  // namespace

Result<Authorization> Authorization::begin(const ProviderMetadata& provider, Client client,
                                           std::string redirect_uri, std::string nonce,
                                           Random& random) {
  if (client.client_id.empty()) {
    return fail(Errc::misuse, "sign-in: the client id is empty");
  }
  if (!has_word(client.scope, "openid")) {
    return fail(Errc::misuse, "sign-in: the scope " + excerpt(client.scope) + " lacks openid");
  }
  if (!is_loopback(redirect_uri)) {
    return fail(Errc::misuse,
                "sign-in: redirect to " + excerpt(redirect_uri) + ", which is not this machine");
  }
  if (nonce.empty()) {
    return fail(Errc::misuse, "sign-in: the nonce is empty");
  }
  Authorization result;
  result.provider_ = provider;
  result.client_ = std::move(client);
  result.redirect_uri_ = std::move(redirect_uri);
  result.nonce_ = std::move(nonce);
  // The state stands in the URL; the verifier leaves this machine with the code only.
  result.state_ = public_text(random_text(random));
  result.verifier_ = random_text(random);
  const Digest32 challenge = crypto::sha256({result.verifier_.expose_secret()});

  std::string& url = result.url_;
  url = provider.authorization_endpoint;
  url += url.contains('?') ? '&' : '?';
  url += "response_type=code&" + parameter("client_id", result.client_.client_id) + "&" +
         parameter("redirect_uri", result.redirect_uri_) + "&" +
         parameter("scope", result.client_.scope) + "&" + parameter("state", result.state_) + "&" +
         parameter("nonce", result.nonce_) + "&" +
         parameter("code_challenge", base64url(challenge)) + "&code_challenge_method=S256";
  if (!result.client_.resource.empty()) {
    url += "&" + parameter("resource", result.client_.resource);
  }
  return result;
}

bool Authorization::is_answer(std::string_view query) const {
  const auto parameters = parse_query(query);
  if (!parameters.has_value()) {
    return false;
  }
  const auto state = parameters->find("state");
  return state != parameters->end() && ct_equal(as_bytes(state->second), as_bytes(state_));
}

Result<SecretBuffer> Authorization::code(std::string_view query) const {
  auto parameters = parse_query(query);
  if (!parameters.has_value()) {
    return within("sign-in", parameters.error());
  }
  const auto find = [&](const char* name) -> const std::string* {
    const auto at = parameters->find(name);
    return at == parameters->end() ? nullptr : &at->second;
  };
  const std::string* state = find("state");
  if (state == nullptr || !ct_equal(as_bytes(*state), as_bytes(state_))) {
    return fail(Errc::rejected,
                "sign-in: this answer belongs to another attempt (state); start again");
  }
  // Else another provider's answer could be taken for this one's (RFC 9207).
  const std::string* issuer = find("iss");
  if ((issuer != nullptr || provider_.names_issuer) &&
      (issuer == nullptr || *issuer != provider_.issuer)) {
    return fail(Errc::rejected,
                "sign-in: this answer is not of the provider " + excerpt(provider_.issuer));
  }
  if (const std::string* error = find("error"); error != nullptr) {
    return fail(Errc::rejected,
                "sign-in: the provider refuses: " + reason(error, find("error_description")));
  }
  const std::string* code = find("code");
  if (code == nullptr || code->empty() || code->size() > kMaxCodeBytes ||
      !std::ranges::all_of(*code, [](char c) { return c >= ' ' && c <= '~'; })) {
    return fail(Errc::malformed, "sign-in: the answer holds no code");
  }
  return SecretBuffer(as_bytes(*code));
}

Result<SecretBuffer> Authorization::finish(std::string_view query, Provider& provider,
                                           network::HttpClient& http,
                                           std::chrono::sys_seconds now) const {
  if (provider.issuer() != provider_.issuer) {
    return fail(Errc::misuse, "sign-in: was begun with another provider");
  }
  PSEPHOS_TRY(const SecretBuffer authorization_code, code(query));
  std::string form = "grant_type=authorization_code&" +
                     parameter("code", as_text(authorization_code.expose_secret())) + "&" +
                     parameter("redirect_uri", redirect_uri_) + "&" +
                     parameter("client_id", client_.client_id) + "&" +
                     parameter("code_verifier", as_text(verifier_.expose_secret()));
  if (!client_.resource.empty()) {
    form += "&" + parameter("resource", client_.resource);
  }
  const network::HttpRequest request{
      .method = "POST",
      .headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                  {"Accept", "application/json"}},
      .body = Bytes(as_bytes(form).begin(), as_bytes(form).end())};
  PSEPHOS_TRY(network::HttpResponse response,
              http.send(provider_.token_endpoint, request, kMaxAnswerBytes));
  if (response.status != 200) {
    const auto answer = parse_object(as_text(response.body), kMaxAnswerBytes);
    return fail(response.status < 500 ? Errc::rejected : Errc::environment,
                "sign-in: the provider answered " + std::to_string(response.status) + ": " +
                    (answer.has_value() ? reason(text_member(*answer, "error"),
                                                 text_member(*answer, "error_description"))
                                        : "no reason given"));
  }
  auto bearer = read_tokens(response.body, provider, now);
  wipe(response.body);
  return bearer;
}

Result<SecretBuffer> Authorization::read_tokens(ByteView body, Provider& provider,
                                                std::chrono::sys_seconds now) const {
  const auto answer = parse_object(as_text(body), kMaxAnswerBytes);
  if (!answer.has_value()) {
    return within("sign-in, answer with tokens", answer.error());
  }
  // Also where the access token is the bearer: it alone says that all this is the answer to us.
  const std::string* id_token = text_member(*answer, "id_token");
  if (id_token == nullptr) {
    return fail(Errc::malformed, "sign-in: the provider sent no ID token");
  }
  TokenRules rules;
  rules.issuer = provider_.issuer;
  rules.audience = client_.client_id;
  rules.client_id = client_.client_id;
  rules.nonce = nonce_;
  if (const auto claims = provider.verify(*id_token, rules, now); !claims.has_value()) {
    return within("sign-in, ID token", claims.error());
  }
  const bool wants_id_token = client_.resource.empty();
  const std::string* bearer = wants_id_token ? id_token : text_member(*answer, "access_token");
  if (bearer == nullptr || !is_bearer(*bearer)) {
    return fail(Errc::malformed, std::string("sign-in: the provider sent no ") +
                                     (wants_id_token ? "ID token" : "access token"));
  }
  if (!wants_id_token) {
    const std::string* type = text_member(*answer, "token_type");
    constexpr std::string_view kBearer = "bearer";
    if (type == nullptr || !std::ranges::equal(*type, kBearer, {}, [](char c) {
          return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        })) {
      return fail(Errc::malformed, "sign-in: the access token is no bearer token");
    }
  }
  return SecretBuffer(as_bytes(*bearer));
}

}  // namespace psephos::sign_in
