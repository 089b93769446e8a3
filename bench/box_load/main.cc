// box_load: ballots for a ballot box, faster than voters would send them; and whether the box keeps
// what it has acknowledged. bench/box_load.sh uses it.
#include <cstdio>
#include <exception>
#include <functional>

#include <CLI/CLI.hpp>

#include "psephos/bytes.h"

#include "bench/box_load/check.h"
#include "bench/box_load/prepare.h"
#include "bench/box_load/run.h"

namespace {

using psephos::Result;

void add_prepare(CLI::App& app, std::function<Result<void>()>& work) {
  auto options = std::make_shared<psephos::load::PrepareOptions>();
  CLI::App* const command = app.add_subcommand("prepare", "Make an election and ballots for it");
  command->add_option("DIR", options->directory, "made by this")->required();
  command->add_option("N", options->ballots, "ballots")->required();
  command->add_option("--manifest", options->manifest, "the manifest")->required();
  command->add_option("--rsa-bits", options->rsa_bits, "instead of the manifest's");
  command->add_option("--threads", options->threads, "0: one a core");
  command->callback([options, &work] { work = [options] { return prepare(*options); }; });
}

void add_run(CLI::App& app, std::function<Result<void>()>& work) {
  auto options = std::make_shared<psephos::load::RunOptions>();
  CLI::App* const command = app.add_subcommand("run", "Send ballots");
  command->add_option("URL", options->url, "http://ADDRESS:PORT")->required();
  command->add_option("--ballots", options->ballots, "the file of ballots")->required();
  command->add_option("--election", options->election, "the election's id")->required();
  auto* const rate = command->add_option("--rate", options->rate, "ballots a second");
  auto most = std::make_shared<bool>(true);
  command->add_flag("--max", *most, "as fast as they are answered (default)")->excludes(rate);
  command->add_option("--seconds", options->seconds, "how long at most");
  command->add_option("--connections", options->connections, "open at once");
  command->add_option("--from", options->from, "number of the first ballot");
  command->add_option("--count", options->count, "so many ballots at most");
  command->add_option("--receipts", options->receipts, "file of receipts to add to");
  command->add_flag("--until-lost", options->until_lost, "end when a connection is lost");
  command->callback([options, most, &work] { work = [options] { return run(*options); }; });
}

void add_disvote(CLI::App& app, std::function<Result<void>()>& work) {
  auto options = std::make_shared<psephos::load::DisVoteOptions>();
  CLI::App* const command = app.add_subcommand("disvote", "Votes and as many reads of receipts");
  command->add_option("URL", options->url, "http://ADDRESS:PORT")->required();
  command->add_option("--ballots", options->ballots, "the file of ballots")->required();
  command->add_option("--record", options->record, "the record's directory")->required();
  command->add_option("--from", options->from, "number of the first ballot");
  command->add_option("--votes", options->votes, "how many");
  command->add_option("--connections", options->connections, "open at once");
  command->callback([options, &work] { work = [options] { return disvote(*options); }; });
}

void add_check(CLI::App& app, std::function<Result<void>()>& work) {
  auto options = std::make_shared<psephos::load::CheckOptions>();
  auto seconds = std::make_shared<unsigned>(0);
  CLI::App* const command = app.add_subcommand("check", "Compare receipts with a record");
  command->add_option("RECORD", options->record, "directory or URL")->required();
  command->add_option("--ballots", options->ballots, "the file of ballots")->required();
  command->add_option("--receipts", options->receipts, "the file of receipts")->required();
  command->add_option("--checkpoints", options->checkpoints, "files of published notes");
  command->add_option("--wait", *seconds, "so many seconds for the record to hold all");
  command->callback([options, seconds, &work] {
    work = [options, seconds] {
      options->wait = std::chrono::seconds(*seconds);
      return check(*options);
    };
  });
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app("box_load: load for a ballot box", "box_load");
    std::function<Result<void>()> work;
    app.require_subcommand(1);
    add_prepare(app, work);
    add_run(app, work);
    add_disvote(app, work);
    add_check(app, work);
    CLI11_PARSE(app, argc, argv);
    if (const auto done = work(); !done.has_value()) {
      std::fprintf(stderr, "box_load: %s\n", done.error().message.c_str());
      return 1;
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "box_load: %s\n", error.what());
    return 3;
  }
}
