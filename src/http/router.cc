#include "src/http/router.h"

#include <algorithm>

#include "psephos/error.h"

#include "src/http/problem.h"

namespace psephos::http {

namespace {

template <class Text>
std::vector<Text> split(std::string_view path) {
  std::vector<Text> segments;
  for (std::size_t begin = 1; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    segments.emplace_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

bool is_parameter(std::string_view segment) {
  return segment.starts_with('{') && segment.ends_with('}');
}
bool takes_rest(std::string_view segment) {
  return is_parameter(segment) && segment.ends_with("...}");
}
std::string_view parameter_name(std::string_view segment) {
  return segment.substr(1, segment.size() - (takes_rest(segment) ? 5 : 2));
}

bool matches(const std::vector<std::string>& pattern, std::string_view path) {
  const auto segments = split<std::string_view>(path);
  const bool open = !pattern.empty() && takes_rest(pattern.back());
  if (open ? segments.size() < pattern.size() : segments.size() != pattern.size()) {
    return false;
  }
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (is_parameter(pattern[i]) ? segments[i].empty() : segments[i] != pattern[i]) {
      return false;
    }
  }
  return true;
}

PathParameters parameters_of(const std::vector<std::string>& pattern, std::string_view path) {
  std::vector<std::pair<std::string, std::string>> values;
  const auto segments = split<std::string_view>(path);
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (is_parameter(pattern[i])) {
      const std::string_view value =
          takes_rest(pattern[i])
              ? path.substr(static_cast<std::size_t>(segments[i].data() - path.data()))
              : segments[i];
      values.emplace_back(parameter_name(pattern[i]), value);
    }
  }
  return PathParameters(std::move(values));
}

bool serves(std::string_view route, std::string_view method) {
  return route == method || (method == "HEAD" && route == "GET");
}

}  // namespace

const std::string& PathParameters::operator[](std::string_view name) const {
  static const std::string none;
  const auto found = std::ranges::find(
      values_, name, [](const auto& value) -> std::string_view { return value.first; });
  return found == values_.end() ? none : found->second;
}

void Router::add(std::string method, std::string path, Function function,
                 std::optional<std::size_t> max_body) {
  PSEPHOS_CHECK(path.starts_with('/'));
  auto segments = split<std::string>(path);
  const auto parameters = static_cast<std::size_t>(std::ranges::count_if(segments, is_parameter));
  entries_.push_back({{std::move(method), std::move(path)},
                      std::move(segments),
                      parameters,
                      std::move(function),
                      max_body});
}

std::vector<Router::Route> Router::routes() const {
  std::vector<Route> routes;
  routes.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    routes.push_back(entry.route);
  }
  return routes;
}

const Router::Entry* Router::find(std::string_view method, std::string_view path) const {
  const Entry* best = nullptr;
  for (const Entry& entry : entries_) {
    if (serves(entry.route.method, method) && matches(entry.segments, path) &&
        (best == nullptr || entry.parameters < best->parameters)) {
      best = &entry;
    }
  }
  return best;
}

std::string Router::allowed(std::string_view path) const {
  std::vector<std::string> methods;
  for (const Entry& entry : entries_) {
    if (matches(entry.segments, path)) {
      methods.push_back(entry.route.method);
      if (entry.route.method == "GET") {
        methods.emplace_back("HEAD");
      }
    }
  }
  std::ranges::sort(methods);
  const auto repeated = std::ranges::unique(methods);
  methods.erase(repeated.begin(), repeated.end());
  std::string text;
  for (const std::string& method : methods) {
    text += (text.empty() ? "" : ", ") + method;
  }
  return text;
}

void Router::handle(Request request, Respond respond) {
  if (const Entry* entry = find(request.method, request.path); entry != nullptr) {
    PathParameters parameters = parameters_of(entry->segments, request.path);
    entry->function(std::move(request), std::move(parameters), std::move(respond));
    return;
  }
  const std::string methods = allowed(request.path);
  if (methods.empty()) {
    respond(problem(404, "", "Nothing is published under this path."));
    return;
  }
  Response response = problem(405, "", "This path takes " + methods + ".");
  response.headers.push_back({"Allow", methods});
  respond(std::move(response));
}

Handler::Admission Router::admit(const Request& head) const {
  if (guard_) {
    if (auto answer = guard_(head); answer.has_value()) {
      return std::unexpected(*std::move(answer));
    }
  }
  const Entry* entry = find(head.method, head.path);
  return entry == nullptr ? std::nullopt : entry->max_body;
}

std::string Router::route(std::string_view method, std::string_view path) const {
  const Entry* entry = find(method, path);
  return entry == nullptr ? std::string() : entry->route.path;
}

}  // namespace psephos::http
