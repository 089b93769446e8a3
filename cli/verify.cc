// `psephos verify`: all fifteen checks over a record, as a table or as JSON.
#include "cli/common.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/report.h"

namespace psephos::cli {

namespace {

std::string column(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string describe(const protocol::Fault& fault) {
  return printable(fault.place + ": " + fault.message +
                   (fault.equation.empty() ? "" : " (" + fault.equation + ")"));
}

// Before the opening is read there is no election id.
bool is_known(const protocol::Report& report) { return report.election_id != Digest32{}; }

constexpr const char* kTogether = "together";
constexpr const char* kIndividually = "individually";
constexpr const char* kFastest = "fastest";

// The evaluator that --check and --curve ask for.
Result<std::unique_ptr<crypto::Evaluator>> make_evaluator(Random& random, const std::string& check,
                                                          const std::string& curve) {
  if (check == kIndividually) {
    if (curve != kFastest) {
      return fail(Errc::misuse, "--curve goes with --check together only");
    }
    return std::make_unique<crypto::IndividualEvaluator>();
  }
  crypto::CurveBackend backend = crypto::fastest_curve_backend();
  for (const crypto::CurveBackend candidate : crypto::kCurveBackends) {
    if (crypto::name(candidate) == curve) {
      backend = candidate;
    }
  }
  if (!crypto::is_supported(backend)) {
    return fail(Errc::environment, "--curve " + curve + ": this machine's CPU cannot run it");
  }
  return std::make_unique<crypto::BatchEvaluator>(random, backend);
}

}  // namespace

std::string report_json(const protocol::Report& report) {
  Json json;
  json["accepted"] = report.accepted();
  json["title"] = report.title;
  json["election"] = is_known(report) ? Json(hex(report.election_id)) : Json();
  json["ballots"] = report.num_ballots;
  json["counted"] = report.num_counted;
  json["challenges"] = report.num_challenges;
  json["issued"] = report.num_issued;
  json["checks"] = Json::array();
  for (const protocol::CheckReport& check : report.checks) {
    Json entry;
    entry["id"] = id(check.check);
    entry["name"] = title(check.check);
    entry["status"] = name(check.status);
    entry["checked"] = check.checked;
    if (check.status == protocol::Status::not_run) {
      entry["why"] = check.why_not_run;
    }
    entry["num_faults"] = check.num_faults;
    entry["faults"] = Json::array();
    for (const protocol::Fault& fault : check.faults) {
      entry["faults"].push_back(
          {{"place", fault.place}, {"message", fault.message}, {"equation", fault.equation}});
    }
    json["checks"].push_back(std::move(entry));
  }
  return json_text(json);
}

std::string report_table(const protocol::Report& report) {
  constexpr std::size_t kShownFaults = 5;
  std::string text = "Election: " + (report.title.empty() ? "(unknown)" : report.title) + "\n" +
                     "Id:       " + (is_known(report) ? hex(report.election_id) : "(unknown)") +
                     "\n\n";
  for (const protocol::CheckReport& check : report.checks) {
    std::string status(name(check.status));
    if (check.status == protocol::Status::failed) {
      status = "FAILED";
    }
    text += "  " + column(id(check.check), 5) + column(std::string(title(check.check)), 28) +
            column(status, 9);
    if (check.status == protocol::Status::not_run) {
      text += check.why_not_run;
    } else {
      text += std::to_string(check.checked) + " checked";
      if (check.num_faults > 0) {
        text += ", " + std::to_string(check.num_faults) + " faults";
      }
    }
    text += "\n";
    for (std::size_t i = 0; i < std::min(check.faults.size(), kShownFaults); ++i) {
      text += "         " + describe(check.faults[i]) + "\n";
    }
    if (check.num_faults > kShownFaults) {
      text += "         … and " + std::to_string(check.num_faults - kShownFaults) +
              " more (--json shows up to " + std::to_string(protocol::CheckReport::kMaxFaults) +
              ")\n";
    }
  }
  text += "\n" + std::to_string(report.num_ballots) + " ballots, " +
          std::to_string(report.num_counted) + " counted, " +
          std::to_string(report.num_challenges) + " challenged; " +
          std::to_string(report.num_issued) + " credentials issued\n";
  text += report.accepted() ? "ACCEPTED: all 15 checks ran and passed.\n"
                            : "REJECTED: do not rely on this record.\n";
  return text;
}

void add_verify(CLI::App& app, Context& context) {
  struct Options {
    std::string record;
    std::vector<std::string> receipts;
    std::vector<std::string> checkpoints;
    std::string check = kTogether;
    std::string curve = kFastest;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "verify", "Check a published record from beginning to end: V1 to V15 of docs/spec.md");
  command->add_option("RECORD", options->record, "directory of the record")->required();
  command->add_option("--receipt", options->receipts,
                      "a voter's receipt; the record must hold what it promises (V15)");
  command->add_option("--checkpoint", options->checkpoints,
                      "a checkpoint kept from earlier; the record must continue it (V4)");
  command
      ->add_option(
          "--check", options->check,
          "judge equations together, as random combinations of thousands, or one by one\n"
          "with other code; the report is the same, the second takes some thirty times as long")
      ->check(CLI::IsMember({kTogether, kIndividually}))
      ->capture_default_str();
  std::vector<std::string> curves = {kFastest};
  for (const crypto::CurveBackend backend : crypto::kCurveBackends) {
    curves.emplace_back(crypto::name(backend));
  }
  command->add_option("--curve", options->curve, "the code for sums of points, by the CPU it needs")
      ->check(CLI::IsMember(curves))
      ->capture_default_str();
  command->footer(
      "Exit code 0 only if all fifteen checks ran and passed; 1 if one failed or could not run.\n"
      "Example: psephos verify ballina-record --receipt my.receipt");
  bind(*command, context, [options, &context]() -> Result<int> {
    PSEPHOS_CHECK_OK(require_directory(options->record));
    PSEPHOS_TRY(auto receipts, read_receipts(options->receipts));
    PSEPHOS_TRY(auto checkpoints, read_checkpoints(options->checkpoints));
    PSEPHOS_TRY(const auto evaluator,
                make_evaluator(context.random, options->check, options->curve));
    const runtime::DirectoryRecord record(options->record);
    runtime::ThreadExecutor executor(context.threads);
    protocol::Report report;
    {
      ProgressLine progress("verifying");
      report = protocol::verify({.record = record,
                                 .evaluator = *evaluator,
                                 .executor = executor,
                                 .receipts = std::move(receipts),
                                 .checkpoints = std::move(checkpoints),
                                 .progress = progress.callback()});
    }
    for (protocol::Fault& fault : report[protocol::Check::receipts].faults) {
      fault.place = with_file_names(fault.place, kReceipt, options->receipts);
    }
    for (protocol::Fault& fault : report[protocol::Check::logs].faults) {
      fault.place = with_file_names(fault.place, kCheckpoint, options->checkpoints);
    }
    say(context.json ? report_json(report) : report_table(report));
    return report.accepted() ? kExitOk : kExitRejected;
  });
}

}  // namespace psephos::cli
