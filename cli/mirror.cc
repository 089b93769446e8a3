// `psephos log mirror`: a copy of a record behind a URL.
#include "cli/mirror.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "psephos/network/http_client.h"

#include "cli/json.h"
#include "cli/output.h"
#include "cli/record.h"

namespace psephos::cli {

namespace {

// Files fetched at once: the server's distance counts, not this machine's cores.
constexpr std::size_t kConnections = 8;
constexpr std::uint32_t kMaxWatchSeconds = 86'400;

Result<std::optional<Digest32>> parse_election(const std::string& text) {
  if (text.empty()) {
    return std::nullopt;
  }
  const auto id = unhex32(text);
  if (!id.has_value()) {
    return fail(Errc::misuse, "--election " + text + ": must be an election id, 64 hex digits");
  }
  return *id;
}

// A directory to copy into: new, empty, or a copy that was begun.
Result<void> prepare(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return fail(Errc::environment,
                directory.string() + ": cannot be made a directory: " + error.message());
  }
  const bool empty = fs::is_empty(directory, error);
  if (!error && !empty && !fs::exists(directory / "manifest.json", error) &&
      !fs::exists(directory / protocol::Manifest::main_log(), error)) {
    return fail(Errc::misuse,
                directory.string() + ": is not empty and no copy of a record; name another one");
  }
  if (error) {
    return fail(Errc::environment, directory.string() + ": cannot be read: " + error.message());
  }
  return {};
}

Json report_json(const network::MirrorReport& report) {
  Json json;
  json["title"] = report.title;
  json["election"] = report.election_id.has_value() ? Json(hex(*report.election_id)) : Json();
  json["phase"] = name(report.phase);
  json["complete"] = report.complete;
  json["fault"] = report.fault.empty() ? Json() : Json(report.fault);
  json["logs"] = Json::array();
  for (const network::MirroredLog& log : report.logs) {
    json["logs"].push_back({{"log", log.log}, {"size", log.size}, {"added", log.added}});
  }
  return json;
}

std::string report_text(const network::MirrorReport& report, const std::string& directory) {
  std::string text =
      "Election: " + printable(report.title) + "\n" + "Id:       " +
      (report.election_id.has_value() ? hex(*report.election_id) : "(not open yet)") + "\n" +
      "Phase:    " + name(report.phase) + "\n";
  for (const network::MirroredLog& log : report.logs) {
    text += "  " + log.log + ": " + std::to_string(log.size) + " entries, " +
            std::to_string(log.added) + " new\n";
  }
  if (!report.fault.empty()) {
    text += "FAULT: " + printable(report.fault) + "\n";
  }
  text += report.complete ? "Complete. Whether it is right: `psephos verify " + directory + "`.\n"
                          : "The copy is up to date; the election goes on.\n";
  return text;
}

Result<int> mirror(const Context& context, const MirrorSource& source, const fs::path& directory,
                   std::uint32_t watch) {
  PSEPHOS_TRY(const auto record, MirroredRecord::open(context, source, directory));
  while (true) {
    const auto report = record->update();
    if (report.has_value()) {
      const bool news =
          watch == 0 || report->complete || !report->fault.empty() ||
          std::ranges::any_of(report->logs, [](const auto& log) { return log.added > 0; });
      if (news && context.json) {
        say(watch == 0
                ? json_text(report_json(*report))
                : report_json(*report).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
      } else if (news) {
        say(report_text(*report, directory.string()));
      }
      if (!report->fault.empty()) {
        return kExitRejected;
      }
      if (watch == 0 || report->complete) {
        return kExitOk;
      }
    } else if (watch == 0 || report.error().code != Errc::environment) {
      return std::unexpected(report.error());
    } else {
      complain("psephos " + context.command + ": " + printable(report.error().message) +
               "; trying again\n");
    }
    if (std::fflush(stdout) != 0) {
      return fail(Errc::environment, "standard output cannot be written to");
    }
    std::this_thread::sleep_for(std::chrono::seconds(watch));
  }
}

}  // namespace

Result<fs::path> keep_evidence(const fs::path& wanted, const std::string& content) {
  fs::path path = wanted;
  for (int number = 2;; ++number) {
    std::error_code error;
    if (!fs::exists(fs::symlink_status(path, error))) {
      PSEPHOS_CHECK_OK(runtime::write_file(path, as_bytes(content)));
      return path;
    }
    const auto present = runtime::read_file(path, content.size());
    if (present.has_value() && equal(*present, as_bytes(content))) {
      return path;
    }
    path = wanted;
    path += "." + std::to_string(number);
  }
}

fs::path beside(const fs::path& path, const std::string& ending) {
  fs::path name = path.lexically_normal();
  if (!name.has_filename()) {
    name = name.parent_path();
  }
  name += ending;
  return name;
}

class MirroredRecord::State {
 public:
  State(const Context& context, fs::path directory, Lock lock,
        std::unique_ptr<network::HttpClient> client, std::unique_ptr<network::HttpRecord> source,
        std::optional<Digest32> election, std::vector<std::string> logs)
      : directory_(std::move(directory)),
        lock_(std::move(lock)),
        client_(std::move(client)),
        source_(std::move(source)),
        store_(directory_),
        mirror_(*source_, store_, context.evaluator, executor_,
                {.election = election,
                 .logs = std::move(logs),
                 .progress = [this](std::uint64_t done, std::uint64_t all) {
                   progress_->update(done, all);
                 }}) {}

  Result<network::MirrorReport> update() {
    progress_.emplace("mirroring");
    auto report = mirror_.update();
    progress_.reset();
    if (!report.has_value()) {
      for (const network::Conflict& conflict : mirror_.conflicts()) {
        const auto kept = keep(conflict);
        report.error().message +=
            kept.has_value() ? *kept
                             : ". The signed checkpoints cannot be kept: " + kept.error().message;
      }
    }
    return report;
  }

 private:
  [[nodiscard]] Result<std::string> keep(const network::Conflict& conflict) const {
    std::string log = conflict.log;
    std::ranges::replace(log, '/', '-');
    PSEPHOS_TRY(
        const fs::path earlier,
        keep_evidence(beside(directory_, ".conflict-" + log + ".earlier"), conflict.earlier));
    PSEPHOS_TRY(const fs::path later,
                keep_evidence(beside(directory_, ".conflict-" + log + ".later"), conflict.later));
    return ". Both signed checkpoints of " + conflict.log + " are kept in " + earlier.string() +
           " and " + later.string() + ": show them to others who follow this election";
  }

  fs::path directory_;
  Lock lock_;
  std::unique_ptr<network::HttpClient> client_;
  std::unique_ptr<network::HttpRecord> source_;
  runtime::DirectoryRecord store_;
  runtime::ThreadExecutor executor_{kConnections};
  std::optional<ProgressLine> progress_;
  network::Mirror mirror_;
};

MirroredRecord::MirroredRecord(std::unique_ptr<State> state) : state_(std::move(state)) {}

MirroredRecord::~MirroredRecord() = default;

Result<std::unique_ptr<MirroredRecord>> MirroredRecord::open(const Context& context,
                                                             const MirrorSource& source,
                                                             const fs::path& directory) {
  PSEPHOS_TRY(const auto election, parse_election(source.election));
  network::BeastHttpClient::Options options;
  options.ca_file = source.ca_file;
  options.max_idle = kConnections;
  PSEPHOS_TRY(auto client, network::BeastHttpClient::create(std::move(options)));
  PSEPHOS_TRY(auto record, network::HttpRecord::create(*client, source.url));
  PSEPHOS_CHECK_OK(prepare(directory));
  PSEPHOS_TRY(Lock lock, Lock::acquire(directory));
  return std::unique_ptr<MirroredRecord>(new MirroredRecord(
      std::make_unique<State>(context, directory, std::move(lock), std::move(client),
                              std::move(record), election, source.logs)));
}

Result<network::MirrorReport> MirroredRecord::update() { return state_->update(); }

Result<std::unique_ptr<TemporaryDirectory>> TemporaryDirectory::create() {
  std::error_code error;
  std::string name = (fs::temp_directory_path(error) / "psephos-XXXXXX").string();
  if (error || ::mkdtemp(name.data()) == nullptr) {
    return fail(Errc::environment,
                name + ": cannot make a directory for the copy: " +
                    (error ? error : std::error_code(errno, std::generic_category())).message() +
                    "; name one with --mirror");
  }
  return std::unique_ptr<TemporaryDirectory>(new TemporaryDirectory(name));
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::vector<CLI::Option*> add_mirror_options(CLI::App& command, MirrorSource& source) {
  return {command
              .add_option("--election", source.election,
                          "the election's id, from a source you trust; a record of another one is\n"
                          "refused")
              ->type_name("ID"),
          command
              .add_option("--ca", source.ca_file,
                          "certificates (PEM) of the authorities that may vouch for an https "
                          "server,\ninstead of the system's")
              ->type_name("FILE")};
}

void add_mirror(CLI::App& group, Context& context) {
  struct Options {
    MirrorSource source;
    std::string directory;
    std::uint32_t watch = 0;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      group.add_subcommand("mirror", "Copy a record that a server publishes, and keep the copy up");
  command->add_option("URL", options->source.url, "where the record is: https://…/record/")
      ->required();
  command->add_option("DIR", options->directory, "directory of the copy; may hold an earlier one")
      ->required();
  add_mirror_options(*command, options->source);
  command
      ->add_option("--watch", options->watch,
                   "look for news again and again, this many seconds apart, until the election\n"
                   "has its result")
      ->check(CLI::Range(std::uint32_t{1}, kMaxWatchSeconds))
      ->type_name("SECONDS");
  command->footer(
      "Every entry is checked against its log's signed checkpoint before it counts as copied, and\n"
      "each checkpoint must continue the one that was copied before: a server that shows others\n"
      "another history, or takes entries back, is found out if several people mirror it and "
      "compare.\n"
      "If it does so to you, both checkpoints are kept in DIR.conflict-…, and the exit code is 1.\n"
      "A copy that was stopped is resumed. Whether the election is right: `psephos verify DIR`.\n"
      "Exit codes: 0 copied; 1 refused; 2 wrong use; 3 server or disk did not do their part.\n"
      "Example: psephos log mirror https://vote.example/v1/elections/ab12…/record/ copy "
      "--watch 60");
  bind(*command, context, [options, &context] {
    return mirror(context, options->source, options->directory, options->watch);
  });
}

}  // namespace psephos::cli
