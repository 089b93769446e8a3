#include "cli/remote.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/cli/fake_service.h"
#include "tests/crypto/expect.h"

namespace psephos::cli {
namespace {

using network::HttpResponse;
using test::Asked;
using test::fails_with;
using test::FakeService;
using test::is_ok;
using test::kService;
using test::must;
using test::says;

const Digest32 kElection = [] {
  Digest32 id{};
  id.fill(0xab);
  return id;
}();

struct Fixture {
  explicit Fixture(FakeService::Answer answer, std::string url = kService)
      : service(std::move(answer)),
        server(must(Server::create(
            service, std::move(url),
            {.max_waits = 3, .longest_wait = std::chrono::seconds(20), .sleep = [this](auto time) {
               waits.push_back(time.count());
             }}))) {}
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  FakeService service;
  std::vector<std::int64_t> waits;
  Server server;
};

FakeService::Answer always(const HttpResponse& response) {
  return [response](const Asked&) -> Result<HttpResponse> { return response; };
}

std::string message_of(const auto& result) {
  return result.has_value() ? "" : result.error().message;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Server, UrlsOfServers) {
  FakeService service(always(says(200)));
  for (const std::string good : {"https://vote.example", "http://127.0.0.1:8080",
                                 "https://vote.example/psephos", "https://[::1]:8443/"}) {
    const auto server = Server::create(service, good, {});
    ASSERT_TRUE(is_ok(server)) << good;
    EXPECT_TRUE(server->url().ends_with('/'));
    EXPECT_EQ(server->record_url(kElection),
              server->url() + "v1/elections/" + hex(kElection) + "/record/");
  }
  for (const std::string bad :
       {"", "vote.example", "ftp://vote.example", "https://", "https://me@vote.example",
        "https://vote.example/?a=b", "https://vote.example/a b"}) {
    EXPECT_TRUE(fails_with(Errc::misuse, Server::create(service, bad, {}))) << bad;
  }
}

TEST(Server, SecretsTravelWithTlsOrStayOnThisMachine) {
  FakeService service(always(says(200)));
  const SecretBuffer token(as_bytes("0123456789abcdef"));
  for (const std::string good :
       {"https://vote.example", "http://127.0.0.1:8080", "http://[::1]:1", "http://localhost:80"}) {
    Server server = must(Server::create(service, good, {}));
    EXPECT_TRUE(is_ok(server.keep_private("it"))) << good;
    EXPECT_TRUE(is_ok(server.authorize(token))) << good;
  }
  for (const std::string bad :
       {"http://vote.example", "http://10.0.0.1:8080", "http://localhost.example",
        "http://127.evil.example", "http://127.0.0.1.evil.example"}) {
    Server server = must(Server::create(service, bad, {}));
    EXPECT_TRUE(fails_with(Errc::misuse, server.keep_private("it"))) << bad;
    EXPECT_TRUE(fails_with(Errc::misuse, server.authorize(token))) << bad;
    EXPECT_TRUE(fails_with(Errc::misuse, server.sign_in(kElection, 0))) << bad;
    EXPECT_TRUE(fails_with(Errc::misuse, server.enrol(kElection, 0, Bytes(3), nullptr))) << bad;
  }
  EXPECT_TRUE(service.asked.empty());
}

TEST(Server, OnlyElection) {
  const std::string id(64, 'a');
  Fixture one(always(says(200, R"([{"id":")" + id + R"(","title":"T","phase":"voting"}])")));
  EXPECT_EQ(hex(must(one.server.only_election())), id);
  EXPECT_EQ(one.service.asked.front().path, "v1/elections");
  Fixture none(always(says(200, "[]")));
  EXPECT_TRUE(fails_with(Errc::misuse, none.server.only_election()));
  Fixture two(always(says(200, R"([{"id":")" + id + R"("},{"id":")" + std::string(64, 'b') +
                                   R"(","title":"B\u001b"}])")));
  const auto several = two.server.only_election();
  EXPECT_TRUE(fails_with(Errc::misuse, several));
  EXPECT_TRUE(contains(message_of(several), std::string(64, 'b') + "  B\\x1b"));
  for (const std::string bad :
       {"", "{}", "[1]", "[{}]", R"([{"id":"xy"}])", R"([{"id":1}])", "[", "<html>"}) {
    Fixture odd(always(says(200, bad)));
    EXPECT_TRUE(fails_with(Errc::malformed, odd.server.only_election())) << bad;
  }
  Fixture missing(always(says(404, R"({"detail":"no such page"})")));
  EXPECT_TRUE(fails_with(Errc::rejected, missing.server.only_election()));
  Fixture broken(always(says(500)));
  EXPECT_TRUE(fails_with(Errc::environment, broken.server.only_election()));
}

TEST(Server, DeepNestingIsNoAnswer) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  Fixture list(always(says(200, deep)));
  EXPECT_TRUE(fails_with(Errc::malformed, list.server.elections()));
  Fixture member(always(says(200, R"({"logs":)" + deep + "}")));
  EXPECT_TRUE(fails_with(Errc::malformed, member.server.state(kElection)));
  Fixture problem(always(says(400, R"({"detail":"no","more":)" + deep + "}")));
  EXPECT_TRUE(fails_with(Errc::rejected, problem.server.submit(kElection, Bytes(1))));
}

TEST(Server, SignIn) {
  Fixture codes(always(says(200, R"({"codes":true})")));
  const SignIn with_codes = must(codes.server.sign_in(kElection, 1));
  EXPECT_EQ(codes.service.asked.front().path, "v1/elections/" + hex(kElection) + "/registrars/1");
  EXPECT_TRUE(with_codes.codes);
  EXPECT_FALSE(with_codes.provider.has_value());
  Fixture oidc(always(says(200, R"({"codes":false,"oidc":{"issuer":"https://id.example",
      "client_id":"wallet","scope":"openid email","resource":"https://vote.example"}})")));
  const SignIn with_provider = must(oidc.server.sign_in(kElection, 0));
  EXPECT_FALSE(with_provider.codes);
  EXPECT_EQ(with_provider.provider->issuer, "https://id.example");
  EXPECT_EQ(with_provider.provider->client.client_id, "wallet");
  EXPECT_EQ(with_provider.provider->client.scope, "openid email");
  EXPECT_EQ(with_provider.provider->client.resource, "https://vote.example");
  for (const std::string bad :
       {"", "[]", R"({"oidc":1})", R"({"oidc":{}})", R"({"oidc":{"issuer":"i","client_id":"c"}})",
        R"({"oidc":{"issuer":1,"client_id":"c","scope":"openid"}})",
        R"({"oidc":{"issuer":"i","client_id":"c","scope":"openid","resource":7}})"}) {
    Fixture odd(always(says(200, bad)));
    EXPECT_TRUE(fails_with(Errc::malformed, odd.server.sign_in(kElection, 0))) << bad;
  }
}

TEST(Server, Enrol) {
  Fixture good(always(says(200, "signed")));
  const SecretBuffer bearer(as_bytes("token"));
  EXPECT_EQ(as_text(must(good.server.enrol(kElection, 1, Bytes{1, 2}, &bearer))), "signed");
  const Asked& asked = good.service.asked.front();
  EXPECT_EQ(asked.method, "POST");
  EXPECT_EQ(asked.path, "v1/elections/" + hex(kElection) + "/registrars/1/credentials");
  EXPECT_EQ(asked.header("Content-Type"), "application/octet-stream");
  EXPECT_EQ(asked.header("Authorization"), "Bearer token");
  EXPECT_EQ(asked.body, (Bytes{1, 2}));
  must(good.server.enrol(kElection, 1, Bytes{1, 2}, nullptr));
  EXPECT_EQ(good.service.asked.back().header("Authorization"), "");
  for (const auto& [status, code] : {std::pair{400U, Errc::rejected},
                                     {401U, Errc::rejected},
                                     {403U, Errc::rejected},
                                     {409U, Errc::rejected},
                                     {301U, Errc::rejected},
                                     {500U, Errc::environment},
                                     {503U, Errc::environment},
                                     {429U, Errc::environment}}) {
    Fixture other(always(says(status, R"({"title":"No","detail":"because\u0007"})")));
    const auto refused = other.server.enrol(kElection, 1, Bytes{1}, nullptr);
    EXPECT_TRUE(fails_with(code, refused)) << status;
    EXPECT_TRUE(contains(message_of(refused), "because\\x07 (" + std::to_string(status) + ")"));
  }
}

TEST(Server, AnswersToABallot) {
  const Bytes entry{1, 2, 3};
  Fixture taken(always(says(200, "a receipt")));
  const BallotAnswer answer = must(taken.server.submit(kElection, entry));
  EXPECT_EQ(std::get<Receipt>(answer).text, "a receipt");
  EXPECT_EQ(taken.service.asked.front().path, "v1/elections/" + hex(kElection) + "/ballots");
  EXPECT_EQ(taken.service.asked.front().body, entry);
  EXPECT_EQ(taken.service.asked.front().header("Authorization"), "");

  Fixture refused(always(says(422, R"({"detail":"V9: no","refusal":"a note"})")));
  const BallotAnswer no = must(refused.server.submit(kElection, entry));
  EXPECT_EQ(std::get<Refused>(no).refusal, "a note");
  EXPECT_EQ(std::get<Refused>(no).reason, "V9: no (422)");

  for (const unsigned status : {429U, 500U, 502U, 503U, 504U}) {
    Fixture busy(always(says(status)));
    EXPECT_TRUE(std::holds_alternative<NotNow>(must(busy.server.submit(kElection, entry))))
        << status;
  }
  Fixture down([](const Asked&) -> Result<HttpResponse> {
    return fail(Errc::environment, "no connection");
  });
  const BallotAnswer nothing = must(down.server.submit(kElection, entry));
  EXPECT_TRUE(contains(std::get<NotNow>(nothing).reason, "no connection"));
  Fixture garbled(
      [](const Asked&) -> Result<HttpResponse> { return fail(Errc::malformed, "no HTTP"); });
  EXPECT_TRUE(std::holds_alternative<NotNow>(must(garbled.server.submit(kElection, entry))));
  for (const unsigned status : {301U, 400U, 404U, 409U, 413U, 415U, 422U}) {
    Fixture other(always(says(status, R"({"detail":"the polls are closed"})")));
    EXPECT_TRUE(fails_with(Errc::rejected, other.server.submit(kElection, entry))) << status;
  }
}

TEST(Server, WaitsAsLongAsItIsAsked) {
  int times = 0;
  Fixture busy([&](const Asked&) -> Result<HttpResponse> {
    return ++times <= 3 ? says(times == 2 ? 503 : 429, "", {{"Retry-After", std::to_string(times)}})
                        : says(200, "a receipt");
  });
  EXPECT_TRUE(std::holds_alternative<Receipt>(must(busy.server.submit(kElection, Bytes(1)))));
  EXPECT_EQ(busy.waits, (std::vector<std::int64_t>{1, 2, 3}));

  Fixture always_busy(always(says(503, "", {{"Retry-After", "7"}})));
  EXPECT_TRUE(std::holds_alternative<NotNow>(must(always_busy.server.submit(kElection, Bytes(1)))));
  EXPECT_EQ(always_busy.waits, (std::vector<std::int64_t>{7, 7, 7}));
  EXPECT_EQ(always_busy.service.asked.size(), 4U);

  Fixture too_long(always(says(503, "", {{"Retry-After", "21"}})));
  EXPECT_TRUE(std::holds_alternative<NotNow>(must(too_long.server.submit(kElection, Bytes(1)))));
  EXPECT_TRUE(too_long.waits.empty());

  Fixture silent(always(says(429)));
  EXPECT_TRUE(std::holds_alternative<NotNow>(must(silent.server.submit(kElection, Bytes(1)))));
  EXPECT_EQ(silent.waits, (std::vector<std::int64_t>{1, 2, 4}));
}

TEST(Server, ReceiptOfACode) {
  const protocol::TrackingCode code{};
  Fixture there(always(says(200, "a receipt")));
  EXPECT_EQ(must(there.server.receipt(kElection, code)), "a receipt");
  EXPECT_EQ(there.service.asked.front().path,
            "v1/elections/" + hex(kElection) + "/receipts/" + protocol::print(code));
  Fixture missing(always(says(404)));
  EXPECT_EQ(must(missing.server.receipt(kElection, code)), std::nullopt);
  Fixture broken(always(says(503)));
  EXPECT_TRUE(fails_with(Errc::environment, broken.server.receipt(kElection, code)));
  Fixture wrong(always(says(400)));
  EXPECT_TRUE(fails_with(Errc::rejected, wrong.server.receipt(kElection, code)));
}

TEST(Server, Administration) {
  Fixture admin(always(says(200, "{}")));
  must(admin.server.authorize(SecretBuffer(as_bytes("0123456789abcdef"))));
  must(admin.server.administer(kElection, "stop", "", {}));
  EXPECT_EQ(admin.service.asked.back().path, "v1/elections/" + hex(kElection) + "/stop");
  EXPECT_EQ(admin.service.asked.back().header("Authorization"), "Bearer 0123456789abcdef");
  EXPECT_EQ(admin.service.asked.back().header("Content-Type"), "");
  must(admin.server.administer(kElection, "main", "application/json", Bytes(3)));
  EXPECT_EQ(admin.service.asked.back().header("Content-Type"), "application/json");
  for (const std::string bad : {"", "a b", "a\nb", "ä"}) {
    EXPECT_TRUE(fails_with(Errc::malformed, admin.server.authorize(SecretBuffer(as_bytes(bad)))));
  }
  for (const auto& [status, code] : {std::pair{401U, Errc::rejected},
                                     {404U, Errc::rejected},
                                     {409U, Errc::rejected},
                                     {503U, Errc::environment}}) {
    Fixture other(always(says(status)));
    EXPECT_TRUE(fails_with(code, other.server.administer(kElection, "stop", "", {}))) << status;
  }
}

TEST(Server, WhatIsNotWellSaid) {
  EXPECT_EQ(problem_text(says(500)), "the server answers 500");
  EXPECT_EQ(problem_text(says(500, "<html>")), "the server answers 500");
  EXPECT_EQ(problem_text(says(409, R"({"title":"Closed"})")), "Closed (409)");
  EXPECT_EQ(problem_text(says(409, R"({"title":1,"detail":[]})")), "the server answers 409");
  EXPECT_TRUE(contains(problem_text(says(302, "", {{"Location", "https://other.example"}})),
                       "https://other.example"));
  EXPECT_LT(problem_text(says(400, R"({"detail":")" + std::string(100'000, 'x') + R"("})")).size(),
            2000U);
}

}  // namespace
}  // namespace psephos::cli
