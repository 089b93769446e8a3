#include "src/server/daemon.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "psephos/crypto/key_file.h"
#include "psephos/crypto/note.h"
#include "psephos/runtime/directory.h"

#include "src/server/board_service.h"

namespace psephos::server {

namespace {

constexpr std::size_t kMaxKeyFileBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxPasswordBytes = 1024;
constexpr std::chrono::seconds kDrain{10};

std::size_t cores() { return std::max(1U, std::thread::hardware_concurrency()); }

std::chrono::sys_seconds system_now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

Result<SecretBuffer> load_key(std::string_view kind, const Path& key, const Path& password_file) {
  PSEPHOS_TRY(const Bytes file, runtime::read_file(key, kMaxKeyFileBytes));
  PSEPHOS_TRY(Bytes password_bytes, runtime::read_file(password_file, kMaxPasswordBytes));
  const SecretBuffer password(first_line(password_bytes));
  wipe(password_bytes);
  auto content = crypto::open_file(kind, file, password);
  if (!content.has_value()) {
    return within(key.string(), content.error());
  }
  return content;
}

std::size_t threads_of(const WorkConfig& work) {
  return work.threads != 0 ? work.threads : cores();
}

BoxService::Options box_options(const Config& config, const BoxConfig& box) {
  return {
      .store = box.store,
      .shards = box.shards,
      .threads = threads_of(config.work),
      .queue = config.work.queue,
      .batch = config.work.batch,
      .export_interval = box.export_interval,
  };
}

Result<std::uint64_t> checkpoint_size(std::string_view checkpoint) {
  PSEPHOS_TRY(const crypto::Note note, crypto::Note::parse(checkpoint));
  PSEPHOS_TRY(const crypto::Checkpoint parsed, crypto::Checkpoint::parse(note.text));
  return parsed.tree.size;
}

bool does(Role role, Role part) { return role == Role::all || role == part; }

}  // namespace

Daemon::Daemon(Config config, Log& log)
    : config_(std::move(config)), log_(log), metrics_(std::chrono::system_clock::now()) {}

Daemon::~Daemon() { stop(StopSignal::terminate); }

Result<std::unique_ptr<Daemon>> Daemon::create(Config config, std::vector<int> inherited,
                                               Log& log) {
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(config), log));
  log.write<Event::starting>(with<Field::version>(ThisVersion{}),
                             with<Field::role>(daemon->config_.role),
                             with<Field::elections>(daemon->config_.elections.size()));
  if (daemon->config_.role == Role::all) {
    log.write<Event::roles_together>(with<Field::role>(Role::all));
  }
  for (std::size_t i = 0; i < daemon->config_.elections.size(); ++i) {
    PSEPHOS_CHECK_OK(daemon->open(i, daemon->config_.elections[i]));
  }
  PSEPHOS_CHECK_OK(daemon->listen(std::move(inherited)));
  return daemon;
}

Result<void> Daemon::open(std::size_t number, const ElectionConfig& config) {
  const auto start = std::chrono::steady_clock::now();
  auto hosted = std::make_unique<Hosted>();
  hosted->number = number;
  PSEPHOS_TRY(hosted->record, ElectionRecord::open(config.record, evaluator_));
  const std::shared_ptr<ElectionRecord>& record = hosted->record;
  for (const auto& other : elections_) {
    if (other->record->id() == record->id()) {
      return fail(Errc::misuse, config.record.string() + ": this election is configured twice");
    }
  }
  if (does(config_.role, Role::box) && config.box.has_value()) {
    PSEPHOS_CHECK_OK(open_box(*hosted, *config.box));
  }
  if (does(config_.role, Role::registrar)) {
    for (const RegistrarConfig& part : config.registrars) {
      PSEPHOS_CHECK_OK(open_registrar(*hosted, part));
    }
  }
  if (does(config_.role, Role::board)) {
    PSEPHOS_CHECK_OK(open_board(*hosted, config));
  }
  record->add_follower([this, number](const protocol::MainLog& now) {
    metrics_.phase(number, now.phase());
    log_.write<Event::phase_changed>(with<Field::election>(number),
                                     with<Field::phase>(now.phase()));
  });
  metrics_.phase(number, record->phase());
  log_.write<Event::election_loaded>(
      with<Field::election>(number), with<Field::phase>(record->phase()),
      with<Field::seconds>(std::chrono::steady_clock::now() - start));
  elections_.push_back(std::move(hosted));
  return {};
}

Result<void> Daemon::open_box(Hosted& hosted, const BoxConfig& config) {
  boxes_.push_back(std::make_unique<BoxTelemetry>(hosted.number, metrics_, log_));
  PSEPHOS_TRY(const SecretBuffer content, load_key("box", config.key, config.password_file));
  PSEPHOS_TRY(protocol::BoxKeys keys, protocol::BoxKeys::load(content));
  PSEPHOS_TRY(hosted.box, BoxService::open(box_options(config_, config), hosted.record,
                                           std::move(keys), evaluator_, *boxes_.back()));
  hosted.record->add_guard(
      [box = hosted.box.get()](const protocol::MainLog& next) { return box->may_become(next); });
  return {};
}

Result<std::optional<RegistrarService::SignIn>> Daemon::open_sign_in(
    const RegistrarConfig& config) {
  if (!config.oidc.has_value()) {
    return std::nullopt;
  }
  const OidcConfig& oidc = *config.oidc;
  network::BeastHttpClient::Options http;
  http.ca_file = oidc.ca_file.string();
  PSEPHOS_TRY(auto client, network::BeastHttpClient::create(std::move(http)));
  PSEPHOS_TRY(auto provider, sign_in::Provider::create(*client, {.issuer = oidc.issuer}));
  clients_.push_back(std::move(client));
  return RegistrarService::SignIn{.provider = std::move(provider), .rules = token_rules(oidc)};
}

Result<void> Daemon::open_registrar(Hosted& hosted, const RegistrarConfig& config) {
  registrars_.push_back(
      std::make_unique<RegistrarTelemetry>(hosted.number, config.index, metrics_, log_));
  RegistrarTelemetry& telemetry = *registrars_.back();
  PSEPHOS_TRY(const SecretBuffer content, load_key("registrar", config.key, config.password_file));
  PSEPHOS_TRY(protocol::Registrar keys, protocol::Registrar::load(content));
  if (keys.index() != config.index) {
    return fail(Errc::misuse, config.key.string() + ": is the key of registrar " +
                                  std::to_string(keys.index()) + ", not " +
                                  std::to_string(config.index));
  }
  PSEPHOS_TRY(auto sign_in, open_sign_in(config));
  PSEPHOS_TRY(auto service, RegistrarService::open({.store = config.store,
                                                    .threads = threads_of(config_.work),
                                                    .queue = config_.work.queue,
                                                    .codes = config.codes,
                                                    .now = system_now},
                                                   hosted.record, std::move(keys),
                                                   std::move(sign_in), telemetry));
  RegistrarService* const here = service.get();
  hosted.record->add_guard(
      [here](const protocol::MainLog& next) { return here->may_become(next); });
  hosted.record->add_follower([here, &telemetry](const protocol::MainLog& now) {
    if (const auto followed = here->follow(now); !followed.has_value()) {
      telemetry.on_registrar_store(&followed.error());
    }
  });
  hosted.registrars.push_back({.oidc = config.oidc, .service = std::move(service)});
  return {};
}

Result<void> Daemon::open_board(Hosted& hosted, const ElectionConfig& config) {
  boards_.push_back(std::make_unique<BoardTelemetry>(hosted.number, metrics_, log_));
  BoardTelemetry& telemetry = *boards_.back();
  network::HttpClient* client = nullptr;
  if (config.board.has_value() && !config.board->mirrors.empty()) {
    PSEPHOS_TRY(auto made, network::BeastHttpClient::create({}));
    clients_.push_back(std::move(made));
    client = clients_.back().get();
  }
  // Beside the record, which holds nothing else.
  const auto beside = [&](const char* ending) {
    Path path = config.record;
    path += ending;
    return path;
  };
  PSEPHOS_TRY(
      hosted.board,
      BoardService::open(
          {.live = config.live,
           .history = beside(".turnout"),
           .evidence = beside(".conflict-"),
           .board = config.board.value_or(BoardConfig{}),
           .stopped = [&hosted] { return hosted.stopped(); },
           .on_mirror = [&telemetry](const std::string& log,
                                     const Error* error) { telemetry.on_mirror(log, error); },
           .on_live = [&telemetry](const Error* error) { telemetry.on_live(error); },
           .on_conflict =
               [&telemetry](const network::Conflict& found) { telemetry.on_conflict(found); }},
          hosted.record, client, evaluator_));
  return {};
}

Result<void> Daemon::listen(std::vector<int> inherited) {
  constexpr std::size_t kWaitingWork = 4096;
  constexpr std::size_t kAdminThreads = 4;  // `stop` waits for ballots, an import for a disk
  constexpr std::size_t kWaitingCalls = 64;
  const auto fault_of = [this](Part part) {
    return [this, part] { log_.write<Event::internal_error>(with<Field::part>(part)); };
  };
  workers_ = std::make_unique<Workers>(std::max<std::size_t>(2, cores()), kWaitingWork,
                                       fault_of(Part::http));
  admin_workers_ = std::make_unique<Workers>(kAdminThreads, kWaitingCalls, fault_of(Part::admin));
  context_ = std::make_unique<ApiContext>(ApiContext{.elections = elections_,
                                                     .workers = *workers_,
                                                     .admin_workers = *admin_workers_,
                                                     .metrics = metrics_,
                                                     .log = log_,
                                                     .measure = [this] { measure(); }});
  PSEPHOS_CHECK_OK(listen_for_everybody(std::move(inherited)));
  return listen_for_administrators();
}

Result<void> Daemon::listen_for_everybody(std::vector<int> inherited) {
  add_public_routes(public_routes_, *context_);
  const HttpConfig& http = config_.http;
  http::ServerOptions options;
  if (inherited.empty()) {
    options.listen = http.listen;
  } else {
    options.inherited = std::move(inherited);
  }
  options.threads = http.threads;
  options.certificate = http.certificate.string();
  options.key = http.key.string();
  options.header_timeout = http.header_timeout;
  options.body_timeout = http.body_timeout;
  options.idle_timeout = http.idle_timeout;
  options.write_timeout = http.write_timeout;
  options.max_connections = http.max_connections;
  options.max_connections_per_client = http.max_connections_per_client;
  options.requests_per_second = http.rate_per_second;
  options.requests_burst = http.rate_burst;
  options.trusted_proxies = http.trusted_proxies;
  options.max_event_listeners = http.max_event_listeners;
  options.observer = [this](const http::RequestRecord& request) { metrics_.request(request); };
  PSEPHOS_TRY(public_, http::HttpServer::create(std::move(options), public_routes_));
  return {};
}

Result<void> Daemon::listen_for_administrators() {
  const AdminConfig& admin = config_.admin;
  AdminAccess access{.token = {}, .certificates = !admin.client_ca.empty()};
  if (!admin.token_file.empty()) {
    PSEPHOS_TRY(access.token, read_token(admin.token_file));
  }
  add_admin_routes(admin_routes_, *context_, std::move(access));
  http::ServerOptions options;
  options.listen = {admin.listen};
  options.threads = 1;
  options.certificate = admin.certificate.string();
  options.key = admin.key.string();
  options.client_ca = admin.client_ca.string();
  options.require_client_certificate = !admin.client_ca.empty() && admin.token_file.empty();
  // Few are to come here, and who has no access is to take little.
  options.max_connections = 256;
  options.max_connections_per_client = 64;
  // A roll takes a while to be sent.
  options.body_timeout = std::chrono::minutes(10);
  PSEPHOS_TRY(admin_, http::HttpServer::create(std::move(options), admin_routes_));
  return {};
}

void Daemon::measure() {
  metrics_.connections(public_->connections());
  metrics_.event_listeners(public_->event_listeners());
  for (const auto& hosted : elections_) {
    const std::size_t number = hosted->number;
    metrics_.stopped(number, hosted->stopped());
    const auto log = [&](const std::string& name, const Result<std::string>& checkpoint) {
      const std::uint64_t published = hosted->record->published(name).value_or(0);
      const std::uint64_t stored =
          checkpoint.has_value() ? checkpoint_size(*checkpoint).value_or(published) : published;
      metrics_.log_entries(number, name, stored);
      metrics_.export_lag(number, name, stored - std::min(stored, published));
    };
    if (hosted->box != nullptr) {
      metrics_.queue(number, hosted->box->waiting());
      metrics_.store_healthy(number, Metrics::Store::box, hosted->box->healthy());
      for (const std::string& name : hosted->box->logs()) {
        log(name, hosted->box->checkpoint(name));
      }
    }
    if (!hosted->registrars.empty()) {
      metrics_.store_healthy(number, Metrics::Store::registrar,
                             std::ranges::all_of(hosted->registrars, [](const auto& registrar) {
                               return registrar.service->healthy();
                             }));
    }
    for (const HostedRegistrar& registrar : hosted->registrars) {
      log(registrar.service->log_name(), registrar.service->checkpoint());
    }
  }
}

void Daemon::start() {
  for (const auto& hosted : elections_) {
    if (hosted->box != nullptr) {
      hosted->box->start();
    }
    for (const HostedRegistrar& registrar : hosted->registrars) {
      registrar.service->start();
    }
    if (hosted->board != nullptr) {
      hosted->board->start();
    }
  }
  admin_->start();
  public_->start();
  running_ = true;
  for (const std::uint16_t port : public_->ports()) {
    log_.write<Event::listening>(with<Field::listener>(Listener::common), with<Field::port>(port));
  }
  log_.write<Event::listening>(with<Field::listener>(Listener::admin),
                               with<Field::port>(admin_->port()));
  log_.write<Event::ready>(with<Field::seconds>(std::chrono::steady_clock::now() - created_));
}

void Daemon::stop(StopSignal why) {
  if (!std::exchange(running_, false)) {
    return;
  }
  const auto start = std::chrono::steady_clock::now();
  log_.write<Event::draining>(with<Field::signal>(why),
                              with<Field::connections>(public_->connections()));
  // Services go on until the last request is answered.
  public_->stop(kDrain);
  admin_->stop(kDrain);
  workers_->finish();
  admin_workers_->finish();
  // What was acknowledged comes first; a board may be waiting for another server.
  for (const auto& hosted : elections_) {
    for (const HostedRegistrar& registrar : hosted->registrars) {
      registrar.service->finish();
    }
    if (hosted->box != nullptr) {
      hosted->box->finish();
    }
  }
  for (const auto& hosted : elections_) {
    if (hosted->board != nullptr) {
      hosted->board->finish();
    }
  }
  log_.write<Event::stopped>(with<Field::seconds>(std::chrono::steady_clock::now() - start));
}

void Daemon::reload() {
  const auto one = [this](http::HttpServer& server, Listener listener) {
    if (const auto done = server.reload_certificates(); done.has_value()) {
      log_.write<Event::certificates_reloaded>(with<Field::listener>(listener));
    } else {
      log_.write<Event::certificates_kept>(
          with<Field::listener>(listener),
          with<Field::error>(SystemError(ErrorSource::tls, done.error())));
    }
  };
  if (const auto reopened = log_.reopen(); !reopened.has_value()) {
    log_.write<Event::failed>(
        with<Field::error>(SystemError(ErrorSource::files, reopened.error())));
  }
  one(*public_, Listener::common);
  one(*admin_, Listener::admin);
}

}  // namespace psephos::server
