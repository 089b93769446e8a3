// `psephos verify`: all fifteen checks over a record, as a table or as JSON.
#include <charconv>
#include <limits>

#include "cli/common.h"
#include "cli/json.h"
#include "cli/mirror.h"
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

// "3/8"
Result<protocol::Share> parse_share(const std::string& text) {
  protocol::Share share;
  const char* const end = text.data() + text.size();
  const auto part = std::from_chars(text.data(), end, share.part);
  if (part.ec == std::errc() && part.ptr != end && *part.ptr == '/') {
    const auto of = std::from_chars(part.ptr + 1, end, share.of);
    if (of.ec == std::errc() && of.ptr == end && share.is_valid()) {
      return share;
    }
  }
  return fail(Errc::misuse, "--part " + text +
                                ": must be I/N, such as 3/8, with I from 1 to N and N " +
                                "at most " + std::to_string(protocol::Share::kMaxParts));
}

// Copies a record behind a URL. A main log that breaks the rules is copied too: the verification
// says so in its own words.
Result<void> copy_record(const Context& context, const MirrorSource& source,
                         const fs::path& directory) {
  PSEPHOS_TRY(const auto record, MirroredRecord::open(context, source, directory));
  PSEPHOS_CHECK_OK(record->update());
  return {};
}

constexpr const char* kProgress = "verifying";

Result<int> verify_share(const Context& context, protocol::VerifyInput input,
                         const std::string& text, const fs::path& output) {
  PSEPHOS_TRY(const protocol::Share share, parse_share(text));
  PSEPHOS_CHECK_OK(check_new(std::span(&output, 1)));
  const auto judge = [&] {
    ProgressLine progress(kProgress);
    input.progress = progress.callback();
    return protocol::verify_part(input, share);
  };
  const protocol::PartOutcome outcome = judge();
  PSEPHOS_CHECK_OK(write_new_file(output, outcome.file));
  if (context.json) {
    say(json_text({{"part", share.part},
                   {"of", share.of},
                   {"entries", outcome.num_entries},
                   {"faults", outcome.num_faults},
                   {"file", output.string()}}));
  } else {
    say("Part " + text + ": " + std::to_string(outcome.num_entries) + " entries, " +
        std::to_string(outcome.num_faults) + " faults. This is not a verdict: give all parts to " +
        "`psephos verify --combine`.\n");
  }
  return outcome.num_faults == 0 ? kExitOk : kExitRejected;
}

Result<protocol::Report> verify_all(protocol::VerifyInput input,
                                    const std::vector<std::string>& part_files) {
  std::vector<Bytes> parts;
  for (const std::string& file : part_files) {
    PSEPHOS_TRY(Bytes content, runtime::read_file(file, std::numeric_limits<std::size_t>::max()));
    parts.push_back(std::move(content));
  }
  ProgressLine progress(kProgress);
  input.progress = progress.callback();
  if (part_files.empty()) {
    return protocol::verify(input);
  }
  auto report = protocol::combine_parts(input, std::move(parts));
  if (!report.has_value()) {
    report.error().message =
        with_file_names(std::move(report.error().message), "part file", part_files);
  }
  return report;
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
    std::string share;
    std::string output;
    std::vector<std::string> parts;
    MirrorSource source;
    std::string mirror;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "verify", "Check a published record from beginning to end: V1 to V15 of docs/spec.md");
  command
      ->add_option("RECORD", options->record,
                   "directory of the record, or its URL (http:// or https://)")
      ->required();
  add_mirror_options(*command, options->source);
  command
      ->add_option("--mirror", options->mirror,
                   "for a URL: directory to copy the record into, or to resume a copy in; without\n"
                   "it the copy is removed afterwards")
      ->type_name("DIR");
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
  CLI::Option* const part =
      command
          ->add_option(
              "--part", options->share,
              "judge only one share of the entries, such as 3/8, and write what was found\n"
              "to --output: for many machines")
          ->type_name("I/N");
  CLI::Option* const output =
      command->add_option("--output", options->output, "file of the part; new")->type_name("FILE");
  part->needs(output)->excludes("--receipt")->excludes("--checkpoint");
  output->needs(part);
  command
      ->add_option("--combine", options->parts,
                   "the files of all parts, instead of judging the entries here; what they\n"
                   "say of the entries they read is believed, so take them from your own\n"
                   "machines only")
      ->type_name("FILE")
      ->excludes(part);
  command->footer(
      "Exit code 0 only if all fifteen checks ran and passed; 1 if one failed or could not run.\n"
      "A part exits with 1 if it found a fault; its file is written all the same, and --combine\n"
      "gives the report that one process would have given.\n"
      "A record behind a URL is copied first, as `psephos log mirror` does, then verified like one "
      "in\n"
      "a directory. Of what the server has, only the record's own files are looked at: that there\n"
      "are no others (V1) is then true of the copy, and cannot be seen of the server.\n"
      "Examples: psephos verify ballina-record --receipt my.receipt\n"
      "          psephos verify record --part 1/2 --output 1.part\n"
      "          psephos verify record --combine 1.part 2.part\n"
      "          psephos verify https://vote.example/v1/elections/ab12…/record/ --mirror copy");
  bind(*command, context, [options, &context]() -> Result<int> {
    std::unique_ptr<TemporaryDirectory> scratch;
    if (network::is_url(options->record)) {
      options->source.url = options->record;
      if (options->mirror.empty()) {
        PSEPHOS_TRY(scratch, TemporaryDirectory::create());
      }
      options->record = scratch == nullptr ? options->mirror : scratch->path().string();
      PSEPHOS_CHECK_OK(copy_record(context, options->source, options->record));
    } else if (!options->mirror.empty() || !options->source.election.empty() ||
               !options->source.ca_file.empty()) {
      return fail(Errc::misuse, "--mirror, --election and --ca are for a record behind a URL");
    }
    PSEPHOS_CHECK_OK(require_directory(options->record));
    PSEPHOS_TRY(auto receipts, read_receipts(options->receipts));
    PSEPHOS_TRY(auto checkpoints, read_checkpoints(options->checkpoints));
    PSEPHOS_TRY(const auto evaluator,
                make_evaluator(context.random, options->check, options->curve));
    const runtime::DirectoryRecord record(options->record);
    runtime::ThreadExecutor executor(context.threads);
    const protocol::VerifyInput input{.record = record,
                                      .evaluator = *evaluator,
                                      .executor = executor,
                                      .receipts = std::move(receipts),
                                      .checkpoints = std::move(checkpoints),
                                      .progress = {}};
    if (!options->share.empty()) {
      return verify_share(context, input, options->share, options->output);
    }
    PSEPHOS_TRY(protocol::Report report, verify_all(input, options->parts));
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
