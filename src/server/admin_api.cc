#include <chrono>
#include <numeric>
#include <utility>

#include "psephos/codec.h"
#include "psephos/crypto/hash.h"
#include "psephos/protocol/issuance.h"
#include "psephos/protocol/message.h"
#include "psephos/secret.h"

#include "src/http/problem.h"
#include "src/server/api.h"
#include "src/server/board_service.h"
#include "src/server/json.h"

namespace psephos::server {

namespace {

using http::PathParameters;
using http::problem;
using http::problem_retry;
using http::Request;
using http::Respond;
using http::Response;

// A main log has some thousand entries of at most 65,535 bytes; one call brings some of them.
constexpr std::size_t kMaxMainBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxRollBytes = std::size_t{1} << 30;

bool allowed(const AdminAccess& access, const Request& request) {
  if (access.certificates && request.client_certificate.has_value()) {
    return true;
  }
  constexpr std::string_view kScheme = "Bearer ";
  const std::string* given = request.header("Authorization");
  if (access.token.empty() || given == nullptr || !given->starts_with(kScheme)) {
    return false;
  }
  // Digests, so that the comparison tells nothing about lengths.
  return ct_equal(crypto::sha256({as_bytes(access.token)}),
                  crypto::sha256({as_bytes(std::string_view(*given).substr(kScheme.size()))}));
}

Response error_response(const Error& error) {
  switch (error.code) {
    case Errc::malformed:
      return problem(400, "", error.message);
    case Errc::rejected:
      return problem(422, "", error.message);
    case Errc::misuse:
      return problem(409, "", error.message);
    case Errc::environment:
      break;
  }
  return problem_retry(503, "", error.message, std::chrono::seconds(5));
}

// What a call did, for log and metrics.
void note(const ApiContext& context, const Hosted& hosted, AdminCall call,
          const Result<std::size_t>& done) {
  CallOutcome outcome = CallOutcome::failed;
  Metrics::AdminCall counted = Metrics::AdminCall::failed;
  if (done.has_value()) {
    outcome =
        *done == 0 && call == AdminCall::extend_main ? CallOutcome::repeated : CallOutcome::done;
    counted = Metrics::AdminCall::done;
  } else if (done.error().code != Errc::environment) {
    outcome = CallOutcome::refused;
    counted = Metrics::AdminCall::refused;
  }
  context.log.write<Event::admin_call>(with<Field::election>(hosted.number),
                                       with<Field::call>(call), with<Field::outcome>(outcome),
                                       with<Field::entries>(done.value_or(0)));
  context.metrics.admin_call(counted);
}

// --- calls
// ----------------------------------------------------------------------------------------

Result<std::size_t> extend_main(Hosted& hosted, ByteView body) {
  const auto json = parse_json(body);
  const auto member = [&](const char* name) -> const Json* {
    return json.has_value() && json->is_object() && json->contains(name) ? &(*json)[name] : nullptr;
  };
  const Json* const first = member("first");
  const Json* const entries = member("entries");
  const Json* const checkpoint = member("checkpoint");
  if (first == nullptr || !first->is_number_unsigned() || entries == nullptr ||
      !entries->is_array() || checkpoint == nullptr || !checkpoint->is_string()) {
    return fail(Errc::malformed,
                "send {\"first\": index, \"entries\": [base64, …], \"checkpoint\": text}");
  }
  std::vector<Bytes> decoded;
  for (const Json& entry : *entries) {
    if (!entry.is_string()) {
      return fail(Errc::malformed, "entries: must be texts in base64");
    }
    PSEPHOS_TRY(Bytes bytes, unbase64(entry.get_ref<const std::string&>()));
    decoded.push_back(std::move(bytes));
  }
  PSEPHOS_TRY(const std::size_t added,
              hosted.record->extend(first->get<std::uint64_t>(), decoded,
                                    checkpoint->get_ref<const std::string&>()));
  const Json* const result_json = member("result_json");
  const Json* const result_csv = member("result_csv");
  if (result_json != nullptr && result_json->is_string() && result_csv != nullptr &&
      result_csv->is_string()) {
    PSEPHOS_CHECK_OK(hosted.record->publish_result(result_json->get_ref<const std::string&>(),
                                                   result_csv->get_ref<const std::string&>()));
  }
  return added;
}

Result<std::size_t> stop(Hosted& hosted) {
  if (hosted.box != nullptr) {
    PSEPHOS_CHECK_OK(hosted.box->stop());
  }
  for (const HostedRegistrar& registrar : hosted.registrars) {
    PSEPHOS_CHECK_OK(registrar.service->stop());
  }
  return std::size_t{0};
}

Result<std::size_t> resume(Hosted& hosted) {
  for (const HostedRegistrar& registrar : hosted.registrars) {
    PSEPHOS_CHECK_OK(registrar.service->resume());
  }
  if (hosted.box != nullptr) {
    PSEPHOS_CHECK_OK(hosted.box->resume());
  }
  return std::size_t{0};
}

// The newest checkpoints of this process's logs: what the close must name after a stop.
Response checkpoints(const Hosted& hosted) {
  Json answer = {{"stopped", hosted.stopped()}, {"checkpoints", Json::object()}};
  if (hosted.box != nullptr) {
    for (const std::string& log : hosted.box->logs()) {
      answer["checkpoints"][log] = hosted.box->checkpoint(log).value_or("");
    }
  }
  for (const HostedRegistrar& registrar : hosted.registrars) {
    answer["checkpoints"][registrar.service->log_name()] =
        registrar.service->checkpoint().value_or("");
  }
  return json_response(answer);
}

// How many voters a roll message of the registrar announces.
std::uint64_t num_voters(const protocol::Manifest& manifest, ByteView message) {
  const auto roll = [&]() -> Result<protocol::RollImport> {
    PSEPHOS_TRY(const auto decoded, protocol::Message::decode(message));
    return protocol::RollImport::decode(decoded.payload, manifest);
  }();
  return roll.has_value()
             ? std::accumulate(roll->voters.begin(), roll->voters.end(), std::uint64_t{0})
             : 0;
}

Response import_roll(const ApiContext& context, Hosted& hosted, Request request,
                     const PathParameters& path) {
  const HostedRegistrar* const registrar = find_registrar(hosted, path);
  if (registrar == nullptr) {
    return problem(404, "", "this process is not that registrar");
  }
  const auto message = registrar->service->import_roll(std::move(request.body));
  note(context, hosted, AdminCall::import_roll,
       message.has_value() ? Result<std::size_t>(1) : std::unexpected(message.error()));
  if (!message.has_value()) {
    return error_response(message.error());
  }
  context.log.write<Event::roll_imported>(
      with<Field::election>(hosted.number), with<Field::registrar>(registrar->service->index()),
      with<Field::voters>(num_voters(hosted.record->manifest(), *message)));
  // A message file, as `psephos election add` takes it.
  Writer file;
  file.var(*message);
  return {.status = 200,
          .content_type = "application/octet-stream",
          .headers = {{"Cache-Control", "no-store"}},
          .body = std::move(file).take(),
          .events = nullptr,
          .last_event_id = {}};
}

using Call = std::function<Response(Hosted&, Request, const PathParameters&)>;

// A call of an administrator, on their workers.
http::Router::Function admin_call(const ApiContext& context, Call call) {
  return for_election(
      context, [&context, call = std::move(call)](Hosted& hosted, Request request,
                                                  const PathParameters& path, Respond respond) {
        in_background(context.admin_workers, std::move(respond),
                      [&hosted, call, path, request = std::move(request)]() mutable {
                        return call(hosted, std::move(request), path);
                      });
      });
}

}  // namespace

void add_admin_routes(http::Router& router, const ApiContext& context, AdminAccess access) {
  // Before anything of a body is read: bodies here are large.
  router.set_guard(
      [&context, access = std::move(access)](const Request& request) -> std::optional<Response> {
        if (allowed(access, request)) {
          return std::nullopt;
        }
        context.metrics.admin_call(Metrics::AdminCall::not_allowed);
        context.log.write<Event::admin_not_allowed>();
        Response response = problem(401, "", "give the administration's token, or its certificate");
        response.headers.push_back({"WWW-Authenticate", "Bearer"});
        return response;
      });
  router.add(
      "GET", "/metrics",
      [&context](const Request& /*request*/, const PathParameters& /*path*/, Respond respond) {
        in_background(context.admin_workers, std::move(respond), [&context] {
          context.measure();
          const std::string text = context.metrics.text();
          return Response{.status = 200,
                          .content_type = std::string(Metrics::kContentType),
                          .headers = {{"Cache-Control", "no-store"}},
                          .body = Bytes(text.begin(), text.end()),
                          .events = nullptr,
                          .last_event_id = {}};
        });
      });
  router.add("POST", "/v1/elections/{id}/main",
             admin_call(context,
                        [&context](Hosted& hosted, const Request& request,
                                   const PathParameters& /*path*/) {
                          const auto done = extend_main(hosted, request.body);
                          note(context, hosted, AdminCall::extend_main, done);
                          return done.has_value() ? json_response({{"added", *done}})
                                                  : error_response(done.error());
                        }),
             kMaxMainBytes);
  const auto add_switch = [&](const char* path, AdminCall call,
                              Result<std::size_t> (*function)(Hosted&)) {
    router.add(
        "POST", path,
        admin_call(context, [&context, call, function](Hosted& hosted, const Request& /*request*/,
                                                       const PathParameters& /*path*/) {
          const auto done = function(hosted);
          note(context, hosted, call, done);
          return done.has_value() ? checkpoints(hosted) : error_response(done.error());
        }));
  };
  add_switch("/v1/elections/{id}/stop", AdminCall::stop, stop);
  add_switch("/v1/elections/{id}/resume", AdminCall::resume, resume);
  router.add("POST", "/v1/elections/{id}/registrars/{n}/roll",
             admin_call(context,
                        [&context](Hosted& hosted, Request request, const PathParameters& path) {
                          return import_roll(context, hosted, std::move(request), path);
                        }),
             kMaxRollBytes);
}

}  // namespace psephos::server
