// Which function answers which request.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/http/message.h"

namespace psephos::http {

// The values of the parameters of a path template.
class PathParameters {
 public:
  explicit PathParameters(std::vector<std::pair<std::string, std::string>> values)
      : values_(std::move(values)) {}
  // The value of a parameter of the route's template; empty if it has no such parameter.
  [[nodiscard]] const std::string& operator[](std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

// Router is a Handler made of routes. A template's segment "{name}" stands for any one segment;
// "{name...}", at the end, for one or more. A path is answered by the route with the fewest
// parameters. HEAD goes where GET goes; other methods are answered with 405, other paths with 404.
class Router final : public Handler {
 public:
  using Function = std::function<void(Request, PathParameters, Respond)>;
  struct Route {
    std::string method;
    std::string path;  // the template
  };

  // All routes are added before the server starts. max_body: how long a body may be, if more or
  // less than the server's options say.
  void add(std::string method, std::string path, Function function,
           std::optional<std::size_t> max_body = std::nullopt);
  // A guard sees the head of every request, whatever its path; what it answers is the answer.
  using Guard = std::function<std::optional<Response>(const Request& head)>;
  void set_guard(Guard guard) { guard_ = std::move(guard); }
  [[nodiscard]] std::vector<Route> routes() const;

  void handle(Request request, Respond respond) override;
  [[nodiscard]] Admission admit(const Request& head) const override;
  [[nodiscard]] std::string route(std::string_view method, std::string_view path) const override;

 private:
  struct Entry {
    Route route;
    std::vector<std::string> segments;
    std::size_t parameters;
    Function function;
    std::optional<std::size_t> max_body;
  };
  [[nodiscard]] const Entry* find(std::string_view method, std::string_view path) const;
  [[nodiscard]] std::string allowed(std::string_view path) const;

  std::vector<Entry> entries_;
  Guard guard_;
};

}  // namespace psephos::http
