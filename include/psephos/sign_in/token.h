// Signed tokens of an identity provider: JSON Web Tokens (RFC 7519, RFC 8725), as ID tokens (OpenID
// Connect Core) and as access tokens (RFC 9068).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "psephos/bytes.h"
#include "psephos/crypto/jws.h"
#include "psephos/error.h"
#include "psephos/sign_in/jwk.h"

namespace psephos::sign_in {

// Client is how the wallet is registered with the provider: a public client with PKCE.
struct Client {
  std::string client_id;
  std::string scope = "openid";
  // What access tokens are for (RFC 8707): the registrar's name at the provider, and no other
  // registrar's. Empty: there are none for it, and the ID token is the bearer.
  std::string resource;
};

enum class TokenKind : std::uint8_t { id_token, access_token };

// TokenRules is what a token must say.
struct TokenRules {
  TokenKind kind = TokenKind::id_token;
  std::string issuer;
  std::string audience;
  // Who must have asked for the token: its azp or client_id. An access token need not name one.
  std::string client_id;
  std::string nonce;  // of an ID token, which is refused without; access tokens have none
  // The claim that names the voter as the roll does. "email" counts only if it is verified.
  std::string voter_claim = "sub";
  std::chrono::seconds leeway{60};  // how far the provider's clock may be off
};

// bearer_rules are the rules for what the wallet sends to the registrar; for an ID token, but for
// the nonce.
[[nodiscard]] TokenRules bearer_rules(std::string issuer, const Client& client);

// Claims is what a verified token says.
struct Claims {
  std::string voter;  // 1 to 256 bytes, no control characters
  std::chrono::sys_seconds expires;
};

// Token is a token read, not yet verified.
class Token {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{16} * 1024;
  static constexpr std::size_t kMaxVoterBytes = 256;

  // parse takes a compact JWS with one of the algorithms of JwsAlgorithm and no critical header
  // parameter. Errc::malformed or rejected.
  static Result<Token> parse(std::string_view compact);

  [[nodiscard]] crypto::JwsAlgorithm algorithm() const { return algorithm_; }
  [[nodiscard]] const std::optional<std::string>& kid() const { return kid_; }

  // verify checks the signature, then what is signed. No message names the voter.
  [[nodiscard]] Result<Claims> verify(const JwkSet& keys, const TokenRules& rules,
                                      std::chrono::sys_seconds now) const;

 private:
  Token() = default;
  crypto::JwsAlgorithm algorithm_{};
  std::optional<std::string> kid_;
  bool is_access_token_ = false;  // the header says so
  std::string signing_input_;
  Bytes payload_;
  Bytes signature_;
};

}  // namespace psephos::sign_in
