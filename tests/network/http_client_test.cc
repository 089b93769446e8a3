#include "psephos/network/http_client.h"

#include <gtest/gtest.h>

#include "tests/http/serving.h"

namespace psephos::network {
namespace {

using test::Serving;

TEST(HttpClient, SendsAndReads) {
  Serving serving;
  const auto client = BeastHttpClient::create({}).value();
  HttpRequest request;
  request.method = "POST";
  request.body = {'x', 'y'};
  const auto response = client->send(serving.url("/a?b=c"), request, 100);
  ASSERT_TRUE(response.has_value()) << response.error().message;
  EXPECT_EQ(response->status, 200U);
  EXPECT_EQ(as_text(response->body), "POST /a?b=c xy");
  EXPECT_EQ(*response->header("content-type"), "text/plain");
  EXPECT_EQ(response->header("no-such"), nullptr);
}

}  // namespace
}  // namespace psephos::network
