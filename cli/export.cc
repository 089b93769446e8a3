// `psephos export`: what a verified record says, as CSV or JSON.
#include "cli/common.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/report.h"

namespace psephos::cli {

namespace {

struct Options {
  std::string record;
  std::string what = "result";
  std::string format = "json";
  std::string out;
};

std::string turnout_text(const protocol::Report& report, bool json) {
  if (json) {
    Json rows = Json::array();
    for (const protocol::Turnout& turnout : report.turnout) {
      rows.push_back({{"style", turnout.style},
                      {"issued", turnout.issued},
                      {"used", turnout.used},
                      {"counted", turnout.counted}});
    }
    return json_text(rows);
  }
  // Style ids need no quoting (docs/spec.md §8.2).
  std::string text = "style,registrar,issued,used,counted\n";
  for (const protocol::Turnout& turnout : report.turnout) {
    for (std::size_t r = 0; r < turnout.issued.size(); ++r) {
      text += turnout.style + "," + std::to_string(r) + "," + std::to_string(turnout.issued[r]) +
              "," + std::to_string(turnout.used) + "," + std::to_string(turnout.counted) + "\n";
    }
  }
  return text;
}

Result<int> run_export(Context& context, const Options& options) {
  PSEPHOS_CHECK_OK(require_directory(options.record));
  const runtime::DirectoryRecord record(options.record);
  runtime::ThreadExecutor executor(context.threads);
  protocol::Report report;
  {
    ProgressLine progress("verifying");
    report = protocol::verify({.record = record,
                               .evaluator = context.evaluator,
                               .executor = executor,
                               .receipts = {},
                               .checkpoints = {},
                               .progress = progress.callback()});
  }
  if (!report.accepted()) {
    complain(report_table(report));
    return fail(Errc::rejected, options.record + ": nothing is exported from a rejected record");
  }
  std::string text;
  if (options.what == "turnout") {
    text = turnout_text(report, options.format == "json");
  } else {
    // V14 has just found these files to be exactly what the decrypted totals give.
    PSEPHOS_TRY(const Bytes file,
                record.read("result." + options.format, protocol::kMaxRecordFileBytes * 16));
    text = as_text(file);
  }
  if (options.out.empty()) {
    say(text);
    return kExitOk;
  }
  PSEPHOS_CHECK_OK(write_new_file(options.out, as_bytes(text)));
  return kExitOk;
}

}  // namespace

void add_export(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("export", "Verify a record and write its result or its turnout");
  command->add_option("RECORD", options->record, "directory of the record")->required();
  command->add_option("--what", options->what, "result or turnout")
      ->check(CLI::IsMember({"result", "turnout"}))
      ->capture_default_str();
  command->add_option("--format", options->format, "json or csv")
      ->check(CLI::IsMember({"json", "csv"}))
      ->capture_default_str();
  command->add_option("--out", options->out, "file to write; standard output by default");
  command->footer(
      "The record is verified first: nothing is exported from one that is rejected (exit code 1).\n"
      "Example: psephos export ballina-record --format csv --out ballina.csv");
  bind(*command, context, [options, &context] { return run_export(context, *options); });
}

}  // namespace psephos::cli
