#include "cli/browser.h"

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>

#include "psephos/network/loopback.h"
#include "psephos/sign_in/authorization.h"
#include "psephos/sign_in/provider.h"

#include "cli/output.h"

namespace psephos::cli {

namespace {

constexpr std::chrono::minutes kTimeToSignIn{10};
constexpr const char* kRedirectPath = "/callback";

bool has_screen() {
  return ::isatty(STDERR_FILENO) == 1 &&
         (std::getenv("DISPLAY") != nullptr || std::getenv("WAYLAND_DISPLAY") != nullptr);
}

// Best effort: the URL has been printed.
void open_in_browser(std::string url) {
  std::string program = "xdg-open";
  const std::array<char*, 3> arguments = {program.data(), url.data(), nullptr};
  posix_spawn_file_actions_t actions;
  if (::posix_spawn_file_actions_init(&actions) != 0) {
    return;
  }
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    static_cast<void>(
        ::posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0));
  }
  pid_t child = 0;
  static_cast<void>(::posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments.data(),
                                   without_secrets(environ).data()));
  static_cast<void>(::posix_spawn_file_actions_destroy(&actions));
}

}  // namespace

std::vector<char*> without_secrets(char* const* environment) {
  std::vector<char*> kept;
  for (; *environment != nullptr; ++environment) {
    if (!std::string_view(*environment).starts_with("PSEPHOS_")) {
      kept.push_back(*environment);
    }
  }
  kept.push_back(nullptr);
  return kept;
}

Result<SecretBuffer> sign_in_with_browser(network::HttpClient& client,
                                          const SignIn::Provider& provider,
                                          const BrowserSignIn& how, Random& random) {
  PSEPHOS_TRY(const auto issuer, sign_in::Provider::create(client, {.issuer = provider.issuer}));
  PSEPHOS_TRY(const sign_in::ProviderMetadata metadata, issuer->metadata());
  if (how.mixups == Mixups::possible && !metadata.names_issuer) {
    return fail(Errc::rejected, printable(provider.issuer) +
                                    ": its redirects do not say whose they are (RFC 9207), as they "
                                    "must where registrars have different identity providers");
  }
  PSEPHOS_TRY(network::LoopbackListener listener, network::LoopbackListener::open());
  PSEPHOS_TRY(const auto authorization,
              sign_in::Authorization::begin(
                  metadata, provider.client,
                  "http://127.0.0.1:" + std::to_string(listener.port()) + kRedirectPath, how.nonce,
                  random));
  complain("Sign in at " + printable(provider.issuer) + ":\n\n  " + authorization.url() + "\n\n");
  if (how.open_browser && has_screen()) {
    open_in_browser(authorization.url());
  }
  PSEPHOS_TRY(
      const std::string query,
      listener.wait(
          kRedirectPath, [&](std::string_view query) { return authorization.is_answer(query); },
          std::chrono::steady_clock::now() + kTimeToSignIn));
  return authorization.finish(
      query, *issuer, client,
      std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
}

}  // namespace psephos::cli
