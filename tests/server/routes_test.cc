// The OpenAPI document has the routes of the server, and no others.
#include <future>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "src/http/router.h"
#include "src/server/api.h"
#include "src/server/embedded.h"

namespace psephos::server {
namespace {

using Routes = std::set<std::pair<std::string, std::string>>;  // method, path

Routes routes_of(const http::Router& router) {
  Routes routes;
  for (const http::Router::Route& route : router.routes()) {
    std::string path = route.path;
    if (const std::size_t dots = path.find("...}"); dots != std::string::npos) {
      path.erase(dots, 3);
    }
    EXPECT_TRUE(routes.emplace(route.method, path).second) << route.method << " " << path;
  }
  return routes;
}

TEST(Routes, AreThoseOfTheDocument) {
  Workers workers(0, 1, [] {});
  Metrics metrics(std::chrono::system_clock::now());
  const auto log = Log::create({.level = LogLevel::error, .file = "/dev/null"});
  ASSERT_TRUE(log.has_value());
  const ApiContext context{.elections = {},
                           .workers = workers,
                           .admin_workers = workers,
                           .metrics = metrics,
                           .log = **log,
                           .measure = [] {}};
  http::Router everybody;
  http::Router administration;
  add_public_routes(everybody, context);
  add_admin_routes(administration, context, {});

  Routes documented;
  Routes documented_administration;
  const auto document = nlohmann::json::parse(openapi());
  for (const auto& [path, item] : document["paths"].items()) {
    for (const auto& [method, operation] : item.items()) {
      if (method == "parameters") {
        continue;
      }
      const std::string upper = method == "get" ? "GET" : "POST";
      ASSERT_TRUE(method == "get" || method == "post") << method;
      (operation.contains("servers") ? documented_administration : documented).emplace(upper, path);
    }
  }
  EXPECT_EQ(routes_of(everybody), documented);
  EXPECT_EQ(routes_of(administration), documented_administration);
  for (const auto& route : documented_administration) {
    EXPECT_FALSE(documented.contains(route)) << route.second;
  }
}

class AdminRoutes : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(log_.has_value()); }
  // Everybody's workers have all they take, and do nothing.
  Workers busy_{0, 0, [] {}};
  Workers admin_workers_{1, 10, [] {}};
  Metrics metrics_{std::chrono::system_clock::now()};
  Result<std::unique_ptr<Log>> log_ = Log::create({.level = LogLevel::error, .file = "/dev/null"});
  ApiContext context_{.elections = {},
                      .workers = busy_,
                      .admin_workers = admin_workers_,
                      .metrics = metrics_,
                      .log = **log_,
                      .measure = [this] { measured_by_ = std::this_thread::get_id(); }};
  std::thread::id measured_by_;
};

TEST_F(AdminRoutes, AnswerBeforeTheBodyToWhoHasNoAccess) {
  const auto admitted = [&](const AdminAccess& access, const http::Request& head) {
    http::Router router;
    add_admin_routes(router, context_, access);
    const auto admission = router.admit(head);
    EXPECT_TRUE(admission.has_value() || admission.error().status == 401);
    return admission.has_value();
  };
  const AdminAccess token{.token = "a token for the tests", .certificates = false};
  const AdminAccess certificates{.token = {}, .certificates = true};
  for (const char* path :
       {"/v1/elections/x/registrars/0/roll", "/v1/elections/x/stop", "/metrics", "/nowhere"}) {
    http::Request head;
    head.method = "POST";
    head.path = path;
    EXPECT_FALSE(admitted(token, head));
    EXPECT_FALSE(admitted(certificates, head));
    head.client_certificate = "";  // verified; it names nobody
    EXPECT_FALSE(admitted(token, head));
    EXPECT_TRUE(admitted(certificates, head));
    head.headers = {{"Authorization", "Bearer a token for the test"}};
    EXPECT_FALSE(admitted(token, head));
    head.headers = {{"Authorization", "Bearer a token for the tests"}};
    EXPECT_TRUE(admitted(token, head));
  }
}

TEST_F(AdminRoutes, DoNotWaitForEverybody) {
  http::Router router;
  add_admin_routes(router, context_, {});
  http::Request request;
  request.method = "GET";
  request.path = "/metrics";
  std::promise<http::Response> answer;
  router.handle(std::move(request),
                [&](http::Response response) { answer.set_value(std::move(response)); });
  EXPECT_EQ(answer.get_future().get().status, 200U);
  // Measuring may take a while: the listener's thread has calls to answer.
  EXPECT_NE(measured_by_, std::this_thread::get_id());
}

TEST(Numbers, AreWrittenInOneWay) {
  EXPECT_EQ(parse_number("0"), 0U);
  EXPECT_EQ(parse_number("4294967295"), 4294967295U);
  for (const char* text : {"", "007", "00", "-1", "+1", " 1", "1 ", "x", "4294967296"}) {
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace psephos::server
