// Tokens, key sets, documents of providers and redirects. The first line is what a browser or a
// wallet may send, the rest what a provider may publish. Nothing verifies by accident.
#include <cstddef>
#include <cstdint>
#include <string>

#include "psephos/sign_in/provider.h"

#include "src/sign_in/url.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace psephos;
  using namespace psephos::sign_in;
  // RFC 8037, A.2: nobody who sends inputs here has its secret half.
  static const JwkSet known =
      JwkSet::parse(
          R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})")
          .value();
  TokenRules rules;
  rules.issuer = "https://id.example";
  rules.audience = "wallet";
  rules.nonce = "n";
  const std::chrono::sys_seconds now{};
  const std::string_view text = as_text({data, size});
  const std::string_view line = text.substr(0, text.find('\n'));
  const std::string_view rest = line.size() < text.size() ? text.substr(line.size() + 1) : "";

  const auto set = JwkSet::parse(rest);
  if (const auto token = Token::parse(line); token.has_value()) {
    PSEPHOS_CHECK(!token->verify(known, rules, now).has_value());
    if (set.has_value()) {
      if (const auto claims = token->verify(*set, rules, now); claims.has_value()) {
        PSEPHOS_CHECK(!claims->voter.empty() && !has_control(claims->voter));
      }
    }
  }
  if (const auto bytes = unbase64url(line); bytes.has_value()) {
    PSEPHOS_CHECK(base64url(*bytes) == line);
  }
  if (const auto parameters = parse_query(line); parameters.has_value()) {
    std::string query;
    for (const auto& [key, value] : *parameters) {
      query += percent_encode(key) + "=" + percent_encode(value) + "&";
    }
    PSEPHOS_CHECK(query.size() > 16 * 1024 || parse_query(query) == parameters);
  }
  static_cast<void>(check_url("url", line, /*allow_loopback=*/true));
  static_cast<void>(ProviderMetadata::parse(rest, "https://id.example"));
  return 0;
}
