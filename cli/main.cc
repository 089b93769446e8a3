// psephos: the command-line tool. Every party of an election has its own group of commands; they
// exchange files, so that each can work on a machine of its own.
#include <csignal>
#include <cstdio>

#include "psephos/version.h"

#include "cli/common.h"
#include "cli/output.h"

namespace psephos::cli {
namespace {

// The subcommand the user had reached when parsing stopped: "trustee commit".
std::string reached(const CLI::App& app) {
  for (const CLI::App* sub : app.get_subcommands()) {
    const std::string below = reached(*sub);
    return sub->get_name() + (below.empty() ? "" : " " + below);
  }
  return "";
}

// A misspelt command leaves CLI11 asking for a command; the word that is none says more.
std::string what_is_wrong(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* last = &app;
  while (!last->get_subcommands().empty()) {
    last = last->get_subcommands().front();
  }
  const auto words = app.remaining(true);
  if (last->get_require_subcommand_min() == 0 || words.empty()) {
    return error.what();
  }
  const bool option = words.front().starts_with('-');
  return std::string(option ? "no option" : "no command") + " is called \"" + words.front() + "\"";
}

int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const std::string command = "psephos" + (reached(app).empty() ? "" : " " + reached(app));
  complain(command + ": " + what_is_wrong(app, error) + "\nSee `" + command + " --help`.\n");
  return kExitUsage;
}

// An empty value is a shell variable that was not set, and never meant: refused everywhere, so that
// no command takes it for an option that was not given.
void refuse_empty_values(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    option->check([](const std::string& value) { return value.empty() ? "is empty" : ""; });
  }
  for (CLI::App* sub : app.get_subcommands(nullptr)) {
    refuse_empty_values(*sub);
  }
}

int run(int argc, char** argv) {
  CLI::App app("psephos: end-to-end verifiable secret-ballot elections", "psephos");
  Context context;
  app.set_version_flag("--version", "psephos " + std::string(kVersion));
  app.add_option("--threads", context.threads, "threads to work with; 0: one for each core")
      ->check(CLI::Range(0, 1024))
      ->type_name("N");
  app.add_flag("--json", context.json, "report in JSON, where a command reports");
  app.add_option("--password-file", context.password_file,
                 "file with the password of the key or wallet; else PSEPHOS_PASSWORD in the\n"
                 "environment, else it is asked for")
      ->type_name("FILE");
  app.require_subcommand(1);
  app.fallthrough();
  add_manifest(app, context);
  add_authority(app, context);
  add_trustee(app, context);
  add_registrar(app, context);
  add_voter(app, context);
  add_box(app, context);
  add_admin(app, context);
  add_log(app, context);
  add_verify(app, context);
  add_export(app, context);
  add_run(app, context);
  refuse_empty_values(app);
  app.footer(
      "A whole election, in the order of its commands:\n"
      "  manifest new · manifest check · authority new\n"
      "  trustee new · registrar new · box new              each gives a card to the authority\n"
      "  election new · trustee commit, reveal, share, confirm (election add after each round)\n"
      "  election open · registrar start, roll · box start\n"
      "  voter enrol · registrar issue · voter receive, vote, cast · box accept · voter track\n"
      "  election close, tally · trustee decrypt · election add, result\n"
      "  verify · export\n"
      "Over the network, with psephosd: voter enrol, vote, cast, sync, track --server; admin\n"
      "import-roll, publish, stop\n"
      "Exit codes: 0 yes or done; 1 a check said no, or the input is wrong; 2 wrong use or wrong\n"
      "time; 3 the machine did not do its part.");

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForVersion& version) {
    return app.exit(version);
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error);
  }
  return context.result;
}

}  // namespace
}  // namespace psephos::cli

int main(int argc, char** argv) {
  // A reader that went away shows as an error of a write.
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  int result = psephos::cli::kExitEnvironment;
  try {
    result = psephos::cli::run(argc, argv);
  } catch (const std::exception& error) {
    psephos::cli::complain(std::string("psephos: ") + error.what() + "\n");
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    psephos::cli::complain("psephos: standard output cannot be written to\n");
    return psephos::cli::kExitEnvironment;
  }
  return result;
}
