#include "psephos/sign_in/provider.h"

#include <condition_variable>
#include <thread>

#include "tests/sign_in/support.h"

namespace psephos::sign_in {
namespace {

using std::chrono::seconds;

const std::string kDiscoveryUrl = std::string(kIssuer) + "/.well-known/openid-configuration";
const std::string kKeysUrl = std::string(kIssuer) + "/jwks";

TokenRules rules() {
  TokenRules rules = bearer_rules(std::string(kIssuer), client());
  rules.nonce = kNonce;
  return rules;
}

class ProviderTest : public testing::Test {
 protected:
  ProviderTest() {
    http_.publish({&eddsa()});
    provider_ = make({});
  }
  std::unique_ptr<Provider> make(Provider::Options options) {
    if (options.issuer.empty()) {
      options.issuer = kIssuer;
    }
    options.clock = [this] {
      return std::chrono::steady_clock::time_point(seconds(1'000'000 + elapsed_.load()));
    };
    return must(Provider::create(http_, std::move(options)));
  }
  Result<Claims> verify(const Signer& signer) {
    return provider_->verify(signer.token(good_claims()), rules(), kNow);
  }
  void pass(seconds time) { elapsed_ += time.count(); }

  FakeHttp http_;
  std::atomic<std::int64_t> elapsed_ = 0;
  std::unique_ptr<Provider> provider_;
  const Signer next_{"EdDSA", "next"};
  const Signer impostor_{"EdDSA", "unknown"};
};

TEST_F(ProviderTest, FetchesOnceForManyTokens) {
  EXPECT_EQ(http_.attempts(), 0);
  for (int i = 0; i < 10; ++i) {
    const auto claims = verify(eddsa());
    ASSERT_TRUE(is_ok(claims));
    EXPECT_EQ(claims->voter, "alice");
  }
  EXPECT_EQ(must(provider_->metadata()).token_endpoint, "https://id.example/token");
  EXPECT_EQ(http_.attempts(), 1);
  EXPECT_EQ(http_.key_fetches(), 1);
}

TEST_F(ProviderTest, FollowsARotation) {
  ASSERT_TRUE(is_ok(verify(eddsa())));
  pass(seconds(31));
  http_.publish({&next_});
  EXPECT_TRUE(is_ok(verify(eddsa())));  // what is known does for its lifetime
  EXPECT_EQ(http_.key_fetches(), 1);
  EXPECT_TRUE(is_ok(verify(next_)));
  EXPECT_EQ(http_.key_fetches(), 2);
  EXPECT_TRUE(fails_with(Errc::rejected, verify(eddsa())));  // no longer published
}

TEST_F(ProviderTest, ForgetsAWithdrawnKeyAfterItsLifetime) {
  ASSERT_TRUE(is_ok(verify(eddsa())));
  http_.publish({&next_});
  pass(seconds(599));
  EXPECT_TRUE(is_ok(verify(eddsa())));
  pass(seconds(1));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(eddsa())));
  EXPECT_EQ(http_.key_fetches(), 2);
}

TEST_F(ProviderTest, FloodOfUnknownKeysIsNoFloodOfFetches) {
  ASSERT_TRUE(is_ok(verify(eddsa())));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(fails_with(Errc::rejected, verify(impostor_)));
  }
  EXPECT_EQ(http_.key_fetches(), 1);
  pass(seconds(30));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(fails_with(Errc::rejected, verify(impostor_)));
  }
  EXPECT_EQ(http_.key_fetches(), 2);
  EXPECT_TRUE(is_ok(verify(eddsa())));
}

TEST_F(ProviderTest, FloodWhileTheProviderIsDownIsNoFloodEither) {
  http_.go_down();
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(fails_with(Errc::environment, verify(eddsa())));
  }
  EXPECT_EQ(http_.attempts(), 1);
}

TEST_F(ProviderTest, KeepsItsKeysWhileTheProviderIsDown) {
  ASSERT_TRUE(is_ok(verify(eddsa())));
  http_.go_down();
  pass(seconds(700));
  EXPECT_TRUE(is_ok(verify(eddsa())));
  EXPECT_TRUE(is_ok(provider_->metadata()));
  EXPECT_TRUE(is_ok(verify(eddsa())));
  EXPECT_EQ(http_.attempts(), 2);
  // Whether a key is new cannot be told now.
  EXPECT_TRUE(fails_with(Errc::environment, verify(next_)));
  pass(seconds(24 * 3600 - 701));
  EXPECT_TRUE(is_ok(verify(eddsa())));
  pass(seconds(1));
  const auto stale = verify(eddsa());
  ASSERT_TRUE(fails_with(Errc::environment, stale));
  EXPECT_TRUE(stale.error().message.contains("https://id.example"));
  EXPECT_TRUE(fails_with(Errc::environment, provider_->metadata()));
  // It comes back.
  http_.publish({&next_});
  pass(seconds(30));
  EXPECT_TRUE(is_ok(verify(next_)));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(eddsa())));
}

TEST_F(ProviderTest, KeepsItsKeysWhenTheProviderPublishesNonsense) {
  ASSERT_TRUE(is_ok(verify(eddsa())));
  for (const std::string& keys : {std::string("<html>"), std::string(R"({"keys":[]})"),
                                  json{{"keys", json::array({{{"kty", "oct"}}})}}.dump()}) {
    http_.set(kKeysUrl, keys);
    pass(seconds(600));
    EXPECT_TRUE(is_ok(verify(eddsa())));
  }
  EXPECT_EQ(http_.key_fetches(), 4);
}

TEST_F(ProviderTest, RefusesGarbageWithoutFetching) {
  EXPECT_TRUE(fails_with(Errc::malformed, provider_->verify("garbage", rules(), kNow)));
  EXPECT_TRUE(fails_with(Errc::malformed, provider_->verify("", rules(), kNow)));
  EXPECT_TRUE(
      fails_with(Errc::rejected, provider_->verify("eyJhbGciOiJub25lIn0.e30.", rules(), kNow)));
  EXPECT_EQ(http_.attempts(), 0);
}

TEST_F(ProviderTest, RefusesRulesForAnotherIssuer) {
  TokenRules other = rules();
  other.issuer = "https://other.example";
  EXPECT_TRUE(
      fails_with(Errc::misuse, provider_->verify(eddsa().token(good_claims()), other, kNow)));
}

TEST_F(ProviderTest, TakesNoDocumentButItsOwn) {
  const auto refused = [&](const std::string& document) {
    http_.set(kDiscoveryUrl, document);
    provider_ = make({});
    return !fails_with(Errc::environment, verify(eddsa()))
               ? testing::AssertionFailure() << document
               : fails_with(Errc::environment, provider_->metadata());
  };
  const auto with = [](const char* name, const json& value) {
    json document = discovery();
    document[name] = value;
    return document.dump();
  };
  const auto without = [](const char* name) {
    json document = discovery();
    document.erase(name);
    return document.dump();
  };
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("[]"));
  EXPECT_TRUE(refused("<html>"));
  EXPECT_TRUE(refused(R"({"issuer":"https://evil.example",)" + discovery().dump().substr(1)));
  for (const char* issuer :
       {"https://id.example/", "https://ID.EXAMPLE", "http://id.example", "https://evil.example"}) {
    EXPECT_TRUE(refused(with("issuer", issuer)));
  }
  for (const char* name : {"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"}) {
    EXPECT_TRUE(refused(without(name)));
    EXPECT_TRUE(refused(with(name, 1)));
    EXPECT_TRUE(refused(with(name, "http://id.example/x")));
    EXPECT_TRUE(refused(with(name, "http://127.0.0.1/x")));  // the issuer is not on loopback
    EXPECT_TRUE(refused(with(name, "file:///etc/passwd")));
    EXPECT_TRUE(refused(with(name, "https://")));
    EXPECT_TRUE(refused(with(name, "https://user@id.example/x")));
    EXPECT_TRUE(refused(with(name, "https://id.example/x#y")));
    EXPECT_TRUE(refused(with(name, "https://id.example/\"; rm -rf ~")));
    EXPECT_TRUE(refused(with(name, "https://id.example/\n")));
    EXPECT_TRUE(refused(with(name, "https://id.example/" + std::string(3000, 'x'))));
  }
  EXPECT_TRUE(refused(with("code_challenge_methods_supported", json::array({"plain"}))));
  EXPECT_TRUE(refused(with("padding", std::string(300 * 1024, 'x'))));
  http_.set(kDiscoveryUrl, discovery().dump(), 500);
  provider_ = make({});
  EXPECT_TRUE(fails_with(Errc::environment, verify(eddsa())));
  http_.set(kDiscoveryUrl, with("code_challenge_methods_supported", json::array({"S256"})));
  provider_ = make({});
  EXPECT_TRUE(is_ok(verify(eddsa())));
}

TEST_F(ProviderTest, TakesIssuersThatAreHttpsOrOnLoopback) {
  for (const char* issuer :
       {"", "id.example", "http://id.example", "ftp://id.example", "https://", "https://:443",
        "https:///path", "https://id.example?x", "https://id.example#x", "https://u@id.example",
        "https://id.example/\x1b", "http://127.0.0.1.evil.example", "http://127.0.0.1:80@evil",
        "http://localhost.evil.example", "http://[::1].evil", "http://127.1", "http://",
        "HTTPS://id.example", "http://127.0.0.1:"}) {
    EXPECT_TRUE(fails_with(Errc::malformed, Provider::create(http_, {.issuer = issuer}))) << issuer;
  }
  for (const char* issuer :
       {"https://id.example", "https://id.example/realms/x", "https://id.example:8443/",
        "http://127.0.0.1:3000", "http://localhost:3000/oidc", "http://[::1]:3000", "http://[::1]",
        "http://127.0.0.1", "http://127.0.0.2"}) {
    EXPECT_TRUE(is_ok(Provider::create(http_, {.issuer = issuer}))) << issuer;
  }
}

TEST_F(ProviderTest, FindsTheDocumentBelowThePathOfTheIssuer) {
  for (const char* issuer : {"http://127.0.0.1:3000/realms/x", "http://127.0.0.1:3000/realms/y/"}) {
    std::string base = issuer;
    if (base.ends_with('/')) {
      base.pop_back();
    }
    json document = discovery(issuer);
    document["jwks_uri"] = "http://127.0.0.1:3000/keys";
    http_.set(base + "/.well-known/openid-configuration", document.dump());
    http_.set("http://127.0.0.1:3000/keys", key_set({&eddsa()}).dump());
    const auto provider = make({.issuer = issuer});
    json claims = good_claims();
    claims["iss"] = issuer;
    TokenRules by = rules();
    by.issuer = issuer;
    EXPECT_TRUE(is_ok(provider->verify(eddsa().token(claims), by, kNow)));
  }
}

// While one fetches, those that can do without go on, the others wait for it.
TEST_F(ProviderTest, OneThreadFetches) {
  ASSERT_TRUE(is_ok(verify(eddsa())));
  pass(seconds(31));
  std::mutex mutex;
  std::condition_variable changed;
  bool is_asked = false;
  bool may_answer = false;
  http_.publish({&eddsa(), &next_});
  http_.set(kKeysUrl, [&](const network::HttpRequest&) -> Result<network::HttpResponse> {
    std::unique_lock lock(mutex);
    is_asked = true;
    changed.notify_all();
    changed.wait(lock, [&] { return may_answer; });
    return FakeHttp::response(key_set({&eddsa(), &next_}).dump());
  });
  provider_ = make({.issuer = std::string(kIssuer), .max_wait = std::chrono::minutes(2)});
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  const auto work = [&] {
    if (verify(next_).has_value()) {
      ++good;
    }
  };
  threads.emplace_back(work);
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return is_asked; });
  }
  for (int i = 0; i < 7; ++i) {
    threads.emplace_back(work);
  }
  {
    const std::scoped_lock lock(mutex);
    may_answer = true;
  }
  changed.notify_all();
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(good, 8);
  EXPECT_EQ(http_.key_fetches(), 2);
}

TEST_F(ProviderTest, KnownKeysDoNotWaitForAFetch) {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_asked = false;
  bool may_answer = false;
  provider_ = make({.issuer = std::string(kIssuer), .max_wait = std::chrono::milliseconds(1)});
  ASSERT_TRUE(is_ok(verify(eddsa())));
  pass(seconds(31));
  http_.set(kKeysUrl, [&](const network::HttpRequest&) -> Result<network::HttpResponse> {
    std::unique_lock lock(mutex);
    is_asked = true;
    changed.notify_all();
    changed.wait(lock, [&] { return may_answer; });
    return fail(Errc::environment, "timeout");
  });
  std::thread fetcher([&] { EXPECT_TRUE(fails_with(Errc::environment, verify(next_))); });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return is_asked; });
  }
  EXPECT_TRUE(is_ok(verify(eddsa())));
  pass(seconds(3600));  // past their lifetime
  EXPECT_TRUE(is_ok(verify(eddsa())));
  // Does not wait for ever either.
  EXPECT_TRUE(fails_with(Errc::environment, verify(next_)));
  {
    const std::scoped_lock lock(mutex);
    may_answer = true;
  }
  changed.notify_all();
  fetcher.join();
  EXPECT_EQ(http_.key_fetches(), 2);
}

}  // namespace
}  // namespace psephos::sign_in
