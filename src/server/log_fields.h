// What the server's log can say: the whole list. To audit the log is to read this file.
//
// A line has an event and its fields. Both are the enumerations below; an event has only the fields
// that kEvents gives it, and a field only values of the type that kFields gives it. The compiler
// refuses everything else. There are no fields for voters, addresses, tokens, paths of requests,
// credentials, tracking codes, digests or free text, and no events for single requests, issuances
// or ballots: a line about one of them would tie it to a time. Those are counted (metrics.h).
//
// Elections are named by their position in the configuration: a field that took digests would take
// tracking codes.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "psephos/error.h"
#include "psephos/network/mirror.h"
#include "psephos/protocol/main_log.h"

#include "src/server/config.h"

namespace psephos::server {

// --- values --------------------------------------------------------------------------------------

// LogName is the name of a log: "main", "box/0", "roll/0".
class LogName {
 public:
  [[nodiscard]] static LogName main() { return LogName("main"); }
  [[nodiscard]] static LogName box(std::uint32_t shard) {
    return LogName(protocol::Manifest::box_log(shard));
  }
  [[nodiscard]] static LogName roll(std::uint32_t registrar) {
    return LogName(protocol::Manifest::roll_log(registrar));
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  explicit LogName(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// Where an error that may be logged comes from.
enum class ErrorSource : std::uint8_t {
  tls,                // certificates and keys
  files,              // the log's own file
  record,             // public logs and files, mirrored or exported
  store,              // SQLite
  identity_provider,  // its documents, not tokens
};
[[nodiscard]] std::string_view name(ErrorSource source);

// SystemError is the text of an error of the machine. Errors about what a client sent are no such
// errors; in case one comes along nevertheless, the two sources that also see voters' data (store,
// identity_provider) give the text of Errc::environment alone, runs of 32 letters and digits or
// more (tracking codes, digests, keys, tokens) are blotted out, and long texts are cut.
class SystemError {
 public:
  SystemError(ErrorSource source, const Error& error);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

enum class AdminCall : std::uint8_t { extend_main, stop, resume, import_roll };
enum class CallOutcome : std::uint8_t { done, repeated, refused, failed };
enum class Listener : std::uint8_t { common, admin };
enum class StopSignal : std::uint8_t { terminate, interrupt };
enum class Part : std::uint8_t { http, admin, box, registrar };
// The version of this program.
struct ThisVersion {};

[[nodiscard]] std::string_view name(AdminCall call);
[[nodiscard]] std::string_view name(CallOutcome outcome);
[[nodiscard]] std::string_view name(Listener listener);
[[nodiscard]] std::string_view name(StopSignal signal);
[[nodiscard]] std::string_view name(Part part);
[[nodiscard]] std::string_view name(network::Conflict::Kind kind);

// --- fields --------------------------------------------------------------------------------------

enum class Kind : std::uint8_t {
  number,
  seconds,
  log,
  role,
  phase,
  error,
  call,
  outcome,
  listener,
  signal,
  part,
  conflict,
  version,
};
template <Kind kind>
struct ValueOf;
// clang-format off
template <> struct ValueOf<Kind::number> { using Type = std::uint64_t; };
template <> struct ValueOf<Kind::seconds> { using Type = std::chrono::nanoseconds; };
template <> struct ValueOf<Kind::log> { using Type = LogName; };
template <> struct ValueOf<Kind::role> { using Type = Role; };
template <> struct ValueOf<Kind::phase> { using Type = protocol::MainLog::Phase; };
template <> struct ValueOf<Kind::error> { using Type = SystemError; };
template <> struct ValueOf<Kind::call> { using Type = AdminCall; };
template <> struct ValueOf<Kind::outcome> { using Type = CallOutcome; };
template <> struct ValueOf<Kind::listener> { using Type = Listener; };
template <> struct ValueOf<Kind::signal> { using Type = StopSignal; };
template <> struct ValueOf<Kind::part> { using Type = Part; };
template <> struct ValueOf<Kind::conflict> { using Type = network::Conflict::Kind; };
template <> struct ValueOf<Kind::version> { using Type = ThisVersion; };
// clang-format on

enum class Field : std::uint8_t {
  version,
  role,
  elections,
  listener,
  port,
  signal,
  connections,
  seconds,
  election,
  phase,
  registrar,
  log,
  entries,
  voters,
  call,
  outcome,
  part,
  conflict,
  shed,
  error,
};
struct FieldSpec {
  Field field;
  std::string_view name;
  Kind kind;
};
inline constexpr std::array kFields{
    FieldSpec{Field::version, "version", Kind::version},
    FieldSpec{Field::role, "role", Kind::role},
    FieldSpec{Field::elections, "elections", Kind::number},  // how many are served
    FieldSpec{Field::listener, "listener", Kind::listener},
    FieldSpec{Field::port, "port", Kind::number},  // ours
    FieldSpec{Field::signal, "signal", Kind::signal},
    FieldSpec{Field::connections, "connections", Kind::number},  // how many are open
    FieldSpec{Field::seconds, "seconds", Kind::seconds},         // how long it took
    FieldSpec{Field::election, "election", Kind::number},        // position in the configuration
    FieldSpec{Field::phase, "phase", Kind::phase},
    FieldSpec{Field::registrar, "registrar", Kind::number},  // as in the manifest
    FieldSpec{Field::log, "log", Kind::log},
    FieldSpec{Field::entries, "entries", Kind::number},  // how many
    FieldSpec{Field::voters, "voters", Kind::number},    // how many on a list
    FieldSpec{Field::call, "call", Kind::call},
    FieldSpec{Field::outcome, "outcome", Kind::outcome},
    FieldSpec{Field::part, "part", Kind::part},
    FieldSpec{Field::conflict, "conflict", Kind::conflict},
    FieldSpec{Field::shed, "shed", Kind::number},  // requests turned away while overloaded
    FieldSpec{Field::error, "error", Kind::error},
};
consteval const FieldSpec& spec(Field field) {
  return *std::ranges::find(kFields, field, &FieldSpec::field);
}
template <Field field>
using FieldValue = typename ValueOf<spec(field).kind>::Type;

// --- events --------------------------------------------------------------------------------------

enum class Event : std::uint8_t {
  starting,
  roles_together,
  listening,
  ready,
  certificates_reloaded,
  certificates_kept,
  draining,
  stopped,
  failed,
  election_loaded,
  phase_changed,
  store_failed,
  store_recovered,
  export_failed,
  export_resumed,
  mirror_failed,
  mirror_resumed,
  mirror_conflict,
  identity_provider_failed,
  identity_provider_resumed,
  admin_call,
  admin_not_allowed,
  roll_imported,
  overloaded,
  overload_over,
  live_failed,
  live_resumed,
  internal_error,
};
struct EventSpec {
  static constexpr std::size_t kMaxFields = 5;
  consteval EventSpec(Event an_event, std::string_view a_name, LogLevel a_level,
                      std::initializer_list<Field> its_fields)
      : event(an_event), name(a_name), level(a_level), num_fields(its_fields.size()) {
    std::ranges::copy(its_fields, fields.begin());
  }
  [[nodiscard]] constexpr bool has(Field field) const {
    return std::find(fields.begin(), fields.begin() + num_fields, field) !=
           fields.begin() + num_fields;
  }
  Event event;
  std::string_view name;
  LogLevel level;
  std::array<Field, kMaxFields> fields{};
  std::size_t num_fields;
};
inline constexpr std::array kEvents{
    EventSpec{Event::starting,
              "starting",
              LogLevel::info,
              {Field::version, Field::role, Field::elections}},
    // One process knows who and what: only the software keeps them apart.
    EventSpec{Event::roles_together, "roles_together", LogLevel::warn, {Field::role}},
    EventSpec{Event::listening, "listening", LogLevel::info, {Field::listener, Field::port}},
    EventSpec{Event::ready, "ready", LogLevel::info, {Field::seconds}},
    EventSpec{
        Event::certificates_reloaded, "certificates_reloaded", LogLevel::info, {Field::listener}},
    EventSpec{Event::certificates_kept,
              "certificates_kept",
              LogLevel::error,
              {Field::listener, Field::error}},
    EventSpec{Event::draining, "draining", LogLevel::info, {Field::signal, Field::connections}},
    EventSpec{Event::stopped, "stopped", LogLevel::info, {Field::seconds}},
    EventSpec{Event::failed, "failed", LogLevel::error, {Field::error}},
    EventSpec{Event::election_loaded,
              "election_loaded",
              LogLevel::info,
              {Field::election, Field::phase, Field::seconds}},
    EventSpec{
        Event::phase_changed, "phase_changed", LogLevel::info, {Field::election, Field::phase}},
    EventSpec{Event::store_failed,
              "store_failed",
              LogLevel::error,
              {Field::election, Field::part, Field::registrar, Field::error}},
    EventSpec{Event::store_recovered,
              "store_recovered",
              LogLevel::info,
              {Field::election, Field::part, Field::registrar}},
    EventSpec{Event::export_failed,
              "export_failed",
              LogLevel::error,
              {Field::election, Field::part, Field::registrar, Field::error}},
    EventSpec{Event::export_resumed,
              "export_resumed",
              LogLevel::info,
              {Field::election, Field::part, Field::registrar}},
    EventSpec{Event::mirror_failed,
              "mirror_failed",
              LogLevel::warn,
              {Field::election, Field::log, Field::error}},
    EventSpec{
        Event::mirror_resumed, "mirror_resumed", LogLevel::info, {Field::election, Field::log}},
    // A log's key has signed what cannot both be so; the two checkpoints are kept beside the
    // record.
    EventSpec{Event::mirror_conflict,
              "mirror_conflict",
              LogLevel::error,
              {Field::election, Field::log, Field::conflict}},
    EventSpec{Event::identity_provider_failed,
              "identity_provider_failed",
              LogLevel::warn,
              {Field::election, Field::registrar, Field::error}},
    EventSpec{Event::identity_provider_resumed,
              "identity_provider_resumed",
              LogLevel::info,
              {Field::election, Field::registrar}},
    EventSpec{Event::admin_call,
              "admin_call",
              LogLevel::info,
              {Field::election, Field::call, Field::outcome, Field::entries}},
    // A call without the token or certificate it needs.
    EventSpec{Event::admin_not_allowed, "admin_not_allowed", LogLevel::warn, {}},
    EventSpec{Event::roll_imported,
              "roll_imported",
              LogLevel::info,
              {Field::election, Field::registrar, Field::voters}},
    // Requests are turned away for want of room; over when none was for a while.
    EventSpec{Event::overloaded,
              "overloaded",
              LogLevel::warn,
              {Field::election, Field::part, Field::registrar}},
    EventSpec{Event::overload_over,
              "overload_over",
              LogLevel::info,
              {Field::election, Field::part, Field::registrar, Field::seconds, Field::shed}},
    EventSpec{Event::live_failed, "live_failed", LogLevel::warn, {Field::election, Field::error}},
    EventSpec{Event::live_resumed, "live_resumed", LogLevel::info, {Field::election}},
    // A fault of this program; what was being handled is not said.
    EventSpec{Event::internal_error, "internal_error", LogLevel::error, {Field::part}},
};
consteval const EventSpec& spec(Event event) {
  return *std::ranges::find(kEvents, event, &EventSpec::event);
}

}  // namespace psephos::server
