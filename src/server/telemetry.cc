#include "src/server/telemetry.h"

#include <utility>

namespace psephos::server {

namespace {

// The name of a log as the operators' log takes it.
LogName log_name(const std::string& log) {
  const std::size_t slash = log.find('/');
  if (slash == std::string::npos) {
    return LogName::main();
  }
  const auto number = static_cast<std::uint32_t>(std::stoul(log.substr(slash + 1)));
  return log.starts_with("box/") ? LogName::box(number) : LogName::roll(number);
}

// Writes one event when something begins to fail and another when it works again; both have the
// fields `where`.
template <Event failed, Event resumed, Field... fields>
void tell(Log& log, Outage& outage, ErrorSource source, const Error* error,
          const With<fields>&... where) {
  switch (outage.now(error != nullptr)) {
    case Outage::Change::began:
      log.write<failed>(where..., with<Field::error>(SystemError(source, *error)));
      break;
    case Outage::Change::ended:
      log.write<resumed>(where...);
      break;
    case Outage::Change::none:
      break;
  }
}

template <Field... fields>
void tell_shed(Log& log, Overload& overload, const With<fields>&... where) {
  if (overload.shed(Overload::Clock::now())) {
    log.write<Event::overloaded>(where...);
  }
}

template <Field... fields>
void tell_calm(Log& log, Overload& overload, const With<fields>&... where) {
  if (const auto over = overload.look(Overload::Clock::now()); over.has_value()) {
    log.write<Event::overload_over>(where..., with<Field::seconds>(over->time),
                                    with<Field::shed>(over->shed));
  }
}

}  // namespace

Outage::Change Outage::now(bool failing) {
  const bool before = failing_.exchange(failing);
  if (before == failing) {
    return Change::none;
  }
  return failing ? Change::began : Change::ended;
}

bool Overload::shed(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (shed_ == 0) {
    first_ = now;
  }
  last_ = now;
  return shed_++ == 0;
}

std::optional<Overload::Over> Overload::look(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (shed_ == 0 || now - last_ < kCalm) {
    return std::nullopt;
  }
  return Over{.time = last_ - first_, .shed = std::exchange(shed_, 0)};
}

// --- the box -------------------------------------------------------------------------------------

void BoxTelemetry::on_stage(Stage stage, double seconds) {
  using enum Stage;
  switch (stage) {
    case queue:
      return metrics_.stage(Metrics::Stage::queue, seconds);
    case judge:
      return metrics_.stage(Metrics::Stage::judge, seconds);
    case decide:
      return metrics_.stage(Metrics::Stage::decide, seconds);
    case commit:
      return metrics_.stage(Metrics::Stage::commit, seconds);
    case answer:
      return metrics_.stage(Metrics::Stage::answer, seconds);
  }
}

void BoxTelemetry::on_outcome(Outcome outcome, const protocol::Fault* fault) {
  using enum Outcome;
  switch (outcome) {
    case accepted:
      return metrics_.ballot(Metrics::Ballot::accepted);
    case repeated:
      return metrics_.ballot(Metrics::Ballot::repeated);
    case refused:
      return metrics_.ballot_refused(fault->check);
    case shed:
      tell_shed(log_, overload_, with<Field::election>(election_), with<Field::part>(Part::box));
      return metrics_.ballot(Metrics::Ballot::unavailable);
    case unavailable:
      return metrics_.ballot(Metrics::Ballot::unavailable);
  }
}

void BoxTelemetry::on_store(const Error* error) {
  tell<Event::store_failed, Event::store_recovered>(log_, store_, ErrorSource::store, error,
                                                    with<Field::election>(election_),
                                                    with<Field::part>(Part::box));
}

void BoxTelemetry::on_export(const Error* error) {
  if (error != nullptr) {
    metrics_.export_failed();
  }
  tell<Event::export_failed, Event::export_resumed>(log_, export_, ErrorSource::record, error,
                                                    with<Field::election>(election_),
                                                    with<Field::part>(Part::box));
  // This comes every second or so: a good time to look.
  tell_calm(log_, overload_, with<Field::election>(election_), with<Field::part>(Part::box));
}

// --- a registrar ---------------------------------------------------------------------------------

void RegistrarTelemetry::on_issuance(Outcome outcome, double seconds) {
  using enum Outcome;
  switch (outcome) {
    case issued:
      return metrics_.issuance(Metrics::Issuance::issued, seconds);
    case repeated:
      return metrics_.issuance(Metrics::Issuance::repeated, seconds);
    case refused:
      return metrics_.issuance(Metrics::Issuance::refused, seconds);
    case shed:
      tell_shed(log_, overload_, with<Field::election>(election_),
                with<Field::part>(Part::registrar), with<Field::registrar>(registrar_));
      return metrics_.issuance(Metrics::Issuance::unavailable, seconds);
    case unavailable:
      return metrics_.issuance(Metrics::Issuance::unavailable, seconds);
  }
}

void RegistrarTelemetry::on_identity_provider(const Error* error) {
  tell<Event::identity_provider_failed, Event::identity_provider_resumed>(
      log_, identity_provider_, ErrorSource::identity_provider, error,
      with<Field::election>(election_), with<Field::registrar>(registrar_));
}

void RegistrarTelemetry::on_registrar_store(const Error* error) {
  tell<Event::store_failed, Event::store_recovered>(
      log_, store_, ErrorSource::store, error, with<Field::election>(election_),
      with<Field::part>(Part::registrar), with<Field::registrar>(registrar_));
}

void RegistrarTelemetry::on_registrar_export(const Error* error) {
  if (error != nullptr) {
    metrics_.export_failed();
  }
  tell<Event::export_failed, Event::export_resumed>(
      log_, export_, ErrorSource::record, error, with<Field::election>(election_),
      with<Field::part>(Part::registrar), with<Field::registrar>(registrar_));
  tell_calm(log_, overload_, with<Field::election>(election_), with<Field::part>(Part::registrar),
            with<Field::registrar>(registrar_));
}

// --- the board -----------------------------------------------------------------------------------

void BoardTelemetry::on_mirror(const std::string& log, const Error* error) {
  if (error != nullptr) {
    metrics_.mirror_failed();
  }
  tell<Event::mirror_failed, Event::mirror_resumed>(log_, mirrors_[log], ErrorSource::record, error,
                                                    with<Field::election>(election_),
                                                    with<Field::log>(log_name(log)));
}

void BoardTelemetry::on_conflict(const network::Conflict& conflict) {
  log_.write<Event::mirror_conflict>(with<Field::election>(election_),
                                     with<Field::log>(log_name(conflict.log)),
                                     with<Field::conflict>(conflict.kind));
}

void BoardTelemetry::on_live(const Error* error) {
  tell<Event::live_failed, Event::live_resumed>(log_, live_, ErrorSource::record, error,
                                                with<Field::election>(election_));
}

}  // namespace psephos::server
