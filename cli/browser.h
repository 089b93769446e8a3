// A voter's sign-in at an identity provider, in the browser of this machine.
#pragma once

#include "psephos/error.h"
#include "psephos/network/http_client.h"
#include "psephos/random.h"
#include "psephos/secret.h"

#include "cli/remote.h"

namespace psephos::cli {

// sign_in_with_browser prints where to sign in, opens it in a browser if there is one and
// `open_browser`, and waits until the voter has. Returns what the registrar wants as the bearer.
[[nodiscard]] Result<SecretBuffer> sign_in_with_browser(network::HttpClient& client,
                                                        const SignIn::Provider& provider,
                                                        bool open_browser, Random& random);

}  // namespace psephos::cli
