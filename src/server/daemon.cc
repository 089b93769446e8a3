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
constexpr std::size_t kMaxTokenBytes = 1024;
constexpr std::chrono::seconds kDrain{10};

std::size_t cores() { return std::max(1U, std::thread::hardware_concurrency()); }

std::chrono::sys_seconds system_now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

// A password or token is what stands in its file before the first line end.
ByteView first_line(ByteView file) {
  const auto end =
      std::ranges::find_if(file, [](std::uint8_t c) { return c == '\n' || c == '\r'; });
  return file.first(static_cast<std::size_t>(end - file.begin()));
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

Result<BoxService::Options> box_options(const Config& config, const BoxConfig& box) {
  return BoxService::Options{
      .store = box.store,
      .shards = box.shards,
      .threads = config.work.threads != 0 ? config.work.threads : cores(),
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
  telemetry_.push_back(std::make_unique<Telemetry>(number, metrics_, log_));
  Telemetry& telemetry = *telemetry_.back();
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
    PSEPHOS_TRY(const SecretBuffer content,
                load_key("box", config.box->key, config.box->password_file));
    PSEPHOS_TRY(protocol::BoxKeys keys, protocol::BoxKeys::load(content));
    PSEPHOS_TRY(BoxService::Options options, box_options(config_, *config.box));
    PSEPHOS_TRY(hosted->box, BoxService::open(std::move(options), record, std::move(keys),
                                              evaluator_, telemetry));
    record->add_guard(
        [box = hosted->box.get()](const protocol::MainLog& next) { return box->may_become(next); });
  }
  if (does(config_.role, Role::registrar)) {
    for (const RegistrarConfig& part : config.registrars) {
      PSEPHOS_TRY(const SecretBuffer content, load_key("registrar", part.key, part.password_file));
      PSEPHOS_TRY(protocol::Registrar keys, protocol::Registrar::load(content));
      if (keys.index() != part.index) {
        return fail(Errc::misuse, part.key.string() + ": is the key of registrar " +
                                      std::to_string(keys.index()) + ", not " +
                                      std::to_string(part.index));
      }
      std::optional<RegistrarService::SignIn> sign_in;
      if (part.oidc.has_value()) {
        network::BeastHttpClient::Options http;
        http.ca_file = part.oidc->ca_file.string();
        PSEPHOS_TRY(auto client, network::BeastHttpClient::create(std::move(http)));
        PSEPHOS_TRY(auto provider,
                    sign_in::Provider::create(*client, {.issuer = part.oidc->issuer}));
        clients_.push_back(std::move(client));
        sign_in = {.provider = std::move(provider), .rules = token_rules(*part.oidc)};
      }
      const std::size_t threads = config_.work.threads != 0 ? config_.work.threads : cores();
      PSEPHOS_TRY(auto service,
                  RegistrarService::open({.store = part.store,
                                          .threads = threads,
                                          .queue = config_.work.queue,
                                          .codes = part.codes,
                                          .now = system_now},
                                         record, std::move(keys), std::move(sign_in), telemetry));
      RegistrarService* const here = service.get();
      record->add_guard([here](const protocol::MainLog& next) { return here->may_become(next); });
      record->add_follower([here, &telemetry](const protocol::MainLog& now) {
        if (const auto followed = here->follow(now); !followed.has_value()) {
          telemetry.on_registrar_store(&followed.error());
        }
      });
      hosted->registrars.push_back({.oidc = part.oidc, .service = std::move(service)});
    }
  }
  if (does(config_.role, Role::board)) {
    network::HttpClient* client = nullptr;
    if (config.board.has_value() && !config.board->mirrors.empty()) {
      PSEPHOS_TRY(auto made, network::BeastHttpClient::create({}));
      clients_.push_back(std::move(made));
      client = clients_.back().get();
    }
    Path history = config.record;
    history += ".turnout";
    PSEPHOS_TRY(
        hosted->board,
        BoardService::open(
            {.live = config.live,
             .history = history,
             .board = config.board.value_or(BoardConfig{}),
             .stopped = [one = hosted.get()] { return one->stopped(); },
             .on_mirror = [&telemetry](const std::string& log,
                                       const Error* error) { telemetry.on_mirror(log, error); },
             .on_live = [&telemetry](const Error* error) { telemetry.on_live(error); }},
            record, client, evaluator_));
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

Result<void> Daemon::listen(std::vector<int> inherited) {
  constexpr std::size_t kWaitingWork = 4096;
  workers_ = std::make_unique<Workers>(std::max<std::size_t>(2, cores()), kWaitingWork);
  context_ = std::make_unique<ApiContext>(ApiContext{.elections = elections_,
                                                     .workers = *workers_,
                                                     .metrics = metrics_,
                                                     .log = log_,
                                                     .measure = [this] { measure(); }});
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

  const AdminConfig& admin = config_.admin;
  AdminAccess access{.token = {}, .certificates = !admin.client_ca.empty()};
  if (!admin.token_file.empty()) {
    PSEPHOS_TRY(const Bytes file, runtime::read_file(admin.token_file, kMaxTokenBytes));
    access.token = as_text(first_line(file));
    constexpr std::size_t kMinTokenBytes = 16;
    if (access.token.size() < kMinTokenBytes) {
      return fail(Errc::malformed, admin.token_file.string() +
                                       ": the token has fewer than 16 characters; make one with "
                                       "`openssl rand -hex 32`");
    }
  }
  add_admin_routes(admin_routes_, *context_, std::move(access));
  http::ServerOptions admin_options;
  admin_options.listen = {admin.listen};
  admin_options.threads = 1;
  admin_options.certificate = admin.certificate.string();
  admin_options.key = admin.key.string();
  admin_options.client_ca = admin.client_ca.string();
  admin_options.require_client_certificate = !admin.client_ca.empty() && admin.token_file.empty();
  // A roll takes a while to be imported, and to be sent.
  admin_options.body_timeout = std::chrono::minutes(10);
  PSEPHOS_TRY(admin_, http::HttpServer::create(std::move(admin_options), admin_routes_));
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
      metrics_.queue(number, hosted->box->queued());
      metrics_.store_healthy(number, Metrics::Store::box, hosted->box->healthy());
      for (const std::string& name : hosted->box->logs()) {
        log(name, hosted->box->checkpoint(name));
      }
    }
    for (const HostedRegistrar& registrar : hosted->registrars) {
      metrics_.store_healthy(number, Metrics::Store::registrar, registrar.service->healthy());
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
  for (const auto& hosted : elections_) {
    if (hosted->board != nullptr) {
      hosted->board->finish();
    }
    for (const HostedRegistrar& registrar : hosted->registrars) {
      registrar.service->finish();
    }
    if (hosted->box != nullptr) {
      hosted->box->finish();
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
