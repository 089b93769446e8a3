// What the services of one election report, as metrics and log lines.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "src/server/box_service.h"
#include "src/server/log.h"
#include "src/server/metrics.h"
#include "src/server/registrar_service.h"

namespace psephos::server {

// Telemetry counts everything and logs changes of state only: that a store failed, and that it
// works again.
class Telemetry final : public BoxObserver, public RegistrarObserver {
 public:
  Telemetry(std::size_t election, Metrics& metrics, Log& log)
      : election_(election), metrics_(metrics), log_(log) {}

  void on_stage(Stage stage, double seconds) override;
  void on_batch(std::size_t entries) override { metrics_.batch(entries); }
  void on_outcome(BoxObserver::Outcome outcome, const protocol::Fault* fault) override;
  void on_store(const Error* error) override { store(Part::box, Metrics::Store::box, error); }
  void on_export(const Error* error) override { exported(Part::box, error); }
  void on_commit(double seconds) override { metrics_.store_commit(Metrics::Store::box, seconds); }

  void on_issuance(RegistrarObserver::Outcome outcome, double seconds) override;
  void on_registrar_store(const Error* error) override {
    store(Part::registrar, Metrics::Store::registrar, error);
  }
  void on_registrar_export(const Error* error) override { exported(Part::registrar, error); }

  void on_mirror(const std::string& log, const Error* error);
  void on_live(const Error* error);

 private:
  void store(Part part, Metrics::Store kind, const Error* error);
  void exported(Part part, const Error* error);

  const std::size_t election_;
  Metrics& metrics_;
  Log& log_;
  std::atomic<bool> store_failed_[2] = {false, false};   // box, registrar
  std::atomic<bool> export_failed_[2] = {false, false};  // box, registrar
  std::atomic<bool> mirror_failed_ = false;
  std::atomic<bool> live_failed_ = false;
};

}  // namespace psephos::server
