// Who is signed for: tokens of an identity provider that is no process, against registrars with the
// sign-in of the configurations in deploy/.
#include "src/server/registrar_service.h"

#include <unistd.h>

#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/log_writer.h"
#include "psephos/sign_in/authorization.h"

#include "tests/record/forge.h"
#include "tests/sign_in/support.h"

namespace psephos::server {
namespace {

namespace fs = std::filesystem;
using protocol::EnrolmentRequest;
using protocol::Manifest;
using sign_in::json;
using sign_in::kNow;
using sign_in::seconds_of;
using test::value;
using Reason = EnrolmentRefused::Reason;

constexpr std::size_t kMaxFile = std::size_t{1} << 20;
constexpr std::string_view kRedirect = "http://127.0.0.1:49152/callback";

class Silent final : public RegistrarObserver {
 public:
  void on_issuance(Outcome /*outcome*/, double /*seconds*/) override {}
  void on_registrar_store(const Error* /*error*/) override {}
  void on_registrar_export(const Error* /*error*/) override {}
};

// What the configurations for a role in deploy/ say of the sign-in.
OidcConfig shipped(const std::string& role) {
  const auto config =
      read_config(Path(PSEPHOS_SOURCE_DIR "/deploy/config") / (role + ".toml"), {}, std::nullopt);
  return config.value().elections.at(0).registrars.at(0).oidc.value();
}

class RegistrarServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "registrar.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    runtime::DirectoryRecord record(directory_ / "record");
    for (const auto& [path, content] : forge_.publish()) {
      ASSERT_TRUE(record.write(path, content).has_value());
    }
    record_ = value(ElectionRecord::open(directory_ / "record", forge_.evaluator));
  }
  void TearDown() override {
    registrars_.clear();
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }

  // All registrars, with this sign-in, and a voter on their rolls.
  void start(const OidcConfig& oidc, const std::string& voter) {
    oidc_ = oidc;
    http_.set(oidc.issuer + "/.well-known/openid-configuration",
              sign_in::discovery(oidc.issuer).dump());
    http_.set(oidc.issuer + "/jwks", sign_in::key_set({&sign_in::es256()}).dump());
    for (std::uint32_t r = 0; r < forge_.registrars.size(); ++r) {
      registrars_.push_back(value(RegistrarService::open(
          {.store = directory_ / (std::to_string(r) + ".sqlite"), .now = [] { return kNow; }},
          record_, value(protocol::Registrar::load(value(forge_.registrars[r].save()))),
          RegistrarService::SignIn{.provider = provider(), .rules = token_rules(oidc)},
          observer_)));
      registrars_[r]->start();
      const std::string roll = "voter,style\n" + voter + "," + forge_.manifest->styles[0].id + "\n";
      admit(
          *registrars_[r],
          value(registrars_[r]->import_roll(Bytes(as_bytes(roll).begin(), as_bytes(roll).end()))));
    }
  }
  // The authority adds the roll's message to the main log.
  void admit(RegistrarService& registrar, const Bytes& message) {
    test::MemoryStore copy;
    const runtime::DirectoryRecord record(directory_ / "record");
    for (const std::string& path : value(record.list())) {
      if (path.starts_with("main/")) {
        ASSERT_TRUE(copy.write(path, value(record.read(path, kMaxFile))).has_value());
      }
    }
    auto writer = value(protocol::LogWriter::open(
        copy, Manifest::main_log(), value(forge_.authority->main_log_signer(*forge_.manifest))));
    const std::uint64_t index = value(writer.append(message));
    const std::string checkpoint = value(writer.publish());
    const auto reader = value(protocol::LogReader::open(
        copy, Manifest::main_log(), forge_.manifest->log_origin(Manifest::main_log())));
    const Bytes entry = value(reader.entry(index));
    EXPECT_EQ(value(record_->extend(index, std::span(&entry, 1), checkpoint)), 1U);
    ASSERT_TRUE(registrar.follow(*record_->main_log()).has_value());
  }

  std::unique_ptr<sign_in::Provider> provider() {
    return value(sign_in::Provider::create(http_, {.issuer = oidc_.issuer}));
  }
  protocol::Wallet wallet() {
    return value(protocol::Wallet::create(*forge_.election, 0, forge_.random));
  }
  EnrolmentRequest request(protocol::Wallet& wallet, std::uint32_t registrar) {
    return value(wallet.request(*forge_.election, registrar, "", "", forge_.random));
  }

  [[nodiscard]] json claims(std::string_view voter, std::string_view audience) const {
    return {{"iss", oidc_.issuer},
            {oidc_.claim, voter},
            {"aud", audience},
            {"iat", seconds_of(kNow) - 10},
            {"exp", seconds_of(kNow) + 300}};
  }
  static std::string access_token(const json& claims) {
    json header = sign_in::es256().header();
    header["typ"] = "at+jwt";
    return sign_in::es256().token_of(header.dump(), claims.dump());
  }
  // What a wallet sends that does as the registrar says (GET …/registrars/N).
  std::string bearer(std::string_view voter, const std::string& nonce) {
    const auto issuer = provider();
    const sign_in::Client client{
        .client_id = oidc_.client_id, .scope = oidc_.scope, .resource = oidc_.resource};
    const auto attempt = value(sign_in::Authorization::begin(
        value(issuer->metadata()), client, std::string(kRedirect), nonce, forge_.random));
    json identity = claims(voter, oidc_.client_id);
    identity["nonce"] = nonce;
    http_.set(oidc_.issuer + "/token",
              json{{"token_type", "Bearer"},
                   {"access_token", access_token(claims(voter, oidc_.resource))},
                   {"id_token", sign_in::es256().token(identity)}}
                  .dump());
    const std::size_t state = attempt.url().find("state=");
    const std::string query =
        "code=x&" + attempt.url().substr(state, attempt.url().find('&', state) - state);
    return std::string(as_text(value(attempt.finish(query, *issuer, http_, kNow)).expose_secret()));
  }

  EnrolmentAnswer ask(const EnrolmentRequest& request, std::optional<std::string> bearer) {
    std::promise<EnrolmentAnswer> answered;
    registrars_[request.registrar]->submit(
        request.encode(), std::move(bearer),
        [&](EnrolmentAnswer answer) { answered.set_value(std::move(answer)); });
    return answered.get_future().get();
  }
  bool refuses(Reason reason, const EnrolmentRequest& request,
               const std::optional<std::string>& bearer) {
    const EnrolmentAnswer answer = ask(request, bearer);
    const auto* refused = std::get_if<EnrolmentRefused>(&answer);
    return refused != nullptr && refused->reason == reason;
  }

  test::Forge forge_{test::small_manifest()};
  sign_in::FakeHttp http_;
  Silent observer_;
  OidcConfig oidc_;
  fs::path directory_;
  std::shared_ptr<ElectionRecord> record_;
  std::vector<std::unique_ptr<RegistrarService>> registrars_;
};

class ShippedSignIn : public RegistrarServiceTest,
                      public testing::WithParamInterface<const char*> {};

TEST_P(ShippedSignIn, SignsForTheVoterWhoSignedInForThis) {
  start(shipped(GetParam()), "alice");
  ASSERT_TRUE(oidc_.resource.empty());
  protocol::Wallet mine = wallet();
  for (std::uint32_t r = 0; r < registrars_.size(); ++r) {
    const EnrolmentRequest asked = request(mine, r);
    const EnrolmentAnswer first = ask(asked, bearer("alice", asked.sign_in_nonce()));
    ASSERT_TRUE(std::holds_alternative<Enrolled>(first));
    // The answer was lost: the voter signs in again, for the same request.
    const EnrolmentAnswer second = ask(asked, bearer("alice", asked.sign_in_nonce()));
    ASSERT_TRUE(std::holds_alternative<Enrolled>(second));
    EXPECT_EQ(std::get<Enrolled>(first).response, std::get<Enrolled>(second).response);
    EXPECT_TRUE(
        mine.receive(*forge_.election, value(protocol::EnrolmentResponse::decode(
                                           std::get<Enrolled>(first).response, *forge_.manifest)))
            .has_value());
  }
  EXPECT_TRUE(mine.missing(*forge_.election).empty());
}

// Registrar 0 wants the whole credential for a key of its own.
TEST_P(ShippedSignIn, RefusesTheTokenThatAnotherRegistrarGot) {
  start(shipped(GetParam()), "alice");
  protocol::Wallet mine = wallet();
  protocol::Wallet its = wallet();
  const std::string shown = bearer("alice", request(mine, 0).sign_in_nonce());
  EXPECT_TRUE(refuses(Reason::not_identified, request(its, 1), shown));
  EXPECT_TRUE(refuses(Reason::not_identified, request(mine, 1), shown));
  // Nor is it good for another message at the registrar it was made for.
  EXPECT_TRUE(refuses(Reason::not_identified, request(its, 0), shown));
  EXPECT_TRUE(std::holds_alternative<Enrolled>(ask(request(mine, 0), shown)));
}

TEST_P(ShippedSignIn, RefusesTokensOfNoSignInForThis) {
  start(shipped(GetParam()), "alice");
  protocol::Wallet mine = wallet();
  const EnrolmentRequest asked = request(mine, 0);
  json identity = claims("alice", oidc_.client_id);
  EXPECT_TRUE(refuses(Reason::not_identified, asked, sign_in::es256().token(identity)));
  identity["nonce"] = "";
  EXPECT_TRUE(refuses(Reason::not_identified, asked, sign_in::es256().token(identity)));
  identity["nonce"] = asked.sign_in_nonce();
  EXPECT_TRUE(refuses(Reason::not_identified, asked, access_token(identity)));
  EXPECT_TRUE(refuses(Reason::not_admitted, asked, bearer("bob", asked.sign_in_nonce())));
  identity["aud"] = "another-program";
  EXPECT_TRUE(refuses(Reason::not_identified, asked, sign_in::es256().token(identity)));
}

INSTANTIATE_TEST_SUITE_P(Deploy, ShippedSignIn, testing::Values("all", "registrar"),
                         [](const auto& role) { return std::string(role.param); });

TEST_F(RegistrarServiceTest, TakesAccessTokensForItsResourceAlone) {
  OidcConfig oidc = shipped("registrar");
  oidc.resource = "https://registrar.example";
  start(oidc, "alice");
  protocol::Wallet mine = wallet();
  const EnrolmentRequest asked = request(mine, 0);
  json identity = claims("alice", oidc.client_id);
  identity["nonce"] = asked.sign_in_nonce();
  EXPECT_TRUE(refuses(Reason::not_identified, asked, sign_in::es256().token(identity)));
  EXPECT_TRUE(refuses(Reason::not_identified, asked,
                      access_token(claims("alice", "https://other.example"))));
  EXPECT_TRUE(refuses(Reason::not_identified, asked,
                      sign_in::es256().token(claims("alice", oidc.resource))));
  EXPECT_TRUE(std::holds_alternative<Enrolled>(ask(asked, bearer("alice", asked.sign_in_nonce()))));
}

}  // namespace
}  // namespace psephos::server
