#include <algorithm>
#include <utility>

#include "psephos/crypto/hash.h"
#include "psephos/crypto/note.h"
#include "psephos/crypto/tile.h"

#include "src/http/problem.h"
#include "src/server/api.h"
#include "src/server/board_service.h"
#include "src/server/embedded.h"
#include "src/server/json.h"
#include "src/server/phase.h"

namespace psephos::server {

namespace {

using http::PathParameters;
using http::problem;
using http::problem_retry;
using http::Request;
using http::Respond;
using http::Response;
using protocol::Manifest;
using Phase = protocol::MainLog::Phase;

constexpr std::string_view kBinary = "application/octet-stream";
constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::size_t kMaxRequestBytes = 4096;
constexpr std::string_view kImmutable = "public, max-age=31536000, immutable";
constexpr std::string_view kRevalidate = "no-cache";

Response text_response(unsigned status, std::string_view type, ByteView body,
                       std::string_view cache) {
  return {.status = status,
          .content_type = std::string(type),
          .headers = {{"Cache-Control", std::string(cache)}},
          .body = Bytes(body.begin(), body.end()),
          .events = nullptr,
          .last_event_id = {}};
}

Response not_found(std::string_view what) { return problem(404, "", what); }

bool has_type(const Request& request, std::string_view type) {
  const std::string* given = request.header("Content-Type");
  return given != nullptr && *given == type;
}

// --- the record ---------------------------------------------------------------------------------

struct RecordFile {
  std::string_view type;
  std::string_view cache;
};

// What a record has files for; nothing else in its directory is served.
std::optional<RecordFile> record_file(const Manifest& manifest, std::string_view path) {
  if (path == "manifest.json" || path == "result.json") {
    return RecordFile{.type = "application/json", .cache = kRevalidate};
  }
  if (path == "result.csv") {
    return RecordFile{.type = "text/csv; charset=utf-8", .cache = kRevalidate};
  }
  std::vector<std::string> logs = {Manifest::main_log()};
  for (std::uint32_t shard = 0; shard < manifest.shards; ++shard) {
    logs.push_back(Manifest::box_log(shard));
  }
  for (std::uint32_t registrar = 0; registrar < manifest.num_registrars(); ++registrar) {
    logs.push_back(Manifest::roll_log(registrar));
  }
  for (const std::string& log : logs) {
    if (!path.starts_with(log + "/")) {
      continue;
    }
    const std::string_view file = path.substr(log.size() + 1);
    if (file == "checkpoint") {
      return RecordFile{.type = kText, .cache = kRevalidate};
    }
    const bool plain = file.starts_with("tile/") &&
                       file.find_first_not_of("tileentrsxp.0123456789/") == std::string_view::npos;
    // A tile of a width never changes, whether it is full or not.
    return plain ? std::optional(RecordFile{.type = kBinary, .cache = kImmutable}) : std::nullopt;
  }
  return std::nullopt;
}

Response serve_file(const Hosted& hosted, const std::string& path, const std::string* known) {
  const auto kind = record_file(hosted.record->manifest(), path);
  const runtime::DirectoryRecord& files = hosted.record->files();
  if (!kind.has_value() || !files.exists(path)) {
    return not_found("the record has no such file");
  }
  const auto content = files.read(path, protocol::kMaxRecordFileBytes);
  if (!content.has_value()) {
    // A partial tile may go while it is asked for.
    return files.exists(path) ? problem(500, "", "the file cannot be read")
                              : not_found("the record has no such file");
  }
  const std::string etag = "\"" + hex(ByteView(crypto::sha256({*content})).first(16)) + "\"";
  if (known != nullptr && *known == etag) {
    Response response = text_response(304, "", {}, kind->cache);
    response.headers.push_back({"ETag", etag});
    return response;
  }
  Response response = text_response(200, kind->type, *content, kind->cache);
  response.headers.push_back({"ETag", etag});
  return response;
}

// --- what is told of an election ----------------------------------------------------------------

Json log_state(const Hosted& hosted, const std::string& log) {
  const auto content = hosted.record->files().read(log + "/checkpoint", std::size_t{1} << 16);
  Json state = {{"log", log}};
  if (!content.has_value()) {
    return state;
  }
  const auto note = crypto::Note::parse(as_text(*content));
  if (!note.has_value()) {
    return state;
  }
  if (const auto parsed = crypto::Checkpoint::parse(note->text); parsed.has_value()) {
    state["size"] = parsed->tree.size;
    state["root"] = base64(parsed->tree.root);
  }
  return state;
}

Json sign_in(const HostedRegistrar& registrar) {
  Json state = {{"codes", registrar.service->takes_codes()}};
  if (registrar.oidc.has_value()) {
    state["oidc"] = {{"issuer", registrar.oidc->issuer},
                     {"client_id", registrar.oidc->client_id},
                     {"scope", registrar.oidc->scope}};
    if (!registrar.oidc->resource.empty()) {
      state["oidc"]["resource"] = registrar.oidc->resource;
    }
  }
  return state;
}

Json describe(const Hosted& hosted) {
  const Manifest& manifest = hosted.record->manifest();
  Json state = {{"id", hosted.record->id()},
                {"title", manifest.title},
                {"origin", manifest.origin},
                {"phase", name(hosted.record->phase())},
                {"stopped", hosted.stopped()},
                {"takes_ballots", hosted.box != nullptr},
                {"record", "/v1/elections/" + hosted.record->id() + "/record/"}};
  state["styles"] = Json::array();
  for (const protocol::BallotStyle& style : manifest.styles) {
    state["styles"].push_back(style.id);
  }
  state["registrars"] = Json::array();
  for (std::uint32_t r = 0; r < manifest.num_registrars(); ++r) {
    Json registrar = {{"index", r}, {"name", manifest.registrars[r]}};
    for (const HostedRegistrar& here : hosted.registrars) {
      if (here.service->index() == r) {
        registrar["sign_in"] = sign_in(here);
      }
    }
    state["registrars"].push_back(std::move(registrar));
  }
  state["logs"] = Json::array();
  for (const std::string& log : hosted.record->election()->log_names()) {
    state["logs"].push_back(log_state(hosted, log));
  }
  state["result"] = hosted.record->files().exists("result.json");
  return state;
}

// --- ballots
// --------------------------------------------------------------------------------------

Response answer_ballot(const BallotAnswer& answer) {
  if (const auto* receipt = std::get_if<Receipt>(&answer)) {
    return text_response(200, kText, as_bytes(receipt->text), "no-store");
  }
  if (const auto* refused = std::get_if<Refused>(&answer)) {
    return problem(422, "The ballot was refused", protocol::to_error(refused->fault).message,
                   {{"check", protocol::id(refused->fault.check)}, {"refusal", refused->note}});
  }
  const auto& not_now = std::get<NotNow>(answer);
  return problem_retry(503, "", not_now.reason, not_now.again);
}

void take_ballot(Hosted& hosted, Request request, Respond respond) {
  if (hosted.box == nullptr) {
    respond(not_found("this process is no ballot box"));
    return;
  }
  if (!has_type(request, kBinary)) {
    respond(problem(415, "", "send the ballot as application/octet-stream"));
    return;
  }
  if (hosted.record->phase() > Phase::voting) {
    respond(problem(409, "The polls are closed", "no ballots are taken any more"));
    return;
  }
  hosted.box->submit(std::move(request.body),
                     [respond = std::move(respond)](const BallotAnswer& answer) mutable {
                       respond(answer_ballot(answer));
                     });
}

Response find_receipt(const Hosted& hosted, const std::string& text) {
  if (hosted.box == nullptr) {
    return not_found("this process is no ballot box");
  }
  const auto code = protocol::parse_tracking_code(text);
  if (!code.has_value()) {
    return problem(400, "", code.error().message);
  }
  const auto receipt = hosted.box->receipt(*code);
  if (!receipt.has_value()) {
    return problem_retry(503, "", "the box cannot be read at the moment", std::chrono::seconds(5));
  }
  if (!receipt->has_value()) {
    return not_found("no entry has this tracking code");
  }
  return text_response(200, kText, as_bytes(**receipt), "no-store");
}

// --- enrolment
// ------------------------------------------------------------------------------------

Response answer_enrolment(const EnrolmentAnswer& answer) {
  if (const auto* enrolled = std::get_if<Enrolled>(&answer)) {
    return text_response(200, kBinary, enrolled->response, "no-store");
  }
  if (const auto* refused = std::get_if<EnrolmentRefused>(&answer)) {
    using enum EnrolmentRefused::Reason;
    switch (refused->reason) {
      case malformed:
        return problem(400, "", refused->message);
      case not_identified: {
        Response response = problem(401, "", refused->message);
        response.headers.push_back({"WWW-Authenticate", "Bearer error=\"invalid_token\""});
        return response;
      }
      case not_admitted:
        return problem(403, "", refused->message);
      case answered:
        return problem(409, "", refused->message);
    }
  }
  const auto& not_now = std::get<EnrolmentNotNow>(answer);
  return problem_retry(503, "", not_now.reason, not_now.again);
}

void enrol(Hosted& hosted, Request request, const PathParameters& path, Respond respond) {
  const HostedRegistrar* const registrar = find_registrar(hosted, path);
  if (registrar == nullptr) {
    respond(not_found("this process is not that registrar"));
    return;
  }
  if (!has_type(request, kBinary)) {
    respond(problem(415, "", "send the request as application/octet-stream"));
    return;
  }
  std::optional<std::string> bearer;
  if (const std::string* given = request.header("Authorization")) {
    constexpr std::string_view kScheme = "Bearer ";
    if (!given->starts_with(kScheme)) {
      Response response = problem(401, "", "sign in with a bearer token");
      response.headers.push_back({"WWW-Authenticate", "Bearer"});
      respond(std::move(response));
      return;
    }
    bearer = given->substr(kScheme.size());
  }
  registrar->service->submit(std::move(request.body), std::move(bearer),
                             [respond = std::move(respond)](const EnrolmentAnswer& answer) mutable {
                               respond(answer_enrolment(answer));
                             });
}

Response html(const EmbeddedPage& page) {
  Response response =
      text_response(200, "text/html; charset=utf-8", as_bytes(page.html), kRevalidate);
  response.headers.push_back({"Content-Security-Policy", std::string(page.policy)});
  response.headers.push_back({"Referrer-Policy", "no-referrer"});
  return response;
}

// --- routes
// ---------------------------------------------------------------------------------------

// Of the server as a whole.
void add_site_routes(http::Router& router, const ApiContext& context) {
  router.add("GET", "/",
             [](const Request& /*request*/, const PathParameters& /*path*/, Respond respond) {
               respond(html(status_page()));
             });
  router.add("GET", "/openapi.json",
             [](const Request& /*request*/, const PathParameters& /*path*/, Respond respond) {
               respond(text_response(200, "application/json", as_bytes(openapi()), kRevalidate));
             });
  router.add(
      "GET", "/healthz",
      [&context](const Request& /*request*/, const PathParameters& /*path*/, Respond respond) {
        const bool healthy = std::ranges::all_of(
            context.elections, [](const auto& hosted) { return hosted->healthy(); });
        respond(healthy ? json_response({{"healthy", true}})
                        : problem_retry(503, "", "a store does not work", std::chrono::seconds(5)));
      });
  router.add(
      "GET", "/v1/elections",
      [&context](const Request& /*request*/, const PathParameters& /*path*/, Respond respond) {
        Json list = Json::array();
        for (const auto& hosted : context.elections) {
          list.push_back({{"id", hosted->record->id()},
                          {"title", hosted->record->manifest().title},
                          {"phase", name(hosted->record->phase())}});
        }
        respond(json_response(list));
      });
}

// What an election has published.
void add_board_routes(http::Router& router, const ApiContext& context) {
  router.add("GET", "/v1/elections/{id}",
             for_election(context, [&context](Hosted& hosted, const Request& /*request*/,
                                              const PathParameters& /*path*/, Respond respond) {
               in_background(context.workers, std::move(respond),
                             [&hosted] { return json_response(describe(hosted)); });
             }));
  router.add("GET", "/v1/elections/{id}/record/{file...}",
             for_election(context, [&context](Hosted& hosted, const Request& request,
                                              const PathParameters& path, Respond respond) {
               const std::string* known = request.header("If-None-Match");
               in_background(context.workers, std::move(respond),
                             [&hosted, file = path["file"],
                              etag = known != nullptr ? std::optional(*known) : std::nullopt] {
                               return serve_file(hosted, file, etag.has_value() ? &*etag : nullptr);
                             });
             }));
  router.add("GET", "/v1/elections/{id}/events",
             for_election(context, [](Hosted& hosted, const Request& request,
                                      const PathParameters& /*path*/, Respond respond) {
               if (hosted.board == nullptr) {
                 respond(not_found("this process is no board"));
                 return;
               }
               Response response;
               response.events = hosted.board->events();
               response.last_event_id = http::last_event_id(request);
               respond(std::move(response));
             }));
  router.add("GET", "/v1/elections/{id}/live",
             for_election(context, [](Hosted& hosted, const Request& /*request*/,
                                      const PathParameters& /*path*/, Respond respond) {
               if (hosted.board == nullptr) {
                 respond(not_found("this process is no board"));
                 return;
               }
               const auto snapshot = hosted.board->snapshot();
               respond(text_response(200, "application/json", as_bytes(*snapshot), kRevalidate));
             }));
}

// Enrolment and voting.
void add_voter_routes(http::Router& router, const ApiContext& context) {
  router.add("POST", "/v1/elections/{id}/ballots",
             for_election(context,
                          [](Hosted& hosted, Request request, const PathParameters& /*path*/,
                             Respond respond) {
                            take_ballot(hosted, std::move(request), std::move(respond));
                          }),
             crypto::kMaxEntryBytes);
  router.add("GET", "/v1/elections/{id}/receipts/{code}",
             for_election(context, [&context](Hosted& hosted, const Request& /*request*/,
                                              const PathParameters& path, Respond respond) {
               in_background(context.workers, std::move(respond),
                             [&hosted, code = path["code"]] { return find_receipt(hosted, code); });
             }));
  router.add("GET", "/v1/elections/{id}/registrars/{n}",
             for_election(context, [](Hosted& hosted, const Request& /*request*/,
                                      const PathParameters& path, Respond respond) {
               const HostedRegistrar* registrar = find_registrar(hosted, path);
               respond(registrar == nullptr ? not_found("this process is not that registrar")
                                            : json_response(sign_in(*registrar)));
             }));
  router.add("POST", "/v1/elections/{id}/registrars/{n}/credentials",
             for_election(
                 context,
                 [](Hosted& hosted, Request request, const PathParameters& path, Respond respond) {
                   enrol(hosted, std::move(request), path, std::move(respond));
                 }),
             kMaxRequestBytes);
}

}  // namespace

void add_public_routes(http::Router& router, const ApiContext& context) {
  add_site_routes(router, context);
  add_board_routes(router, context);
  add_voter_routes(router, context);
}

}  // namespace psephos::server
