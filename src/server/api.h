// The routes of psephosd. src/server/openapi.json describes them for those who call them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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
  Workers& workers;  // for everybody
  // For administrators and monitoring: what everybody asks for must not keep them waiting.
  Workers& admin_workers;
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
// For administrators and for monitoring, on an address of its own. Who has no access is told so on
// every path, and no body is read.
void add_admin_routes(http::Router& router, const ApiContext& context, AdminAccess access);

// What both have in common.

// A number as paths have it: decimal, in one way.
[[nodiscard]] std::optional<std::uint32_t> parse_number(std::string_view text);
// for_election answers 404 for elections that are not here.
[[nodiscard]] http::Router::Function for_election(
    const ApiContext& context,
    std::function<void(Hosted&, http::Request, const http::PathParameters&, http::Respond)>
        function);
// The registrar a path names; null: it is not in this process.
[[nodiscard]] const HostedRegistrar* find_registrar(const Hosted& hosted,
                                                    const http::PathParameters& path);
// What may block is done by workers.
void in_background(Workers& workers, http::Respond respond,
                   std::move_only_function<http::Response()> work);

}  // namespace psephos::server
