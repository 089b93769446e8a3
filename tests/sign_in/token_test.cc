#include "psephos/sign_in/token.h"

#include <openssl/hmac.h>

#include "tests/sign_in/support.h"

namespace psephos::sign_in {
namespace {

TokenRules rules() {
  TokenRules rules = bearer_rules(std::string(kIssuer), client());
  rules.leeway = std::chrono::seconds(0);
  rules.nonce = kNonce;
  return rules;
}

const JwkSet& keys() {
  static const JwkSet set = must(JwkSet::parse(key_set({&rs256(), &es256(), &eddsa()}).dump()));
  return set;
}

Result<Claims> verify(std::string_view text, const TokenRules& by = rules(),
                      const JwkSet& set = keys(), std::chrono::sys_seconds now = kNow) {
  PSEPHOS_TRY(const Token token, Token::parse(text));
  return token.verify(set, by, now);
}

// A good token but for one claim.
std::string with(const char* claim, const json& value) {
  json claims = good_claims();
  claims[claim] = value;
  return eddsa().token(claims);
}
std::string without(const char* claim) {
  json claims = good_claims();
  claims.erase(claim);
  return eddsa().token(claims);
}
std::string with_header(const char* member, const json& value) {
  json header = eddsa().header();
  header[member] = value;
  return eddsa().token_of(header.dump(), good_claims().dump());
}

TEST(Token, IsVerifiedWithEachAlgorithm) {
  for (const Signer* signer : {&rs256(), &es256(), &eddsa()}) {
    const auto claims = verify(signer->token(good_claims()));
    ASSERT_TRUE(is_ok(claims));
    EXPECT_EQ(claims->voter, "alice");
    EXPECT_EQ(claims->expires, kNow + std::chrono::seconds(300));
  }
}

TEST(Token, IsRefusedWithAnyByteOfItsSignatureChanged) {
  for (const Signer* signer : {&rs256(), &es256(), &eddsa()}) {
    const std::string token = signer->token(good_claims());
    const std::size_t dot = token.rfind('.');
    const Bytes signature = must(unbase64url(token.substr(dot + 1)));
    for (std::size_t i = 0; i < signature.size(); ++i) {
      Bytes changed = signature;
      changed[i] ^= 1;
      EXPECT_TRUE(
          fails_with(Errc::rejected, verify(token.substr(0, dot + 1) + base64url(changed))));
    }
  }
}

TEST(Token, IsRefusedWithAnyCharacterChanged) {
  const std::string token = eddsa().token(good_claims());
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (const char c : {'A', '_', '.', '=', ' '}) {
      std::string changed = token;
      changed[i] = c;
      EXPECT_EQ(verify(changed).has_value(), changed == token) << changed;
    }
  }
}

TEST(Token, IsThreePartsOfBase64Url) {
  const std::string token = eddsa().token(good_claims());
  for (const std::string& text :
       {std::string(), std::string("."), std::string(".."), std::string("..."), token + ".",
        "." + token, token + ".AAAA", token.substr(0, token.rfind('.')), token + "=", token + "\n",
        " " + token, "Bearer " + token, token + "A", std::string("e30.e30.e30"),
        std::string("W10.e30.AAAA"), std::string("bnVsbA.e30.AAAA")}) {
    EXPECT_FALSE(verify(text).has_value()) << text;
  }
  std::string cut = token;
  while (!cut.empty()) {
    cut.pop_back();
    EXPECT_FALSE(verify(cut).has_value());
  }
}

TEST(Token, IsBoundedInSize) {
  json claims = good_claims();
  claims["padding"] = std::string(Token::kMaxBytes, 'x');
  EXPECT_TRUE(fails_with(Errc::malformed, verify(eddsa().token(claims))));
  claims["padding"] = std::string(Token::kMaxBytes / 2, 'x');
  EXPECT_TRUE(is_ok(verify(eddsa().token(claims))));
}

TEST(Token, IsRefusedWithoutSignature) {
  const std::string claims = base64url(as_bytes(good_claims().dump()));
  for (const char* algorithm : {"none", "None", "NONE", "nOnE", "", "HS256", "HS384", "RS512",
                                "PS256", "ES384", "ES256K", "RS1", "eddsa", "Ed25519", "rs256"}) {
    for (const char* kid : {"rsa", "ec", "ed"}) {
      const json header = {{"alg", algorithm}, {"kid", kid}};
      const std::string input = base64url(as_bytes(header.dump())) + "." + claims + ".";
      EXPECT_TRUE(fails_with(Errc::rejected, verify(input)));
      EXPECT_TRUE(fails_with(Errc::rejected, verify(input + "AAAA")));
    }
  }
  EXPECT_TRUE(fails_with(Errc::malformed,
                         verify(eddsa().token_of(R"({"kid":"ed"})", good_claims().dump()))));
  EXPECT_TRUE(fails_with(Errc::malformed, verify(with_header("alg", 1))));
  EXPECT_TRUE(fails_with(Errc::malformed, verify(with_header("alg", json::array({"EdDSA"})))));
}

// The public key as the secret of an HMAC: the confusion that pinned algorithms are for.
TEST(Token, IsRefusedWithAPublicKeyAsASharedSecret) {
  const json header = {{"alg", "HS256"}, {"kid", "rsa"}};
  const std::string input =
      base64url(as_bytes(header.dump())) + "." + base64url(as_bytes(good_claims().dump()));
  for (const std::string& secret :
       {rs256().jwk()["n"].get<std::string>(), rs256().jwk().dump(),
        std::string(as_text(must(unbase64url(rs256().jwk()["n"].get<std::string>()))))}) {
    Bytes mac(32);
    unsigned size = 32;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), as_bytes(input).data(),
         input.size(), mac.data(), &size);
    EXPECT_TRUE(fails_with(Errc::rejected, verify(input + "." + base64url(mac))));
  }
}

TEST(Token, IsRefusedUnderAKeyForAnotherAlgorithm) {
  // Each names a key of another kind; with and without saying so in alg.
  for (const Signer* signer : {&rs256(), &es256(), &eddsa()}) {
    for (const Signer* other : {&rs256(), &es256(), &eddsa()}) {
      if (signer == other) {
        continue;
      }
      json header = signer->header();
      header["kid"] = other->kid();
      EXPECT_TRUE(fails_with(Errc::rejected,
                             verify(signer->token_of(header.dump(), good_claims().dump()))));
      header["alg"] = other->algorithm();
      EXPECT_TRUE(fails_with(Errc::rejected,
                             verify(signer->token_of(header.dump(), good_claims().dump()))));
    }
  }
}

TEST(Token, IsRefusedUnderAnotherKeyOfTheAlgorithm) {
  for (const char* algorithm : {"RS256", "ES256", "EdDSA"}) {
    const Signer impostor(algorithm, algorithm == std::string("RS256")   ? "rsa"
                                     : algorithm == std::string("ES256") ? "ec"
                                                                         : "ed");
    EXPECT_TRUE(fails_with(Errc::rejected, verify(impostor.token(good_claims()))));
    json header = impostor.header();
    header["jwk"] = impostor.jwk();  // a key that comes with the token is no key of the provider
    EXPECT_TRUE(
        fails_with(Errc::rejected, verify(impostor.token_of(header.dump(), good_claims().dump()))));
  }
}

TEST(Token, MayLeaveOutTheKidOfAnOnlyKey) {
  json header = eddsa().header();
  header.erase("kid");
  const std::string token = eddsa().token_of(header.dump(), good_claims().dump());
  EXPECT_TRUE(is_ok(verify(token)));
  const Signer second("EdDSA", "ed2");
  const JwkSet two = must(JwkSet::parse(key_set({&eddsa(), &second}).dump()));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(token, rules(), two)));
  const JwkSet none = must(JwkSet::parse(key_set({&rs256()}).dump()));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(token, rules(), none)));
}

TEST(Token, HeaderIsStrict) {
  EXPECT_TRUE(fails_with(Errc::rejected, verify(with_header("crit", json::array({"b64"})))));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(with_header("crit", json::array()))));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(with_header("crit", nullptr))));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(with_header("kid", "unknown"))));
  EXPECT_TRUE(fails_with(Errc::malformed, verify(with_header("kid", 1))));
  EXPECT_TRUE(fails_with(Errc::malformed, verify(with_header("kid", std::string(300, 'k')))));
  EXPECT_TRUE(fails_with(Errc::malformed, verify(with_header("typ", 1))));
  for (const char* type : {"JWE", "", "dpop+jwt", "logout+jwt", "secevent+jwt", "at+jwt"}) {
    EXPECT_TRUE(fails_with(Errc::rejected, verify(with_header("typ", type)))) << type;
  }
  EXPECT_TRUE(is_ok(verify(with_header("typ", "jwt"))));
  EXPECT_TRUE(is_ok(verify(with_header("typ", "application/JWT"))));
  EXPECT_TRUE(is_ok(verify(with_header("x-unknown", 1))));
  const std::string claims = good_claims().dump();
  for (const char* header :
       {R"({"alg":"none","alg":"EdDSA","kid":"ed"})", R"({"alg":"EdDSA","kid":"ec","kid":"ed"})",
        R"({"alg":"EdDSA","kid":"ed"} )"
        "\xc3",
        R"([{"alg":"EdDSA"}])", R"({"alg":"EdDSA","kid":"ed",})",
        R"({"alg":"EdDSA","kid":"ed","x":{"y":1,"y":2}})"}) {
    EXPECT_TRUE(fails_with(Errc::malformed, verify(eddsa().token_of(header, claims)))) << header;
  }
}

TEST(Token, ClaimsAreStrictJson) {
  const std::string header = eddsa().header().dump();
  const std::string good = good_claims().dump();
  ASSERT_TRUE(is_ok(verify(eddsa().token_of(header, good))));
  const std::string open = good.substr(0, good.size() - 1);
  EXPECT_TRUE(is_ok(verify(eddsa().token_of(header, open + R"(,"x":1})"))));
  for (const std::string& claims :
       {std::string(), std::string("[]"), std::string("\"alice\""), open, good + good,
        open + R"(,"sub":"bob"})", open + R"(,"exp":9999999999})", open + R"(,"s\u0075b":"bob"})",
        open + R"(,"x":{"a":1,"a":1}})", open + R"(,"x":[[[[[[[[[[]]]]]]]]]]})",
        open + R"(,"x":1e999})", open + R"(,"x":NaN})", good + std::string(1, '\0')}) {
    EXPECT_TRUE(fails_with(Errc::malformed, verify(eddsa().token_of(header, claims)))) << claims;
  }
}

TEST(Token, IsOfTheIssuer) {
  for (const json& issuer :
       {json("https://id.example/"), json("https://ID.example"), json("http://id.example"),
        json(""), json(nullptr), json::array({kIssuer}), json("https://id.example.evil.example")}) {
    EXPECT_TRUE(fails_with(Errc::rejected, verify(with("iss", issuer)))) << issuer;
  }
  EXPECT_TRUE(fails_with(Errc::rejected, verify(without("iss"))));
}

TEST(Token, IsForTheAudience) {
  EXPECT_TRUE(is_ok(verify(with("aud", json::array({kClient})))));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(with("aud", "psephos-wallet2"))));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(with("aud", ""))));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(with("aud", json::array({"a", "b"})))));
  EXPECT_TRUE(fails_with(Errc::malformed, verify(with("aud", json::array()))));
  EXPECT_TRUE(fails_with(Errc::malformed, verify(with("aud", json::array({kClient, 1})))));
  EXPECT_TRUE(fails_with(Errc::malformed, verify(with("aud", json{{"psephos-wallet", 1}}))));
  EXPECT_TRUE(fails_with(Errc::malformed, verify(with("aud", nullptr))));
  EXPECT_TRUE(fails_with(Errc::malformed, verify(without("aud"))));
  EXPECT_TRUE(fails_with(Errc::malformed, verify(with("aud", std::vector<std::string>(33, "x")))));
  TokenRules nobody = rules();
  nobody.audience.clear();
  EXPECT_TRUE(fails_with(Errc::rejected, verify(with("aud", ""), nobody)));
}

TEST(Token, OfSeveralAudiencesNamesOurs) {
  json claims = good_claims();
  claims["aud"] = json::array({"other", kClient});
  EXPECT_TRUE(fails_with(Errc::rejected, verify(eddsa().token(claims))));
  claims["azp"] = kClient;
  EXPECT_TRUE(is_ok(verify(eddsa().token(claims))));
  for (const json& party : {json("other"), json(nullptr), json(1), json::array({kClient})}) {
    claims["azp"] = party;
    EXPECT_TRUE(fails_with(Errc::rejected, verify(eddsa().token(claims))));
    EXPECT_TRUE(fails_with(Errc::rejected, verify(with("azp", party))));
  }
}

TEST(Token, IsVerifiedAsAnAccessToken) {
  const TokenRules access =
      bearer_rules(std::string(kIssuer), client(std::string(kClient), "https://registrar.example"));
  EXPECT_EQ(access.kind, TokenKind::access_token);
  json claims = good_claims();
  claims["aud"] = "https://registrar.example";
  json header = eddsa().header();
  claims.erase("nonce");
  // Any other JWT of the provider might be an ID token (RFC 9068 §4).
  EXPECT_TRUE(fails_with(Errc::rejected, verify(eddsa().token(claims), access)));
  header.erase("typ");
  EXPECT_TRUE(
      fails_with(Errc::rejected, verify(eddsa().token_of(header.dump(), claims.dump()), access)));
  for (const char* type : {"application/at+jwt", "AT+JWT", "at+jwt"}) {
    header["typ"] = type;
    EXPECT_TRUE(is_ok(verify(eddsa().token_of(header.dump(), claims.dump()), access)));
  }
  const auto verify_claims = [&] {
    return verify(eddsa().token_of(header.dump(), claims.dump()), access);
  };
  claims["client_id"] = kClient;
  EXPECT_TRUE(is_ok(verify_claims()));
  claims["aud"] = json::array({"https://registrar.example", "https://id.example/userinfo"});
  EXPECT_TRUE(is_ok(verify_claims()));
  // An ID token of the same provider and client.
  EXPECT_TRUE(fails_with(Errc::rejected, verify(eddsa().token(good_claims()), access)));
  // Made for another program that the voter uses.
  claims["client_id"] = "a-game";
  EXPECT_TRUE(fails_with(Errc::rejected, verify_claims()));
  claims.erase("client_id");
  claims["azp"] = "a-game";
  EXPECT_TRUE(fails_with(Errc::rejected, verify_claims()));
  claims.erase("azp");
  EXPECT_TRUE(is_ok(verify_claims()));
  claims["aud"] = kClient;
  EXPECT_TRUE(fails_with(Errc::rejected, verify_claims()));
}

TEST(Token, ExpiresToTheSecond) {
  const std::int64_t now = seconds_of(kNow);
  TokenRules lenient = rules();
  lenient.leeway = std::chrono::seconds(60);
  EXPECT_TRUE(is_ok(verify(with("exp", now + 1))));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(with("exp", now))));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(with("exp", now - 1))));
  EXPECT_TRUE(is_ok(verify(with("exp", now - 59), lenient)));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(with("exp", now - 60), lenient)));
  EXPECT_TRUE(is_ok(verify(with("exp", static_cast<double>(now) + 1.5))));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(with("exp", static_cast<double>(now) + 0.5))));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(with("exp", 0))));
  EXPECT_TRUE(fails_with(Errc::malformed, verify(without("exp"))));
  for (const json& time : {json("9999999999"), json(nullptr), json(true), json(-1), json(1e30),
                           json(18446744073709551615U), json(-1e30)}) {
    EXPECT_TRUE(fails_with(Errc::malformed, verify(with("exp", time)))) << time;
    EXPECT_TRUE(fails_with(Errc::malformed, verify(with("nbf", time)))) << time;
    EXPECT_TRUE(fails_with(Errc::malformed, verify(with("iat", time)))) << time;
  }
}

TEST(Token, IsNotValidEarly) {
  const std::int64_t now = seconds_of(kNow);
  TokenRules lenient = rules();
  lenient.leeway = std::chrono::seconds(60);
  for (const char* claim : {"nbf", "iat"}) {
    EXPECT_TRUE(is_ok(verify(with(claim, now))));
    EXPECT_TRUE(fails_with(Errc::rejected, verify(with(claim, now + 1))));
    EXPECT_TRUE(is_ok(verify(with(claim, now + 60), lenient)));
    EXPECT_TRUE(fails_with(Errc::rejected, verify(with(claim, now + 61), lenient)));
    EXPECT_TRUE(is_ok(verify(without(claim))));
  }
}

TEST(Token, IsOfTheSignInThatAskedForIt) {
  EXPECT_TRUE(is_ok(verify(with("nonce", kNonce))));
  for (const json& nonce : {json("n-0S6_WzA2Mk"), json("n-0S6_WzA2M"), json(""), json(nullptr),
                            json(1), json::array({kNonce})}) {
    EXPECT_TRUE(fails_with(Errc::rejected, verify(with("nonce", nonce)))) << nonce;
  }
  EXPECT_TRUE(fails_with(Errc::rejected, verify(without("nonce"))));
  TokenRules careless = rules();
  careless.nonce.clear();
  EXPECT_TRUE(fails_with(Errc::rejected, verify(with("nonce", ""), careless)));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(without("nonce"), careless)));
}

TEST(Token, NamesTheVoterByTheClaimChosen) {
  TokenRules by = rules();
  by.voter_claim = "preferred_username";
  const auto claims = verify(with("preferred_username", "Zoë"), by);
  ASSERT_TRUE(is_ok(claims));
  EXPECT_EQ(claims->voter, "Zoë");
  EXPECT_TRUE(is_ok(verify(with("preferred_username", std::string(256, 'x')), by)));
  for (const json& voter : {json(""), json(nullptr), json(7), json::array({"alice"}),
                            json("alice\n"), json(std::string("ali\0ce", 6)), json("\u001b[2J"),
                            json("\u0085"), json(std::string(257, 'x'))}) {
    EXPECT_TRUE(fails_with(Errc::rejected, verify(with("preferred_username", voter), by)));
    EXPECT_TRUE(fails_with(Errc::rejected, verify(with("sub", voter))));
  }
  EXPECT_TRUE(fails_with(Errc::rejected, verify(without("sub"))));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(eddsa().token(good_claims()), by)));
}

TEST(Token, NamesTheVoterByAVerifiedAddressOnly) {
  TokenRules by = rules();
  by.voter_claim = "email";
  json claims = good_claims();
  claims["email"] = "alice@example.org";
  EXPECT_TRUE(fails_with(Errc::rejected, verify(eddsa().token(claims), by)));
  for (const json& verified : {json(false), json("true"), json(1), json(nullptr)}) {
    claims["email_verified"] = verified;
    EXPECT_TRUE(fails_with(Errc::rejected, verify(eddsa().token(claims), by)));
  }
  claims["email_verified"] = true;
  EXPECT_EQ(must(verify(eddsa().token(claims), by)).voter, "alice@example.org");
}

// What is logged of a refusal must not say who was refused.
TEST(Token, RefusalsDoNotNameTheVoter) {
  json claims = good_claims();
  claims["sub"] = "secret-voter";
  claims["exp"] = 1;
  const auto expired = verify(eddsa().token(claims));
  ASSERT_TRUE(fails_with(Errc::rejected, expired));
  EXPECT_FALSE(expired.error().message.contains("secret-voter"));
  claims = good_claims();
  claims["sub"] = "secret-voter\n";
  const auto odd = verify(eddsa().token(claims));
  ASSERT_TRUE(fails_with(Errc::rejected, odd));
  EXPECT_FALSE(odd.error().message.contains("secret-voter"));
}

}  // namespace
}  // namespace psephos::sign_in
