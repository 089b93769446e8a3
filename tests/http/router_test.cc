#include "src/http/router.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "src/http/problem.h"
#include "src/http/response_text.h"

namespace psephos::http {
namespace {

using namespace std::chrono_literals;

std::string text_of(const Response& response) { return std::string(as_text(response.body)); }

// Answers with its name and the parameters.
Router::Function named(std::string name, std::vector<std::string> parameters = {}) {
  return [name = std::move(name), parameters = std::move(parameters)](
             const Request&, const PathParameters& values, Respond respond) {
    std::string text = name;
    for (const std::string& parameter : parameters) {
      text += " " + values[parameter];
    }
    Response response;
    response.body.assign(text.begin(), text.end());
    respond(std::move(response));
  };
}

Response ask(Router& router, std::string method, std::string path) {
  Request request;
  request.method = std::move(method);
  request.path = std::move(path);
  Response answer;
  router.handle(std::move(request), [&](Response response) { answer = std::move(response); });
  return answer;
}

void add_routes(Router& router) {
  router.add("GET", "/", named("root"));
  router.add("GET", "/v1/elections", named("list"));
  router.add("GET", "/v1/elections/{id}", named("election", {"id"}));
  router.add("POST", "/v1/elections/{id}/ballots", named("cast", {"id", "none"}), 77);
  router.add("GET", "/v1/elections/{id}/registrars/{n}", named("registrar", {"n", "id"}));
  router.add("GET", "/v1/elections/{id}/record/{file...}", named("file", {"file"}));
  router.add("GET", "/v1/elections/new", named("new"));
  router.add("POST", "/v1/elections/{id}", named("change", {"id"}));
}

TEST(Router, FindsRoutes) {
  Router router;
  add_routes(router);
  EXPECT_EQ(text_of(ask(router, "GET", "/")), "root");
  EXPECT_EQ(text_of(ask(router, "GET", "/v1/elections")), "list");
  EXPECT_EQ(text_of(ask(router, "GET", "/v1/elections/ab")), "election ab");
  EXPECT_EQ(text_of(ask(router, "POST", "/v1/elections/ab/ballots")), "cast ab ");
  EXPECT_EQ(text_of(ask(router, "GET", "/v1/elections/ab/registrars/2")), "registrar 2 ab");
  EXPECT_EQ(text_of(ask(router, "GET", "/v1/elections/ab/record/main/tile/0")), "file main/tile/0");
  EXPECT_EQ(text_of(ask(router, "GET", "/v1/elections/ab/record/x")), "file x");
}

TEST(Router, WordsComeBeforeParameters) {
  Router router;
  add_routes(router);
  EXPECT_EQ(text_of(ask(router, "GET", "/v1/elections/new")), "new");
  EXPECT_EQ(text_of(ask(router, "POST", "/v1/elections/new")), "change new");
}

TEST(Router, HeadGoesWhereGetGoes) {
  Router router;
  add_routes(router);
  EXPECT_EQ(text_of(ask(router, "HEAD", "/v1/elections")), "list");
  EXPECT_EQ(ask(router, "HEAD", "/v1/elections/ab/ballots").status, 405U);
}

TEST(Router, OtherPathsAreNotFound) {
  Router router;
  add_routes(router);
  for (const char* path :
       {"/v1", "/v1/", "/v1/elections/", "/v2/elections", "/v1/electionsx",
        "/v1/elections/ab/ballots/", "/v1/elections/ab/ballots/x", "/v1/elections/ab/record",
        "/v1/elections/ab/record/", "/V1/elections"}) {
    EXPECT_EQ(ask(router, "GET", path).status, 404U) << path;
  }
}

TEST(Router, OtherMethodsAreNotAllowed) {
  Router router;
  add_routes(router);
  const Response response = ask(router, "DELETE", "/v1/elections/ab");
  EXPECT_EQ(response.status, 405U);
  EXPECT_EQ(*find_header(response.headers, "allow"), "GET, HEAD, POST");
  EXPECT_EQ(ask(router, "get", "/v1/elections/ab").status, 405U);
  EXPECT_EQ(ask(router, "GET", "/v1/elections/ab/ballots").status, 405U);
}

TEST(Router, LimitsBodies) {
  Router router;
  add_routes(router);
  const auto max_body = [&](const char* path) {
    Request head;
    head.method = "POST";
    head.path = path;
    return router.admit(head).value();
  };
  EXPECT_EQ(max_body("/v1/elections/ab/ballots"), 77U);
  EXPECT_EQ(max_body("/v1/elections/ab"), std::nullopt);
  EXPECT_EQ(max_body("/nowhere"), std::nullopt);
}

TEST(Router, TellsItsRoutes) {
  Router router;
  add_routes(router);
  EXPECT_EQ(router.routes().size(), 8U);
  EXPECT_EQ(router.routes()[3].path, "/v1/elections/{id}/ballots");
  EXPECT_EQ(router.route("HEAD", "/v1/elections/ab"), "/v1/elections/{id}");
  EXPECT_EQ(router.route("GET", "/nowhere/ab"), "");
}

TEST(Problem, IsProblemJson) {
  const Response response = problem(422, "Refused", "a \"b\" \xff", {{"refusal", "note\n"}});
  EXPECT_EQ(response.status, 422U);
  EXPECT_EQ(response.content_type, "application/problem+json");
  const auto json = nlohmann::json::parse(text_of(response));
  EXPECT_EQ(json["type"], "about:blank");
  EXPECT_EQ(json["title"], "Refused");
  EXPECT_EQ(json["status"], 422);
  EXPECT_EQ(json["detail"], "a \"b\" \xef\xbf\xbd");
  EXPECT_EQ(json["refusal"], "note\n");
  EXPECT_EQ(nlohmann::json::parse(text_of(problem(404, "", "")))["title"], "Not Found");
}

TEST(Problem, RetryIsAtLeastASecond) {
  EXPECT_EQ(*find_header(problem_retry(429, "", "", 1ms).headers, "Retry-After"), "1");
  EXPECT_EQ(*find_header(problem_retry(429, "", "", 1001ms).headers, "Retry-After"), "2");
}

TEST(ResponseText, LeavesFramingToTheServer) {
  Response response;
  response.content_type = "text/plain";
  response.headers = {{"content-length", "9"}, {"Connection", "x"}, {"ETag", "\"1\""}};
  response.body = {'a', 'b'};
  const std::string text = response_head(response, {});
  EXPECT_TRUE(text.contains("Content-Length: 2\r\n"));
  EXPECT_TRUE(text.contains("Connection: close\r\n"));
  EXPECT_TRUE(text.contains("ETag: \"1\"\r\n"));
  EXPECT_FALSE(text.contains("content-length"));
  EXPECT_FALSE(text.contains("Connection: x"));
  EXPECT_TRUE(text.ends_with("\r\n\r\n"));
}

TEST(ResponseText, SomeStatusesHaveNoBody) {
  Response response;
  response.body = {'a'};
  for (const unsigned status : {204U, 304U}) {
    response.status = status;
    EXPECT_FALSE(response_head(response, {}).contains("Content-Length")) << status;
    EXPECT_FALSE(has_body(response, {}));
  }
  response.status = 200;
  EXPECT_FALSE(has_body(response, {true, true, true}));
  EXPECT_TRUE(response_head(response, {true, true, true}).contains("Content-Length: 1\r\n"));
}

TEST(ResponseText, NothingEndsItsLineEarly) {
  const auto valid = [](std::string name, std::string value) {
    Response response;
    response.headers = {{std::move(name), std::move(value)}};
    return is_valid(response);
  };
  EXPECT_TRUE(valid("Location", "/a\tb"));
  EXPECT_FALSE(valid("Location", "/a\r\nSet-Cookie: x"));
  EXPECT_FALSE(valid("Location", "/a\nb"));
  EXPECT_FALSE(valid("Location", std::string("a\0b", 3)));
  EXPECT_FALSE(valid("Loca:tion", "x"));
  EXPECT_FALSE(valid("", "x"));
  Response response;
  response.content_type = "a\r\nb";
  EXPECT_FALSE(is_valid(response));
  response.content_type = "";
  response.status = 99;
  EXPECT_FALSE(is_valid(response));
}

}  // namespace
}  // namespace psephos::http
