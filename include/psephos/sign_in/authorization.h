// The wallet's side of a sign-in: the authorization code flow with PKCE for a program on the
// voter's machine (RFC 6749, RFC 7636, RFC 8252, OpenID Connect Core).
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "psephos/error.h"
#include "psephos/network/http_client.h"
#include "psephos/random.h"
#include "psephos/secret.h"
#include "psephos/sign_in/provider.h"
#include "psephos/sign_in/token.h"

namespace psephos::sign_in {

// Authorization is one attempt to sign in. The voter's browser opens url(); what it then asks
// redirect_uri for is handed to finish().
class Authorization {
 public:
  // redirect_uri: where the wallet listens, "http://127.0.0.1:port/path". nonce: what the ID token
  // is to carry; it says what the sign-in is for, and may be that of an attempt before.
  static Result<Authorization> begin(const ProviderMetadata& provider, Client client,
                                     std::string redirect_uri, std::string nonce, Random& random);

  [[nodiscard]] const std::string& url() const { return url_; }

  // is_answer tells whether the query of a request is of this attempt's redirect: any web page can
  // send requests to this machine, but knows no state.
  [[nodiscard]] bool is_answer(std::string_view query) const;

  // code reads the query of the redirect. Errc::rejected: the answer is to another attempt or of
  // another provider, or the provider says no, and why.
  [[nodiscard]] Result<SecretBuffer> code(std::string_view query) const;

  // finish exchanges the code of the redirect for tokens and checks the ID token. The result is
  // what the registrar wants as the bearer.
  [[nodiscard]] Result<SecretBuffer> finish(std::string_view query, Provider& provider,
                                            network::HttpClient& http,
                                            std::chrono::sys_seconds now) const;

 private:
  Authorization() = default;
  [[nodiscard]] Result<SecretBuffer> read_tokens(ByteView body, Provider& provider,
                                                 std::chrono::sys_seconds now) const;

  ProviderMetadata provider_;
  Client client_;
  std::string redirect_uri_;
  std::string url_;
  std::string state_;
  std::string nonce_;
  SecretBuffer verifier_;
};

}  // namespace psephos::sign_in
