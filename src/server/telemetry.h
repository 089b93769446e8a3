// What the services of one election report, as metrics and log lines. Everything is counted;
// logged are changes of state only: that a store failed, and that it works again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "psephos/network/mirror.h"

#include "src/server/box_service.h"
#include "src/server/log.h"
#include "src/server/metrics.h"
#include "src/server/registrar_service.h"

namespace psephos::server {

// Outage is whether something fails, and tells when that changes. Thread-safe.
class Outage {
 public:
  enum class Change : std::uint8_t { none, began, ended };
  [[nodiscard]] Change now(bool failing);

 private:
  std::atomic<bool> failing_ = false;
};

// Overload lasts from the first request that was turned away for want of room until none was for a
// while. Thread-safe.
class Overload {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kCalm{10};
  struct Over {
    Clock::duration time;
    std::uint64_t shed;
  };
  // Returns whether it begins.
  [[nodiscard]] bool shed(Clock::time_point now);
  // Something if it is over.
  [[nodiscard]] std::optional<Over> look(Clock::time_point now);

 private:
  std::mutex mutex_;
  std::uint64_t shed_ = 0;
  Clock::time_point first_;
  Clock::time_point last_;
};

class BoxTelemetry final : public BoxObserver {
 public:
  BoxTelemetry(std::size_t election, Metrics& metrics, Log& log)
      : election_(election), metrics_(metrics), log_(log) {}

  void on_stage(Stage stage, double seconds) override;
  void on_batch(std::size_t entries) override { metrics_.batch(entries); }
  void on_outcome(Outcome outcome, const protocol::Fault* fault) override;
  void on_store(const Error* error) override;
  void on_export(const Error* error) override;
  void on_commit(double seconds) override { metrics_.store_commit(Metrics::Store::box, seconds); }

 private:
  const std::size_t election_;
  Metrics& metrics_;
  Log& log_;
  Outage store_;
  Outage export_;
  Overload overload_;
};

// Each registrar has its own.
class RegistrarTelemetry final : public RegistrarObserver {
 public:
  RegistrarTelemetry(std::size_t election, std::uint32_t registrar, Metrics& metrics, Log& log)
      : election_(election), registrar_(registrar), metrics_(metrics), log_(log) {}

  void on_issuance(Outcome outcome, double seconds) override;
  void on_identity_provider(const Error* error) override;
  void on_registrar_store(const Error* error) override;
  void on_registrar_export(const Error* error) override;
  void on_registrar_commit(double seconds) override {
    metrics_.store_commit(Metrics::Store::registrar, seconds);
  }

 private:
  const std::size_t election_;
  const std::uint32_t registrar_;
  Metrics& metrics_;
  Log& log_;
  Outage identity_provider_;
  Outage store_;
  Outage export_;
  Overload overload_;
};

// BoardTelemetry is used by the board's thread.
class BoardTelemetry {
 public:
  BoardTelemetry(std::size_t election, Metrics& metrics, Log& log)
      : election_(election), metrics_(metrics), log_(log) {}

  // A mirror is named by its first log.
  void on_mirror(const std::string& log, const Error* error);
  void on_conflict(const network::Conflict& conflict);
  void on_live(const Error* error);

 private:
  const std::size_t election_;
  Metrics& metrics_;
  Log& log_;
  std::map<std::string, Outage> mirrors_;
  Outage live_;
};

}  // namespace psephos::server
