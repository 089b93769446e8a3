// psephosd: the server of an election. docs/architecture.md tells how it is built, deploy/README.md
// how it is run.
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "psephos/version.h"

#include "src/server/config.h"
#include "src/server/daemon.h"
#include "src/server/maintenance.h"

namespace psephos::server {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitRejected = 1;
constexpr int kExitUsage = 2;
constexpr int kExitEnvironment = 3;

void complain(const std::string& message) {
  static_cast<void>(std::fputs(("psephosd: " + printable(message) + "\n").c_str(), stderr));
}

int exit_code(Errc code) {
  switch (code) {
    case Errc::malformed:
    case Errc::rejected:
      return kExitRejected;
    case Errc::misuse:
      return kExitUsage;
    case Errc::environment:
      break;
  }
  return kExitEnvironment;
}

int report(const Error& error) {
  complain(error.message);
  return exit_code(error.code);
}

struct Options {
  std::string config;
  std::string role;
  std::string out;
};

std::expected<Config, int> load(const Options& options, decltype(load_config)& read) {
  const std::optional<Role> role = options.role.empty() ? std::nullopt : role_of(options.role);
  auto config = read(options.config, environment_from(environ), role);
  if (!config.has_value()) {
    for (const ConfigProblem& problem : config.error()) {
      complain(problem.text());
    }
    return std::unexpected(kExitRejected);
  }
  return *std::move(config);
}

int check(const Options& options) {
  const auto config = load(options, load_config);
  if (!config.has_value()) {
    return config.error();
  }
  std::printf("%s: role %s, elections: %zu; nothing is wrong\n", options.config.c_str(),
              std::string(name(config->role)).c_str(), config->elections.size());
  return kExitOk;
}

// The signals the daemon answers to, taken by sigwait in the main thread; blocked before any other
// thread starts.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  return signals;
}

// Sockets that systemd listens on for this process (sd_listen_fds).
std::vector<int> inherited_sockets() {
  constexpr int kFirst = 3;
  const char* const pid = std::getenv("LISTEN_PID");
  const char* const count = std::getenv("LISTEN_FDS");
  std::vector<int> sockets;
  if (pid != nullptr && count != nullptr && std::string(pid) == std::to_string(::getpid())) {
    const long all = std::strtol(count, nullptr, 10);
    for (int i = 0; i < all; ++i) {
      sockets.push_back(kFirst + i);
    }
  }
  return sockets;
}

int serve(const Options& options) {
  const sigset_t signals = block_signals();
  auto config = load(options, load_config);
  if (!config.has_value()) {
    return config.error();
  }
  const auto log = Log::create(config->log);
  if (!log.has_value()) {
    return report(log.error());
  }
  const Role role = config->role;
  const auto daemon = Daemon::create(*std::move(config), inherited_sockets(), **log);
  if (!daemon.has_value()) {
    return report(daemon.error());
  }
  (*daemon)->start();
  // What scripts and tests wait for; the log may go elsewhere.
  std::printf("psephosd %s: role %s, port %u, admin port %u\n", std::string(kVersion).c_str(),
              std::string(name(role)).c_str(), unsigned{(*daemon)->port()},
              unsigned{(*daemon)->admin_port()});
  if (role == Role::all) {
    std::puts(
        "registrar and ballot box run in one process: only this software keeps names and ballots "
        "apart. For a real election give each its own process, user and machine.");
  }
  static_cast<void>(std::fflush(stdout));
  while (true) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal == SIGHUP) {
      (*daemon)->reload();
      continue;
    }
    (*daemon)->stop(signal == SIGTERM ? StopSignal::terminate : StopSignal::interrupt);
    return kExitOk;
  }
}

int maintain(const Options& options, Result<void> (*work)(const Config&, const Options&)) {
  const auto config = load(options, read_config);
  if (!config.has_value()) {
    return config.error();
  }
  const auto done = work(*config, options);
  return done.has_value() ? kExitOk : report(done.error());
}

int run(int argc, char** argv) {
  CLI::App app(
      "psephosd: serves elections that `psephos election open` has opened: enrolment, ballot box, "
      "board",
      "psephosd");
  Options options;
  app.set_version_flag("--version", "psephosd " + std::string(kVersion));
  app.add_option("--config", options.config, "configuration file (TOML)")
      ->required()
      ->type_name("FILE");
  app.add_option("--role", options.role,
                 "what this process does, whatever the file says: all, registrar, box or board")
      ->check(CLI::IsMember({"all", "registrar", "box", "board"}))
      ->type_name("ROLE");
  app.fallthrough();
  app.require_subcommand(0, 1);
  CLI::App* const check_command = app.add_subcommand(
      "check-config", "Check the configuration and the files it names; name every problem");
  CLI::App* const fsck_command = app.add_subcommand(
      "fsck",
      "Check the stores of a stopped server: file, chains, trees, signatures, published files");
  CLI::App* const backup_command =
      app.add_subcommand("backup", "Copy the stores, also while the server runs");
  backup_command->add_option("--out", options.out, "directory for the copies; made if need be")
      ->required()
      ->type_name("DIR");
  CLI::App* const export_command = app.add_subcommand(
      "export", "Write the logs' files of a stopped server anew from its stores");
  app.footer(
      "Without a command it serves until SIGTERM or SIGINT; SIGHUP reads certificates anew.\n"
      "Example: psephosd --config psephosd.toml --role all\n"
      "         psephosd --config psephosd.toml check-config\n"
      "Every single value of the file but those of [[election]] can be set in the environment:\n"
      "PSEPHOSD_HTTP_THREADS for http.threads.\n"
      "Exit codes: 0 done; 1 something is wrong with what was checked; 2 wrong use or wrong time;\n"
      "3 the machine did not do its part.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForVersion& version) {
    return app.exit(version);
  } catch (const CLI::ParseError& error) {
    complain(std::string(error.what()) + "\nSee `psephosd --help`.");
    return kExitUsage;
  }
  if (check_command->parsed()) {
    return check(options);
  }
  if (fsck_command->parsed()) {
    return maintain(options, [](const Config& config, const Options& /*options*/) {
      return check_stores(config);
    });
  }
  if (backup_command->parsed()) {
    return maintain(options, [](const Config& config, const Options& given) {
      return backup_stores(config, given.out);
    });
  }
  if (export_command->parsed()) {
    return maintain(options, [](const Config& config, const Options& /*options*/) {
      return export_stores(config);
    });
  }
  return serve(options);
}

}  // namespace
}  // namespace psephos::server

int main(int argc, char** argv) {
  try {
    return psephos::server::run(argc, argv);
  } catch (const std::exception& error) {
    static_cast<void>(
        std::fputs((std::string("psephosd: ") + error.what() + "\n").c_str(), stderr));
    return 3;
  }
}
