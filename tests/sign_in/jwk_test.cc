#include "psephos/sign_in/jwk.h"

#include "tests/sign_in/support.h"

namespace psephos::sign_in {
namespace {

using crypto::JwsAlgorithm;

JwkSet parse(const json& keys) { return must(JwkSet::parse(json{{"keys", keys}}.dump())); }

TEST(JwkSet, TakesTheThreeKindsOfKeys) {
  const JwkSet set = must(JwkSet::parse(key_set({&rs256(), &es256(), &eddsa()}).dump()));
  ASSERT_EQ(set.keys().size(), 3U);
  EXPECT_TRUE(set.left_out().empty());
  EXPECT_EQ(set.keys()[0].key.algorithm(), JwsAlgorithm::rs256);
  EXPECT_EQ(set.keys()[1].key.algorithm(), JwsAlgorithm::es256);
  EXPECT_EQ(set.keys()[2].key.algorithm(), JwsAlgorithm::eddsa);
}

TEST(JwkSet, ImpliesTheAlgorithmByTheType) {
  for (const Signer* signer : {&rs256(), &es256(), &eddsa()}) {
    json jwk = signer->jwk();
    jwk.erase("alg");
    jwk.erase("use");
    const JwkSet set = parse(json::array({jwk}));
    ASSERT_EQ(set.keys().size(), 1U);
    EXPECT_EQ(crypto::name(set.keys()[0].key.algorithm()), signer->algorithm());
  }
}

TEST(JwkSet, LeavesOutWhatItCannotUse) {
  json keys = json::array();
  const auto with = [](json jwk, const char* name, const json& value) {
    jwk[name] = value;
    return jwk;
  };
  const auto without = [](json jwk, const char* name) {
    jwk.erase(name);
    return jwk;
  };
  keys.push_back({{"kty", "oct"}, {"k", "AAAA"}, {"alg", "HS256"}});
  keys.push_back({{"kty", "EC"}, {"crv", "P-384"}, {"x", "AA"}, {"y", "AA"}});
  keys.push_back({{"kty", "OKP"}, {"crv", "X25519"}, {"x", "AA"}});
  keys.push_back(with(rs256().jwk(), "alg", "PS256"));
  keys.push_back(with(rs256().jwk(), "alg", "RS512"));
  keys.push_back(with(rs256().jwk(), "alg", "HS256"));
  keys.push_back(with(rs256().jwk(), "alg", "none"));
  keys.push_back(with(rs256().jwk(), "alg", "ES256"));
  keys.push_back(with(es256().jwk(), "alg", "RS256"));
  keys.push_back(with(eddsa().jwk(), "alg", 7));
  keys.push_back(with(rs256().jwk(), "use", "enc"));
  keys.push_back(with(rs256().jwk(), "use", nullptr));
  keys.push_back(with(rs256().jwk(), "key_ops", json::array({"sign"})));
  keys.push_back(with(rs256().jwk(), "key_ops", "verify"));
  keys.push_back(with(rs256().jwk(), "d", "AQ"));
  keys.push_back(with(es256().jwk(), "d", "AQ"));
  keys.push_back(with(rs256().jwk(), "n", "AQAB"));
  keys.push_back(with(rs256().jwk(), "n", rs256().jwk()["n"].get<std::string>() + "="));
  keys.push_back(with(rs256().jwk(), "e", "AQ"));
  keys.push_back(with(rs256().jwk(), "e", 65537));
  keys.push_back(without(rs256().jwk(), "n"));
  keys.push_back(without(rs256().jwk(), "kty"));
  keys.push_back(with(es256().jwk(), "y", es256().jwk()["x"]));
  keys.push_back(without(es256().jwk(), "crv"));
  keys.push_back(with(eddsa().jwk(), "x", base64url(Bytes(32, 0))));
  keys.push_back(with(eddsa().jwk(), "x", "!"));
  keys.push_back(with(eddsa().jwk(), "kid", 1));
  keys.push_back(with(eddsa().jwk(), "kid", std::string(257, 'k')));
  keys.push_back("no object");
  const std::size_t bad = keys.size();
  keys.push_back(with(eddsa().jwk(), "key_ops", json::array({"verify"})));
  const JwkSet set = parse(keys);
  EXPECT_EQ(set.left_out().size(), bad);
  ASSERT_EQ(set.keys().size(), 1U);
  EXPECT_EQ(set.keys()[0].kid, "ed");
}

TEST(JwkSet, RefusesWhatIsNoSet) {
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[]"), std::string("null"),
        std::string(R"({"keys":{}})"), std::string(R"({"keys":[]} x)"),
        std::string(R"({"keys":[],"keys":[]})"), std::string(R"({"keys":[{"kty":"a","kty":"b"}]})"),
        std::string("{\"keys\":[]}\0", 12), std::string("{\"keys\":[\"\xff\"]}"),
        std::string(R"({"keys":[[[[[[[[[[[[]]]]]]]]]]]]})")}) {
    EXPECT_TRUE(fails_with(Errc::malformed, JwkSet::parse(text))) << text;
  }
  EXPECT_TRUE(is_ok(JwkSet::parse(R"({"keys":[]})")));
}

TEST(JwkSet, IsBounded) {
  json keys = json::array();
  for (std::size_t i = 0; i < JwkSet::kMaxKeys; ++i) {
    keys.push_back(json::object());
  }
  EXPECT_EQ(parse(keys).left_out().size(), JwkSet::kMaxKeys);
  keys.push_back(json::object());
  EXPECT_TRUE(fails_with(Errc::malformed, JwkSet::parse(json{{"keys", keys}}.dump())));
  const std::string blank(JwkSet::kMaxBytes, ' ');
  EXPECT_TRUE(fails_with(Errc::malformed, JwkSet::parse(R"({"keys":[]})" + blank)));
}

TEST(JwkSet, RefusesAKidThatNamesTwoKeys) {
  const Signer other("EdDSA", "ed");
  EXPECT_TRUE(fails_with(Errc::malformed, JwkSet::parse(key_set({&eddsa(), &other}).dump())));
  // One kid for two algorithms is clear.
  const Signer same_kid("EdDSA", "ec");
  const JwkSet set = must(JwkSet::parse(key_set({&es256(), &same_kid}).dump()));
  EXPECT_EQ(must(set.select(JwsAlgorithm::eddsa, "ec")), &set.keys()[1]);
  EXPECT_EQ(must(set.select(JwsAlgorithm::es256, "ec")), &set.keys()[0]);
}

TEST(JwkSet, SelectsByKidAndAlgorithm) {
  const Signer second("ES256", "ec2");
  const JwkSet set = must(JwkSet::parse(key_set({&rs256(), &es256(), &second}).dump()));
  EXPECT_EQ(must(set.select(JwsAlgorithm::es256, "ec2")), &set.keys()[2]);
  EXPECT_EQ(must(set.select(JwsAlgorithm::rs256, std::nullopt)), &set.keys()[0]);
  EXPECT_EQ(must(set.select(JwsAlgorithm::eddsa, std::nullopt)), nullptr);
  EXPECT_EQ(must(set.select(JwsAlgorithm::es256, "unknown")), nullptr);
  EXPECT_EQ(must(set.select(JwsAlgorithm::es256, "")), nullptr);
  EXPECT_TRUE(fails_with(Errc::rejected, set.select(JwsAlgorithm::es256, std::nullopt)));
  EXPECT_TRUE(fails_with(Errc::rejected, set.select(JwsAlgorithm::es256, "rsa")));
}

}  // namespace
}  // namespace psephos::sign_in
