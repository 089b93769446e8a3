#include "psephos/sign_in/authorization.h"

#include <set>

#include "psephos/crypto/hash.h"

#include "src/sign_in/url.h"
#include "tests/sign_in/support.h"
#include "tests/support/seeded_random.h"

namespace psephos::sign_in {
namespace {

constexpr std::string_view kRedirect = "http://127.0.0.1:49152/callback";
constexpr std::string_view kResource = "https://registrar.example";
const std::string kTokenUrl = std::string(kIssuer) + "/token";

using Parameters = std::map<std::string, std::string>;

Parameters parameters_of(std::string_view url) {
  return must(parse_query(url.substr(url.find('?') + 1)));
}

class AuthorizationTest : public testing::Test {
 protected:
  AuthorizationTest() {
    http_.publish({&es256()});
    provider_ = must(Provider::create(http_, {.issuer = std::string(kIssuer)}));
  }
  Authorization begin(Client by = client()) {
    return must(Authorization::begin(must(provider_->metadata()), std::move(by),
                                     std::string(kRedirect), std::string(kNonce), random_));
  }
  static std::string good_query(const Authorization& attempt) {
    return "code=SplxlOBeZQQYbYS6WxSbIA&state=" + parameters_of(attempt.url())["state"];
  }
  // Answers the token request and remembers it.
  void answer(const json& body, unsigned status = 200) {
    http_.set(kTokenUrl, [this, body, status](const network::HttpRequest& request) {
      asked_ = request;
      return FakeHttp::response(body.dump(), status);
    });
  }
  Result<SecretBuffer> finish(const Authorization& attempt) {
    return attempt.finish(good_query(attempt), *provider_, http_, kNow);
  }

  test::SeededRandom random_;
  FakeHttp http_;
  std::unique_ptr<Provider> provider_;
  network::HttpRequest asked_;
};

std::string text(const SecretBuffer& secret) {
  return std::string(as_text(secret.expose_secret()));
}

TEST_F(AuthorizationTest, AsksForACodeWithPkce) {
  const Authorization attempt = begin();
  EXPECT_TRUE(attempt.url().starts_with("https://id.example/auth?response_type=code&"));
  const Parameters asked = parameters_of(attempt.url());
  EXPECT_EQ(asked.at("client_id"), kClient);
  EXPECT_EQ(asked.at("redirect_uri"), kRedirect);
  EXPECT_EQ(asked.at("scope"), "openid");
  EXPECT_EQ(asked.at("code_challenge_method"), "S256");
  EXPECT_EQ(asked.at("code_challenge").size(), 43U);
  EXPECT_EQ(asked.at("state").size(), 43U);
  EXPECT_EQ(asked.at("nonce"), kNonce);
  EXPECT_FALSE(asked.contains("resource"));
  EXPECT_FALSE(attempt.url().contains(' '));
  const Authorization for_resource =
      begin({.client_id = "a b&c=d", .scope = "openid email", .resource = std::string(kResource)});
  const Parameters more = parameters_of(for_resource.url());
  EXPECT_EQ(more.at("client_id"), "a b&c=d");
  EXPECT_EQ(more.at("scope"), "openid email");
  EXPECT_EQ(more.at("resource"), kResource);
}

TEST_F(AuthorizationTest, DrawsEverythingAnew) {
  std::set<std::string> seen;
  for (int i = 0; i < 3; ++i) {
    const Parameters asked = parameters_of(begin().url());
    for (const char* name : {"state", "code_challenge"}) {
      EXPECT_TRUE(seen.insert(asked.at(name)).second);
    }
  }
}

TEST_F(AuthorizationTest, KeepsTheQueryOfTheEndpoint) {
  ProviderMetadata metadata = must(provider_->metadata());
  metadata.authorization_endpoint += "?policy=x";
  const Authorization attempt =
      must(Authorization::begin(metadata, client("c"), std::string(kRedirect), "n", random_));
  EXPECT_TRUE(attempt.url().starts_with("https://id.example/auth?policy=x&response_type=code&"));
}

TEST_F(AuthorizationTest, RefusesToBeginWrongly) {
  const ProviderMetadata metadata = must(provider_->metadata());
  const auto refused = [&](Client by, std::string redirect) {
    return fails_with(Errc::misuse, Authorization::begin(metadata, std::move(by),
                                                         std::move(redirect), "n", random_));
  };
  EXPECT_TRUE(refused(client(""), std::string(kRedirect)));
  EXPECT_TRUE(refused({.client_id = "c", .scope = "", .resource = ""}, std::string(kRedirect)));
  EXPECT_TRUE(refused({.client_id = "c", .scope = "openid2 email", .resource = ""},
                      std::string(kRedirect)));
  EXPECT_TRUE(refused(client("c"), "https://example.org/callback"));
  EXPECT_TRUE(refused(client("c"), "http://127.0.0.1.example.org/"));
  EXPECT_TRUE(fails_with(Errc::misuse, Authorization::begin(metadata, client("c"),
                                                            std::string(kRedirect), "", random_)));
}

TEST_F(AuthorizationTest, ExchangesTheCodeForAnIdToken) {
  const Authorization attempt = begin();
  const std::string token = es256().token(good_claims());
  answer({{"access_token", "opaque"}, {"token_type", "Bearer"}, {"id_token", token}});
  const auto bearer = finish(attempt);
  ASSERT_TRUE(is_ok(bearer));
  EXPECT_EQ(text(*bearer), token);
  EXPECT_EQ(asked_.method, "POST");
  const Parameters form = must(parse_query(as_text(asked_.body)));
  EXPECT_EQ(form.at("grant_type"), "authorization_code");
  EXPECT_EQ(form.at("code"), "SplxlOBeZQQYbYS6WxSbIA");
  EXPECT_EQ(form.at("redirect_uri"), kRedirect);
  EXPECT_EQ(form.at("client_id"), kClient);
  EXPECT_EQ(form.at("code_verifier").size(), 43U);
  EXPECT_EQ(base64url(crypto::sha256({as_bytes(form.at("code_verifier"))})),
            parameters_of(attempt.url()).at("code_challenge"));
  EXPECT_FALSE(attempt.url().contains(form.at("code_verifier")));
}

TEST_F(AuthorizationTest, ExchangesTheCodeForAnAccessToken) {
  const Authorization attempt = begin(client(std::string(kClient), std::string(kResource)));
  json tokens = {{"access_token", "abc.def-_~+/=="},
                 {"token_type", "bEaReR"},
                 {"id_token", es256().token(good_claims())}};
  answer(tokens);
  EXPECT_EQ(text(must(finish(attempt))), "abc.def-_~+/==");
  EXPECT_EQ(must(parse_query(as_text(asked_.body))).at("resource"), kResource);
  // The ID token beside it is checked, and must be there.
  for (const auto& [claim, value] : {std::pair("nonce", "other"), std::pair("aud", "other"),
                                     std::pair("iss", "https://o.example")}) {
    json claims = good_claims();
    claims[claim] = value;
    tokens["id_token"] = es256().token(claims);
    answer(tokens);
    EXPECT_TRUE(fails_with(Errc::rejected, finish(attempt))) << claim;
  }
  tokens.erase("id_token");
  answer(tokens);
  EXPECT_TRUE(fails_with(Errc::malformed, finish(attempt)));
}

TEST_F(AuthorizationTest, RefusesTheAnswerToAnotherAttempt) {
  const Authorization attempt = begin();
  const std::string state = parameters_of(attempt.url())["state"];
  const std::string other = parameters_of(begin().url())["state"];
  EXPECT_TRUE(is_ok(attempt.code("code=x&state=" + state)));
  EXPECT_TRUE(attempt.is_answer("code=x&state=" + state));
  EXPECT_TRUE(attempt.is_answer("error=access_denied&state=" + state));
  for (const std::string& query :
       {std::string(), std::string("code=x"), "code=x&state=" + other, std::string("code=x&state="),
        "code=x&state=" + state.substr(1), "code=x&state=" + state + "A",
        "error=access_denied&state=" + other, std::string("error=access_denied")}) {
    EXPECT_FALSE(attempt.is_answer(query)) << query;
    EXPECT_TRUE(fails_with(Errc::rejected, attempt.code(query))) << query;
    EXPECT_TRUE(fails_with(Errc::rejected, attempt.finish(query, *provider_, http_, kNow)));
  }
  EXPECT_EQ(http_.count(kTokenUrl), 0);
}

TEST_F(AuthorizationTest, RefusesRedirectsThatAreNotClear) {
  const Authorization attempt = begin();
  const std::string state = "state=" + parameters_of(attempt.url())["state"];
  for (const std::string& query :
       {state, state + "&code=", state + "&code=x&code=y", state + "&" + state + "&code=x",
        state + "&code=%", state + "&code=%4", state + "&code=%zz", state + "&code=%0a",
        state + "&code=%c3%bc", state + "&code=" + std::string(5000, 'x'),
        state + "&code=x&y=" + std::string(20000, 'x')}) {
    EXPECT_TRUE(fails_with(Errc::malformed, attempt.code(query))) << query;
  }
  EXPECT_EQ(text(must(attempt.code("code=a%2Bb+c&" + state))), "a+b c");
}

TEST_F(AuthorizationTest, ShowsWhyTheProviderRefuses) {
  const Authorization attempt = begin();
  const std::string state = "&state=" + parameters_of(attempt.url())["state"];
  const auto refused =
      attempt.code("error=access_denied&error_description=not+today%1b[2J" + state);
  ASSERT_TRUE(fails_with(Errc::rejected, refused));
  EXPECT_TRUE(refused.error().message.contains("access_denied"));
  EXPECT_TRUE(refused.error().message.contains("not today"));
  EXPECT_FALSE(has_control(refused.error().message));
  EXPECT_TRUE(fails_with(Errc::rejected, attempt.code("error=&code=x" + state)));
  answer({{"error", "invalid_grant"}, {"error_description", "code used"}}, 400);
  const auto late = finish(attempt);
  ASSERT_TRUE(fails_with(Errc::rejected, late));
  EXPECT_TRUE(late.error().message.contains("code used"));
  answer(json::array(), 503);
  EXPECT_TRUE(fails_with(Errc::environment, finish(attempt)));
  http_.remove(kTokenUrl);
  EXPECT_TRUE(fails_with(Errc::environment, finish(attempt)));
}

TEST_F(AuthorizationTest, RefusesTheAnswerOfAnotherProvider) {
  const Authorization attempt = begin();
  const std::string good = good_query(attempt);
  EXPECT_TRUE(is_ok(attempt.code(good + "&iss=https%3A%2F%2Fid.example")));
  EXPECT_TRUE(fails_with(Errc::rejected, attempt.code(good + "&iss=https%3A%2F%2Fevil.example")));
  EXPECT_TRUE(fails_with(Errc::rejected, attempt.code(good + "&iss=")));
  json document = discovery();
  document["authorization_response_iss_parameter_supported"] = true;
  const Authorization strict = must(
      Authorization::begin(must(ProviderMetadata::parse(document.dump(), std::string(kIssuer))),
                           client("c"), std::string(kRedirect), "n", random_));
  EXPECT_TRUE(fails_with(Errc::rejected, strict.code(good_query(strict))));
  EXPECT_TRUE(is_ok(strict.code(good_query(strict) + "&iss=https%3A%2F%2Fid.example")));
  const auto other = must(Provider::create(http_, {.issuer = "https://other.example"}));
  EXPECT_TRUE(fails_with(Errc::misuse, attempt.finish(good, *other, http_, kNow)));
}

TEST_F(AuthorizationTest, ChecksTheIdToken) {
  const Authorization attempt = begin();
  const auto with = [&](const char* claim, const json& value) {
    json claims = good_claims();
    claims[claim] = value;
    answer({{"access_token", "a"}, {"token_type", "Bearer"}, {"id_token", es256().token(claims)}});
    return finish(attempt);
  };
  EXPECT_TRUE(is_ok(with("x", 1)));
  EXPECT_TRUE(fails_with(Errc::rejected, with("nonce", "other")));
  EXPECT_TRUE(fails_with(Errc::rejected, with("nonce", nullptr)));
  EXPECT_TRUE(fails_with(Errc::rejected, with("aud", "other")));
  EXPECT_TRUE(fails_with(Errc::rejected, with("iss", "https://other.example")));
  EXPECT_TRUE(fails_with(Errc::rejected, with("exp", 1)));
  const Signer impostor("ES256", "ec");
  answer({{"access_token", "a"},
          {"token_type", "Bearer"},
          {"id_token", impostor.token(good_claims())}});
  EXPECT_TRUE(fails_with(Errc::rejected, finish(attempt)));
}

TEST_F(AuthorizationTest, RefusesAnswersWithoutTheToken) {
  const Authorization attempt = begin();
  for (const json& body :
       {json::object(), json::array(), json{{"access_token", "a"}, {"token_type", "Bearer"}},
        json{{"id_token", nullptr}}, json{{"id_token", 1}}}) {
    answer(body);
    EXPECT_TRUE(fails_with(Errc::malformed, finish(attempt))) << body;
  }
  const Authorization with_resource = begin(client(std::string(kClient), std::string(kResource)));
  const std::string id_token = es256().token(good_claims());
  for (const json& token : {json(""), json("a b"), json("a\r\nX: y"), json("=="), json("ü"),
                            json(nullptr), json(std::string(20000, 'a')), json("a=b")}) {
    answer({{"access_token", token}, {"token_type", "Bearer"}, {"id_token", id_token}});
    EXPECT_TRUE(fails_with(Errc::malformed, finish(with_resource))) << token;
  }
  answer({{"access_token", "a"}, {"token_type", "DPoP"}, {"id_token", id_token}});
  EXPECT_TRUE(fails_with(Errc::malformed, finish(with_resource)));
  answer({{"access_token", "a"}, {"id_token", id_token}});
  EXPECT_TRUE(fails_with(Errc::malformed, finish(with_resource)));
}

}  // namespace
}  // namespace psephos::sign_in
