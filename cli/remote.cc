#include "cli/remote.h"

#include <algorithm>
#include <array>

#include "psephos/network/url.h"

#include "src/json/parse.h"

namespace psephos::cli {

using network::HttpRequest;
using network::HttpResponse;

namespace {

constexpr unsigned kOk = 200;
constexpr unsigned kNotFound = 404;
constexpr unsigned kUnprocessable = 422;
constexpr unsigned kTooManyRequests = 429;
constexpr unsigned kServerError = 500;
constexpr std::size_t kMaxAnswerBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxSaidBytes = 1000;
constexpr std::string_view kBinary = "application/octet-stream";

// A member of an object, if it is a text.
const std::string* text_member(const Json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get_ptr<const std::string*>()
                                                       : nullptr;
}

std::string text_or(const Json& object, const char* name, const std::string& otherwise) {
  const std::string* text = text_member(object, name);
  return text == nullptr ? otherwise : *text;
}

// Neither object nor list, if it is not to be read.
Json parse(ByteView body) { return json::parse<Json>(as_text(body)).value_or(Json()); }

// The server did not do its part; the same request may do later.
bool is_unwell(unsigned status) { return status == kTooManyRequests || status >= kServerError; }

Errc family(unsigned status) { return is_unwell(status) ? Errc::environment : Errc::rejected; }

}  // namespace

std::string election_path(const Digest32& election) { return "v1/elections/" + hex(election); }

std::string problem_text(const HttpResponse& response) {
  const Json problem = parse(response.body);
  std::string said;
  if (problem.is_object()) {
    said = text_or(problem, "detail", text_or(problem, "title", ""));
  }
  if (said.size() > kMaxSaidBytes) {
    said.resize(kMaxSaidBytes);
  }
  const std::string status = std::to_string(response.status);
  if (!said.empty()) {
    return printable(said) + " (" + status + ")";
  }
  const std::string* location = response.header("Location");
  return "the server answers " + status +
         (location == nullptr
              ? ""
              : " and sends to " + printable(*location) + "; give that URL if you trust it");
}

Result<Server> Server::create(network::HttpClient& client, std::string url, Patience patience) {
  PSEPHOS_TRY(const std::string base, network::join(url, ""));
  if (url.find('?') != std::string::npos) {
    return fail(Errc::misuse, printable(url) + ": is not the URL of a server");
  }
  return Server(client, base, std::move(patience));
}

Result<void> Server::keep_private(std::string_view what) const {
  PSEPHOS_TRY(const network::Url url, network::Url::parse(url_));
  if (url.secure || network::is_this_machine(url.host)) {
    return {};
  }
  return fail(Errc::misuse, url_ + ": " + std::string(what) +
                                " is not sent where others could read it; give an https URL");
}

Result<void> Server::authorize(const SecretBuffer& token) {
  PSEPHOS_CHECK_OK(keep_private("the token"));
  const std::string_view text = as_text(token.expose_secret());
  if (text.empty() || std::ranges::any_of(text, [](char c) { return c <= ' ' || c > '~'; })) {
    return fail(Errc::malformed, "the token has characters that no token has");
  }
  token_ = text;
  return {};
}

std::string Server::record_url(const Digest32& election) const {
  return at(election_path(election) + "/record/");
}

Result<HttpResponse> Server::send(const std::string& path, HttpRequest request) const {
  // Every request of this API does the same when it is sent again.
  request.repeatable = true;
  if (!token_.empty()) {
    request.headers.push_back({.name = "Authorization", .value = "Bearer " + token_});
  }
  return network::send_patiently(*client_, at(path), request, kMaxAnswerBytes, patience_);
}

Result<HttpResponse> Server::get(const std::string& path) const {
  return send(path, {.method = "GET", .headers = {{"Accept", "application/json"}}, .body = {}});
}

Result<Json> Server::object(const std::string& path, const HttpResponse& response) const {
  if (response.status != kOk) {
    return fail(family(response.status), at(path) + ": " + problem_text(response));
  }
  Json json = parse(response.body);
  if (!json.is_object()) {
    return fail(Errc::malformed, at(path) + ": the answer is no JSON object; is it psephosd?");
  }
  return json;
}

Result<std::vector<Server::Listed>> Server::elections() const {
  const std::string path = "v1/elections";
  PSEPHOS_TRY(const HttpResponse response, get(path));
  if (response.status != kOk) {
    return fail(family(response.status), at(path) + ": " + problem_text(response));
  }
  const Json json = parse(response.body);
  if (!json.is_array()) {
    return fail(Errc::malformed, at(path) + ": the answer is no list; is it psephosd?");
  }
  std::vector<Listed> list;
  for (const Json& item : json) {
    const std::string* id = item.is_object() ? text_member(item, "id") : nullptr;
    if (id == nullptr || !unhex32(*id).has_value()) {
      return fail(Errc::malformed, at(path) + ": lists something that is no election");
    }
    list.push_back(
        {.id = *id, .title = text_or(item, "title", ""), .phase = text_or(item, "phase", "")});
  }
  return list;
}

Result<Digest32> Server::only_election() const {
  PSEPHOS_TRY(const auto list, elections());
  if (list.size() == 1) {
    return unhex32(list.front().id);
  }
  std::string names;
  for (const Listed& listed : list) {
    names += "\n  " + listed.id + "  " + printable(listed.title);
  }
  return fail(Errc::misuse, url_ + ": has " + std::to_string(list.size()) +
                                " elections; name one with --election" + names);
}

Result<std::optional<Json>> Server::state(const Digest32& election) const {
  const std::string path = election_path(election);
  PSEPHOS_TRY(const HttpResponse response, get(path));
  if (response.status == kNotFound) {
    return std::nullopt;
  }
  PSEPHOS_TRY(Json json, object(path, response));
  return json;
}

Result<SignIn> Server::sign_in(const Digest32& election, std::uint32_t registrar) const {
  // Whoever can change this answer chooses where the voter signs in.
  PSEPHOS_CHECK_OK(keep_private("how a voter proves who they are"));
  const std::string path = election_path(election) + "/registrars/" + std::to_string(registrar);
  PSEPHOS_TRY(const HttpResponse response, get(path));
  PSEPHOS_TRY(const Json json, object(path, response));
  SignIn sign_in;
  const auto codes = json.find("codes");
  const auto oidc = json.find("oidc");
  sign_in.codes = codes != json.end() && codes->is_boolean() && codes->get<bool>();
  if (oidc == json.end()) {
    return sign_in;
  }
  const auto member = [&](const char* name) -> const std::string* {
    return oidc->is_object() ? text_member(*oidc, name) : nullptr;
  };
  const std::string* issuer = member("issuer");
  const std::string* client_id = member("client_id");
  const std::string* scope = member("scope");
  const std::string* resource = member("resource");
  if (issuer == nullptr || client_id == nullptr || scope == nullptr ||
      (resource == nullptr && oidc->contains("resource"))) {
    return fail(Errc::malformed, at(path) + ": oidc: must name issuer, client_id and scope");
  }
  sign_in.provider = {.issuer = *issuer,
                      .client = {.client_id = *client_id,
                                 .scope = *scope,
                                 .resource = resource == nullptr ? "" : *resource}};
  return sign_in;
}

Result<Bytes> Server::enrol(const Digest32& election, std::uint32_t registrar, ByteView request,
                            const SecretBuffer* bearer) const {
  PSEPHOS_CHECK_OK(keep_private("what proves who the voter is"));
  const std::string path =
      election_path(election) + "/registrars/" + std::to_string(registrar) + "/credentials";
  HttpRequest message{.method = "POST",
                      .headers = {{"Content-Type", std::string(kBinary)}},
                      .body = Bytes(request.begin(), request.end())};
  if (bearer != nullptr) {
    message.headers.push_back(
        {"Authorization", "Bearer " + std::string(as_text(bearer->expose_secret()))});
  }
  PSEPHOS_TRY(HttpResponse response, send(path, std::move(message)));
  if (response.status != kOk) {
    return fail(family(response.status), at(path) + ": " + problem_text(response));
  }
  return std::move(response.body);
}

Result<BallotAnswer> Server::submit(const Digest32& election, ByteView entry) const {
  const std::string path = election_path(election) + "/ballots";
  auto response = send(path, {.method = "POST",
                              .headers = {{"Content-Type", std::string(kBinary)}},
                              .body = Bytes(entry.begin(), entry.end())});
  if (!response.has_value()) {
    if (response.error().code == Errc::misuse) {
      return std::unexpected(response.error());
    }
    // Also what is no HTTP: a hotel's network answers like that.
    return NotNow{response.error().message};
  }
  if (response->status == kOk) {
    return Receipt{std::string(as_text(response->body))};
  }
  if (response->status == kUnprocessable) {
    const Json json = parse(response->body);
    const std::string* refusal = json.is_object() ? text_member(json, "refusal") : nullptr;
    if (refusal != nullptr) {
      return Refused{.refusal = *refusal, .reason = problem_text(*response)};
    }
  }
  std::string message = at(path) + ": " + problem_text(*response);
  if (is_unwell(response->status)) {
    return NotNow{std::move(message)};
  }
  return fail(Errc::rejected, std::move(message));
}

Result<std::optional<std::string>> Server::receipt(const Digest32& election,
                                                   const protocol::TrackingCode& code) const {
  const std::string path = election_path(election) + "/receipts/" + protocol::print(code);
  PSEPHOS_TRY(const HttpResponse response, send(path, {}));
  if (response.status == kNotFound) {
    return std::nullopt;
  }
  if (response.status != kOk) {
    return fail(family(response.status), at(path) + ": " + problem_text(response));
  }
  return std::string(as_text(response.body));
}

Result<HttpResponse> Server::administer(const Digest32& election, const std::string& path,
                                        std::string_view content_type, Bytes body) const {
  const std::string whole = election_path(election) + "/" + path;
  HttpRequest request{.method = "POST", .headers = {}, .body = std::move(body)};
  if (!content_type.empty()) {
    request.headers.push_back({"Content-Type", std::string(content_type)});
  }
  PSEPHOS_TRY(HttpResponse response, send(whole, std::move(request)));
  if (response.status != kOk) {
    return fail(family(response.status), at(whole) + ": " + problem_text(response));
  }
  return response;
}

}  // namespace psephos::cli
