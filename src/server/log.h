// The server's log for its operators: one line of JSON for each event. What it can say at all
// stands in log_fields.h.
//
//   {"time":"2026-11-22T16:30:50.123Z","level":"info","event":"listening","listener":"common",
//    "port":8080}                                                                    (on one line)
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "psephos/error.h"

#include "src/server/config.h"
#include "src/server/log_fields.h"
#include "src/server/phase.h"

namespace psephos::server {

// A field with its value: with<Field::port>(8080).
template <Field field>
struct With {
  FieldValue<field> value;
};
template <Field field>
[[nodiscard]] With<field> with(std::type_identity_t<FieldValue<field>> value) {
  return {std::move(value)};
}

// Log may be used by several threads. It never fails its caller: a line that cannot be written is
// lost, and spdlog says so on standard error.
class Log {
 public:
  // create opens the file, to append to it, or takes standard error. Errc::environment: it cannot.
  static Result<std::unique_ptr<Log>> create(const LogConfig& config);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();

  // write<Event::listening>(with<Field::listener>(…), with<Field::port>(…)): an event with some of
  // its fields, in this order.
  template <Event event, Field... fields>
  void write(const With<fields>&... values) {
    static_assert((spec(event).has(fields) && ...), "log_fields.h: the event lacks this field");
    write_line(spec(event), {Rendered{spec(fields).name, render(values.value)}...});
  }

  // reopen begins a file of the same name anew, after the old one was moved away.
  Result<void> reopen();

 private:
  class Sink;
  struct Rendered {
    std::string_view name;
    std::string json;
  };
  explicit Log(std::unique_ptr<Sink> sink);
  static std::string render(std::uint64_t value);
  static std::string render(std::chrono::nanoseconds value);
  static std::string render(const LogName& value) { return text(value.text()); }
  static std::string render(const SystemError& value) { return text(value.text()); }
  static std::string render(ThisVersion value);
  template <class Word>
    requires std::is_enum_v<Word>
  static std::string render(Word value) {
    return text(name(value));
  }
  static std::string text(std::string_view value);
  void write_line(const EventSpec& event, std::initializer_list<Rendered> fields);

  std::unique_ptr<Sink> sink_;
};

}  // namespace psephos::server
