// The whole way with a real identity provider: discovery, browser, redirect to this machine, code,
// tokens, their verification; rotation of keys and an outage.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <map>
#include <thread>

#include "psephos/network/loopback.h"
#include "psephos/random.h"
#include "psephos/sign_in/authorization.h"

#include "tests/sign_in/support.h"

namespace psephos::sign_in {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kResource = "https://registrar.example";

// ProviderProcess is node with oidc_provider/server.mjs.
class ProviderProcess {
 public:
  explicit ProviderProcess(const fs::path& folder) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (pipe(in.data()) != 0 || pipe(out.data()) != 0) {
      throw std::runtime_error("no pipes");
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    for (const int descriptor : {in[0], in[1], out[0], out[1]}) {
      posix_spawn_file_actions_addclose(&actions, descriptor);
    }
    std::string program = "node";
    std::string script = (folder / "server.mjs").string();
    const std::array<char*, 3> arguments = {program.data(), script.data(), nullptr};
    const int error =
        posix_spawnp(&pid_, program.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    stdin_ = in[1];
    if (error != 0) {
      throw std::runtime_error("cannot start node");
    }
    std::string line;
    char c = 0;
    while (read(out[0], &c, 1) == 1 && c != '\n') {
      line += c;
    }
    stdout_ = out[0];
    constexpr std::string_view kWord = "port ";
    if (!line.starts_with(kWord)) {
      throw std::runtime_error("the provider did not start: " + line);
    }
    issuer_ = "http://127.0.0.1:" + line.substr(kWord.size());
  }
  ProviderProcess(const ProviderProcess&) = delete;
  ProviderProcess& operator=(const ProviderProcess&) = delete;
  ~ProviderProcess() {
    close(stdin_);
    close(stdout_);
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] const std::string& issuer() const { return issuer_; }

 private:
  pid_t pid_ = -1;
  int stdin_ = -1;
  int stdout_ = -1;
  std::string issuer_;
};

// Browser keeps cookies and follows redirects.
class Browser {
 public:
  explicit Browser(network::HttpClient& http) : http_(http) {}

  // The last answer, which is no redirect.
  network::HttpResponse open(std::string url, std::string_view origin) {
    constexpr int kMaxRedirects = 12;
    for (int i = 0; i < kMaxRedirects; ++i) {
      network::HttpRequest request;
      std::string cookies;
      for (const auto& [name, value] : cookies_) {
        cookies += (cookies.empty() ? "" : "; ") + name + "=" + value;
      }
      if (!cookies.empty() && url.starts_with(origin)) {
        request.headers.push_back({"Cookie", cookies});
      }
      network::HttpResponse response = must(http_.send(url, request, 1 << 20));
      std::string location;
      for (const network::HttpHeader& header : response.headers) {
        std::string name = header.name;
        std::ranges::transform(name, name.begin(), [](char c) {
          return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        if (name == "set-cookie") {
          const std::string cookie = header.value.substr(0, header.value.find(';'));
          const std::size_t equals = cookie.find('=');
          cookies_[cookie.substr(0, equals)] = cookie.substr(equals + 1);
        } else if (name == "location") {
          location = header.value;
        }
      }
      if (response.status < 300 || response.status >= 400) {
        return response;
      }
      url = location.starts_with('/') ? std::string(origin) + location : location;
    }
    throw std::runtime_error("too many redirects");
  }

 private:
  network::HttpClient& http_;
  std::map<std::string, std::string> cookies_;
};

std::chrono::sys_seconds now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

class OidcProviderTest : public testing::Test {
 protected:
  void SetUp() override {
    const fs::path folder = PSEPHOS_OIDC_PROVIDER_DIR;
    if (!fs::exists(folder / "installed")) {
      GTEST_SKIP() << "needs node, npm and " << folder / "installed"
                   << ", which the test sign_in.install_oidc_provider makes";
    }
    process_ = std::make_unique<ProviderProcess>(folder);
    provider_ = must(Provider::create(
        *http_, {.issuer = process_->issuer(), .refetch_interval = std::chrono::seconds(0)}));
  }

  void admin(const std::string& action) {
    const network::HttpRequest request{.method = "POST", .headers = {}, .body = {}};
    ASSERT_EQ(must(http_->send(process_->issuer() + "/admin/" + action, request, 4096)).status,
              200U);
  }

  static Result<std::string> wait(network::LoopbackListener& listener,
                                  const Authorization& attempt) {
    return listener.wait(
        "/callback", [&](std::string_view query) { return attempt.is_answer(query); },
        std::chrono::steady_clock::now() + std::chrono::seconds(60));
  }

  // What a wallet does, with a browser that signs in as this account.
  Result<std::string> sign_in(const std::string& account, const Client& by) {
    PSEPHOS_TRY(const ProviderMetadata metadata, provider_->metadata());
    PSEPHOS_TRY(auto listener, network::LoopbackListener::open());
    PSEPHOS_TRY(
        const Authorization attempt,
        Authorization::begin(metadata, by,
                             "http://127.0.0.1:" + std::to_string(listener.port()) + "/callback",
                             std::string(kNonce), random_));
    std::string page;
    std::thread browser([&] {
      try {
        page = as_text(Browser(*http_)
                           .open(attempt.url() + "&login_hint=" + account, process_->issuer())
                           .body);
      } catch (const std::exception& error) {
        page = error.what();
      }
    });
    const auto query = wait(listener, attempt);
    browser.join();
    EXPECT_TRUE(page.contains("You can close this window")) << page;
    PSEPHOS_TRY(const std::string answer, query);
    PSEPHOS_TRY(const SecretBuffer bearer, attempt.finish(answer, *provider_, *http_, now()));
    return std::string(as_text(bearer.expose_secret()));
  }

  Result<Claims> verify(const std::string& bearer, const Client& by,
                        const std::string& claim = "sub") {
    TokenRules rules = bearer_rules(process_->issuer(), by);
    rules.voter_claim = claim;
    rules.nonce = kNonce;
    return provider_->verify(bearer, rules, now());
  }

  std::unique_ptr<network::HttpClient> http_ = must(network::BeastHttpClient::create({}));
  SystemRandom random_;
  std::unique_ptr<ProviderProcess> process_;
  std::unique_ptr<Provider> provider_;
};

TEST_F(OidcProviderTest, SignsInForAnAccessToken) {
  for (const char* id : {"psephos-wallet", "psephos-wallet-es256", "psephos-wallet-eddsa"}) {
    const Client by = client(id, std::string(kResource));
    const std::string bearer = must(sign_in("alice", by));
    EXPECT_EQ(must(verify(bearer, by)).voter, "alice") << id;
    EXPECT_EQ(must(verify(bearer, by, "email")).voter, "alice@example.org");
    // Not for another registrar, program or issuer.
    EXPECT_TRUE(fails_with(Errc::rejected, verify(bearer, client(id, "https://other.example"))));
    EXPECT_TRUE(fails_with(Errc::rejected, verify(bearer, client("x", std::string(kResource)))));
    EXPECT_TRUE(fails_with(Errc::rejected, verify(bearer, client(id))));
    std::string changed = bearer;
    changed.back() = changed.back() == 'A' ? 'Q' : 'A';
    EXPECT_FALSE(verify(changed, by).has_value());
  }
}

TEST_F(OidcProviderTest, SignsInForAnIdToken) {
  for (const char* id : {"psephos-wallet", "psephos-wallet-es256", "psephos-wallet-eddsa"}) {
    const std::string bearer = must(sign_in("bob", client(id)));
    EXPECT_EQ(must(verify(bearer, client(id), "preferred_username")).voter, "bob") << id;
    EXPECT_TRUE(fails_with(Errc::rejected, verify(bearer, client(id, std::string(kResource)))));
  }
}

TEST_F(OidcProviderTest, RefusesAnAddressThatIsNotVerified) {
  const std::string bearer = must(sign_in("carol", client()));
  EXPECT_TRUE(is_ok(verify(bearer, client())));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(bearer, client(), "email")));
}

TEST_F(OidcProviderTest, ShowsThatTheProviderRefuses) {
  const auto refused = sign_in("mallory", client());
  ASSERT_TRUE(fails_with(Errc::rejected, refused));
  EXPECT_TRUE(refused.error().message.contains("no such account")) << refused.error().message;
}

TEST_F(OidcProviderTest, FollowsARotationOfKeys) {
  const Client by = client(std::string(kClient), std::string(kResource));
  const std::string before = must(sign_in("alice", by));
  EXPECT_TRUE(is_ok(verify(before, by)));
  admin("rotate");
  EXPECT_TRUE(is_ok(verify(before, by)));  // the keys known are good for their lifetime
  const std::string after = must(sign_in("alice", by));
  EXPECT_EQ(must(verify(after, by)).voter, "alice");
  EXPECT_TRUE(fails_with(Errc::rejected, verify(before, by)));
}

TEST_F(OidcProviderTest, OutlivesAnOutage) {
  const Client by = client(std::string(kClient), std::string(kResource));
  const std::string bearer = must(sign_in("alice", by));
  EXPECT_TRUE(is_ok(verify(bearer, by)));
  admin("withdraw");
  EXPECT_TRUE(is_ok(verify(bearer, by)));
  const auto cold = must(Provider::create(
      *http_, {.issuer = process_->issuer(), .refetch_interval = std::chrono::seconds(0)}));
  const TokenRules rules = bearer_rules(process_->issuer(), by);
  EXPECT_TRUE(fails_with(Errc::environment, cold->verify(bearer, rules, now())));
  admin("restore");
  EXPECT_TRUE(is_ok(cold->verify(bearer, rules, now())));
}

TEST_F(OidcProviderTest, ACodeIsGoodOnce) {
  const ProviderMetadata metadata = must(provider_->metadata());
  network::LoopbackListener listener = must(network::LoopbackListener::open());
  const Authorization attempt = must(Authorization::begin(
      metadata, client(), "http://127.0.0.1:" + std::to_string(listener.port()) + "/callback",
      std::string(kNonce), random_));
  std::thread browser([&] {
    EXPECT_EQ(Browser(*http_).open(attempt.url() + "&login_hint=alice", process_->issuer()).status,
              200U);
  });
  const auto query = wait(listener, attempt);
  browser.join();
  EXPECT_TRUE(is_ok(attempt.finish(must(query), *provider_, *http_, now())));
  EXPECT_TRUE(fails_with(Errc::rejected, attempt.finish(*query, *provider_, *http_, now())));
}

}  // namespace
}  // namespace psephos::sign_in
