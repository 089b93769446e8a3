// A voter's sign-in at an identity provider, in the browser of this machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "psephos/error.h"
#include "psephos/network/http_client.h"
#include "psephos/random.h"
#include "psephos/secret.h"

#include "cli/remote.h"

namespace psephos::cli {

// Whether a provider could pass off another one's answer as its own (RFC 9207). If so, its
// redirects must name it.
enum class Mixups : std::uint8_t { none, possible };

struct BrowserSignIn {
  std::string nonce;  // what the ID token is to carry
  Mixups mixups = Mixups::none;
  bool open_browser = true;
};

// sign_in_with_browser prints where to sign in, opens it in a browser if there is one and
// `open_browser`, and waits until the voter has. Returns what the registrar wants as the bearer.
[[nodiscard]] Result<SecretBuffer> sign_in_with_browser(network::HttpClient& client,
                                                        const SignIn::Provider& provider,
                                                        const BrowserSignIn& how, Random& random);

// without_secrets leaves out of an environment what is meant for this program alone, such as
// PSEPHOS_PASSWORD. Ends with a null pointer, as the environment does.
[[nodiscard]] std::vector<char*> without_secrets(char* const* environment);

}  // namespace psephos::cli
