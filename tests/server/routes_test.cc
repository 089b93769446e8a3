// The OpenAPI document has the routes of the server, and no others.
#include <set>
#include <string>
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
  Workers workers(0, 1);
  Metrics metrics(std::chrono::system_clock::now());
  const auto log = Log::create({.level = LogLevel::error, .file = "/dev/null"});
  ASSERT_TRUE(log.has_value());
  const ApiContext context{
      .elections = {}, .workers = workers, .metrics = metrics, .log = **log, .measure = [] {}};
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

}  // namespace
}  // namespace psephos::server
