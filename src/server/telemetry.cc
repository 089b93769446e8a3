#include "src/server/telemetry.h"

namespace psephos::server {

namespace {

std::size_t position(Part part) { return part == Part::box ? 0 : 1; }

// The name of a log as the operators' log takes it.
LogName log_name(const std::string& log) {
  const std::size_t slash = log.find('/');
  if (slash == std::string::npos) {
    return LogName::main();
  }
  const auto number = static_cast<std::uint32_t>(std::stoul(log.substr(slash + 1)));
  return log.starts_with("box/") ? LogName::box(number) : LogName::roll(number);
}

}  // namespace

void Telemetry::on_stage(Stage stage, double seconds) {
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

void Telemetry::on_outcome(BoxObserver::Outcome outcome, const protocol::Fault* fault) {
  using enum BoxObserver::Outcome;
  switch (outcome) {
    case accepted:
      return metrics_.ballot(Metrics::Ballot::accepted);
    case repeated:
      return metrics_.ballot(Metrics::Ballot::repeated);
    case refused:
      return metrics_.ballot_refused(fault->check);
    case unavailable:
      return metrics_.ballot(Metrics::Ballot::unavailable);
  }
}

void Telemetry::on_issuance(RegistrarObserver::Outcome outcome, double seconds) {
  using enum RegistrarObserver::Outcome;
  switch (outcome) {
    case issued:
      return metrics_.issuance(Metrics::Issuance::issued, seconds);
    case repeated:
      return metrics_.issuance(Metrics::Issuance::repeated, seconds);
    case refused:
      return metrics_.issuance(Metrics::Issuance::refused, seconds);
    case unavailable:
      return metrics_.issuance(Metrics::Issuance::unavailable, seconds);
  }
}

void Telemetry::store(Part part, Metrics::Store kind, const Error* error) {
  metrics_.store_healthy(election_, kind, error == nullptr);
  const bool failed_before = store_failed_[position(part)].exchange(error != nullptr);
  if (error != nullptr && !failed_before) {
    log_.write<Event::store_failed>(with<Field::election>(election_), with<Field::part>(part),
                                    with<Field::error>(SystemError(ErrorSource::store, *error)));
  } else if (error == nullptr && failed_before) {
    log_.write<Event::store_recovered>(with<Field::election>(election_), with<Field::part>(part));
  }
}

void Telemetry::exported(Part part, const Error* error) {
  if (error != nullptr) {
    metrics_.export_failed();
  }
  const bool failed_before = export_failed_[position(part)].exchange(error != nullptr);
  if (error != nullptr && !failed_before) {
    log_.write<Event::export_failed>(with<Field::election>(election_), with<Field::part>(part),
                                     with<Field::error>(SystemError(ErrorSource::record, *error)));
  } else if (error == nullptr && failed_before) {
    log_.write<Event::export_resumed>(with<Field::election>(election_), with<Field::part>(part));
  }
}

void Telemetry::on_mirror(const std::string& log, const Error* error) {
  if (error != nullptr) {
    metrics_.mirror_failed();
  }
  const bool failed_before = mirror_failed_.exchange(error != nullptr);
  if (error != nullptr && !failed_before) {
    log_.write<Event::mirror_failed>(with<Field::election>(election_),
                                     with<Field::log>(log_name(log)),
                                     with<Field::error>(SystemError(ErrorSource::record, *error)));
  } else if (error == nullptr && failed_before) {
    log_.write<Event::mirror_resumed>(with<Field::election>(election_),
                                      with<Field::log>(log_name(log)));
  }
}

void Telemetry::on_live(const Error* error) {
  const bool failed_before = live_failed_.exchange(error != nullptr);
  if (error != nullptr && !failed_before) {
    log_.write<Event::live_failed>(with<Field::election>(election_),
                                   with<Field::error>(SystemError(ErrorSource::record, *error)));
  } else if (error == nullptr && failed_before) {
    log_.write<Event::live_resumed>(with<Field::election>(election_));
  }
}

}  // namespace psephos::server
