// psephosd at work: the elections of a configuration, served until it is told to stop.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "psephos/crypto/batch_evaluator.h"
#include "psephos/network/http_client.h"
#include "psephos/random.h"

#include "src/http/router.h"
#include "src/http/server.h"
#include "src/server/api.h"
#include "src/server/config.h"
#include "src/server/hosted.h"
#include "src/server/log.h"
#include "src/server/metrics.h"
#include "src/server/telemetry.h"
#include "src/server/workers.h"

namespace psephos::server {

class Daemon {
 public:
  // create opens keys, records and stores and begins to listen; it refuses whatever it cannot
  // explain. `inherited` are listening sockets of systemd. The log must outlive the daemon.
  static Result<std::unique_ptr<Daemon>> create(Config config, std::vector<int> inherited,
                                                Log& log);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();

  void start();
  // stop takes no new connections, answers what is on its way, exports, and closes the stores.
  void stop(StopSignal why);
  // What SIGHUP asks for: certificates and the log file anew.
  void reload();

  [[nodiscard]] std::uint16_t port() const { return public_->port(); }
  [[nodiscard]] std::uint16_t admin_port() const { return admin_->port(); }

 private:
  Daemon(Config config, Log& log);
  Result<void> open(std::size_t number, const ElectionConfig& config);
  Result<void> open_box(Hosted& hosted, const BoxConfig& config);
  Result<void> open_registrar(Hosted& hosted, const RegistrarConfig& config);
  Result<void> open_board(Hosted& hosted, const ElectionConfig& config);
  Result<std::optional<RegistrarService::SignIn>> open_sign_in(const RegistrarConfig& config);
  Result<void> listen(std::vector<int> inherited);
  Result<void> listen_for_everybody(std::vector<int> inherited);
  Result<void> listen_for_administrators();
  void measure();

  const std::chrono::steady_clock::time_point created_ = std::chrono::steady_clock::now();
  const Config config_;
  Log& log_;
  Metrics metrics_;
  SystemRandom random_;
  crypto::BatchEvaluator evaluator_{random_};
  std::vector<std::unique_ptr<network::HttpClient>> clients_;  // before those who use them
  // Before those who report.
  std::vector<std::unique_ptr<BoxTelemetry>> boxes_;
  std::vector<std::unique_ptr<RegistrarTelemetry>> registrars_;
  std::vector<std::unique_ptr<BoardTelemetry>> boards_;
  std::vector<std::unique_ptr<Hosted>> elections_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<Workers> admin_workers_;
  std::unique_ptr<ApiContext> context_;
  http::Router public_routes_;
  http::Router admin_routes_;
  std::unique_ptr<http::HttpServer> public_;
  std::unique_ptr<http::HttpServer> admin_;
  bool running_ = false;
};

}  // namespace psephos::server
