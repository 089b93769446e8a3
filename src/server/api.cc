#include "src/server/api.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "src/http/problem.h"

namespace psephos::server {

using http::PathParameters;
using http::problem;
using http::problem_retry;
using http::Request;
using http::Respond;
using http::Response;

std::optional<std::uint32_t> parse_number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() ||
      (text.size() > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  return value;
}

http::Router::Function for_election(
    const ApiContext& context,
    std::function<void(Hosted&, Request, const PathParameters&, Respond)> function) {
  return [&context, function = std::move(function)](Request request, const PathParameters& path,
                                                    Respond respond) {
    const auto found = std::ranges::find_if(
        context.elections, [&](const auto& hosted) { return hosted->record->id() == path["id"]; });
    if (found == context.elections.end()) {
      respond(problem(404, "", "there is no such election here; GET /v1/elections lists them"));
      return;
    }
    function(**found, std::move(request), path, std::move(respond));
  };
}

const HostedRegistrar* find_registrar(const Hosted& hosted, const PathParameters& path) {
  const auto index = parse_number(path["n"]);
  const auto found = std::ranges::find_if(
      hosted.registrars, [&](const HostedRegistrar& one) { return one.service->index() == index; });
  return found == hosted.registrars.end() ? nullptr : &*found;
}

void in_background(Workers& workers, Respond respond, std::move_only_function<Response()> work) {
  auto shared = std::make_shared<Respond>(std::move(respond));
  Workers::Work job = [shared, work = std::move(work)]() mutable { (*shared)(work()); };
  if (!workers.run(job)) {
    (*shared)(problem_retry(503, "", "the server is busy", std::chrono::seconds(1)));
  }
}

}  // namespace psephos::server
