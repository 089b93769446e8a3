// The routes of psephosd. src/server/openapi.json describes them for those who call them.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "psephos/bytes.h"

#include "src/http/router.h"
#include "src/server/hosted.h"
#include "src/server/log.h"
#include "src/server/metrics.h"
#include "src/server/workers.h"

namespace psephos::server {

// What all routes need; it outlives the routers.
struct ApiContext {
  std::span<const std::unique_ptr<Hosted>> elections;
  Workers& workers;
  Metrics& metrics;
  Log& log;
  std::function<void()> measure;  // brings the metrics that are states up to date
};

// For everybody: reading the record, enrolling, voting, following.
void add_public_routes(http::Router& router, const ApiContext& context);

// Who may administrate: the bearer of the token, or of a certificate the listener has verified.
struct AdminAccess {
  std::string token;          // empty: none is accepted
  bool certificates = false;  // whether a verified client certificate will do
};
// For administrators and for monitoring, on an address of its own.
void add_admin_routes(http::Router& router, const ApiContext& context, AdminAccess access);

}  // namespace psephos::server
