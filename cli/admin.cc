// `psephos admin`: what the authority and its operators ask of running servers.
#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>

#include "psephos/codec.h"
#include "psephos/crypto/tile.h"
#include "psephos/network/http_client.h"
#include "psephos/protocol/log_reader.h"

#include "cli/common.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/remote.h"

namespace psephos::cli {

namespace {

using protocol::MainLog;
using protocol::Manifest;

constexpr std::size_t kMaxTokenBytes = 1024;
constexpr std::size_t kMaxRollBytes = std::size_t{1} << 30;

struct Options {
  std::string record;
  std::vector<std::string> servers;
  std::string token_file;
  std::string certificate;
  std::string key;
  std::string ca_file;
  std::string out;
  std::string roll;
  std::uint32_t registrar = 0;
};

Result<std::unique_ptr<network::HttpClient>> make_client(const Options& options) {
  network::BeastHttpClient::Options client;
  client.ca_file = options.ca_file;
  client.client_certificate = options.certificate;
  client.client_key = options.key;
  // A roll is long to import, and a main log to judge.
  client.timeout = std::chrono::minutes(10);
  return network::BeastHttpClient::create(std::move(client));
}

Result<Server> open_server(network::HttpClient& client, const Options& options,
                           const std::string& url) {
  PSEPHOS_TRY(Server server, Server::create(client, url, {}));
  if (!options.token_file.empty()) {
    PSEPHOS_TRY(Bytes file, runtime::read_file(options.token_file, kMaxTokenBytes));
    std::string_view text = as_text(file);
    text = text.substr(0, text.find_first_of("\r\n"));
    const SecretBuffer token(as_bytes(text));
    wipe(file);
    PSEPHOS_CHECK_OK(in_file(options.token_file, server.authorize(token)));
  }
  return server;
}

// --- each server for itself ---------------------------------------------------------------------

struct Answer {
  std::string server;
  Result<Json> outcome;
};

// for_each_server goes on where one fails; `call` returns what is to be reported.
Result<std::vector<Answer>> for_each_server(
    const Options& options, const std::function<Result<Json>(const Server&)>& call) {
  PSEPHOS_TRY(const auto client, make_client(options));
  std::vector<Server> servers;
  for (const std::string& url : options.servers) {
    PSEPHOS_TRY(Server server, open_server(*client, options, url));
    servers.push_back(std::move(server));
  }
  std::vector<Answer> answers;
  answers.reserve(servers.size());
  for (const Server& server : servers) {
    answers.push_back({.server = server.url(), .outcome = call(server)});
  }
  return answers;
}

// The worst that happened: a server that says no before one that could not be asked.
Result<int> report(const Context& context, const std::vector<Answer>& answers,
                   const std::function<std::string(const Json&)>& words) {
  Json rows = Json::array();
  int code = kExitOk;
  for (const Answer& answer : answers) {
    Json row = {{"server", answer.server}, {"done", answer.outcome.has_value()}};
    if (answer.outcome.has_value()) {
      row.update(*answer.outcome);
      if (!context.json) {
        std::printf("%s: %s\n", answer.server.c_str(), words(*answer.outcome).c_str());
      }
    } else {
      const Error& error = answer.outcome.error();
      row["error"] = printable(error.message);
      complain("psephos " + context.command + ": " + printable(error.message) + "\n");
      const int one = exit_code(error.code);
      code = code == kExitRejected || one == kExitRejected ? kExitRejected : one;
    }
    rows.push_back(std::move(row));
  }
  if (context.json) {
    print_json(rows);
  }
  return code;
}

// --- publish ------------------------------------------------------------------------------------

// The main log of a record, as a server takes it.
struct Publication {
  Digest32 election{};
  // Where what a server may lack begins: all begin with the opening.
  std::uint64_t first = 0;
  std::vector<Bytes> entries;
  std::string checkpoint;
  std::string result_json;  // both or none
  std::string result_csv;
};

Result<Publication> read_publication(const Context& context, const Options& options) {
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto log, load_main_log(context, record));
  if (log->election() == nullptr) {
    return fail(Errc::misuse,
                options.record + ": the election is not open yet; servers begin with its opening");
  }
  const std::string name = Manifest::main_log();
  PSEPHOS_TRY(const auto reader,
              in_file(options.record,
                      protocol::LogReader::open(record, name, log->manifest().log_origin(name))));
  Publication publication{.election = log->election()->id(),
                          .first = 0,
                          .entries = {},
                          .checkpoint = reader.note().print(),
                          .result_json = {},
                          .result_csv = {}};
  for (std::uint64_t i = 0; i < reader.num_bundles(); ++i) {
    PSEPHOS_TRY(const auto bundle, in_file(options.record, reader.bundle(i)));
    for (const ByteView entry : bundle.entries) {
      publication.entries.emplace_back(entry.begin(), entry.end());
      PSEPHOS_TRY(const ByteView payload, protocol::payload_of(entry));
      PSEPHOS_TRY(const auto message, protocol::Message::decode(payload));
      if (message.type == protocol::MessageType::opening) {
        publication.first = publication.entries.size();
      }
    }
  }
  if (record.exists("result.json") && record.exists("result.csv")) {
    PSEPHOS_TRY(const Bytes json, record.read("result.json", protocol::kMaxRecordFileBytes));
    PSEPHOS_TRY(const Bytes csv, record.read("result.csv", protocol::kMaxRecordFileBytes));
    publication.result_json = as_text(json);
    publication.result_csv = as_text(csv);
  }
  return publication;
}

// How many entries the server says it has; nothing if it does not say.
std::optional<std::uint64_t> main_size(const std::optional<Json>& state) {
  if (!state.has_value() || !state->contains("logs") || !(*state)["logs"].is_array()) {
    return std::nullopt;
  }
  for (const Json& log : (*state)["logs"]) {
    if (log.is_object() && log.contains("log") && log["log"] == Manifest::main_log() &&
        log.contains("size") && log["size"].is_number_unsigned()) {
      return log["size"].get<std::uint64_t>();
    }
  }
  return std::nullopt;
}

Result<Json> publish_to(const Server& server, const Publication& publication) {
  // The administration's address need not tell; the server compares what it has already.
  const auto state = server.state(publication.election);
  const std::uint64_t size = publication.entries.size();
  const std::uint64_t there = main_size(state.value_or(std::nullopt)).value_or(publication.first);
  if (there > size) {
    return fail(Errc::misuse, server.url() + ": its main log has " + std::to_string(there) +
                                  " entries, this record's " + std::to_string(size) +
                                  ": this is an old copy");
  }
  Json entries = Json::array();
  for (std::uint64_t i = there; i < size; ++i) {
    entries.push_back(base64(publication.entries[i]));
  }
  Json body = {
      {"first", there}, {"entries", std::move(entries)}, {"checkpoint", publication.checkpoint}};
  const bool has_result = !publication.result_json.empty();
  if (has_result) {
    body["result_json"] = publication.result_json;
    body["result_csv"] = publication.result_csv;
  }
  const std::string text = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  PSEPHOS_TRY(const auto response,
              server.administer(publication.election, "main", "application/json",
                                Bytes(text.begin(), text.end())));
  PSEPHOS_TRY(const Json answer, server.object("", response));
  const auto added = answer.find("added");
  if (added == answer.end() || !added->is_number_unsigned()) {
    return fail(Errc::malformed, server.url() + ": does not say how many entries it added");
  }
  return Json{{"added", added->get<std::uint64_t>()}, {"size", size}, {"result", has_result}};
}

Result<int> publish(Context& context, const Options& options) {
  PSEPHOS_TRY(const Publication publication, read_publication(context, options));
  PSEPHOS_TRY(const auto answers, for_each_server(options, [&](const Server& server) {
                return publish_to(server, publication);
              }));
  return report(context, answers, [](const Json& done) {
    return std::to_string(done["added"].get<std::uint64_t>()) + " entries added, " +
           std::to_string(done["size"].get<std::uint64_t>()) + " in all" +
           (done["result"].get<bool>() ? "; the result is published" : "");
  });
}

// --- stop, resume -------------------------------------------------------------------------------

// The checkpoints in an answer, each signed by the key of its log.
Result<Json> read_switched(const Server& server, const protocol::Election& election,
                           bool must_be_stopped, const network::HttpResponse& response) {
  PSEPHOS_TRY(const Json answer, server.object("", response));
  const auto checkpoints = answer.find("checkpoints");
  const auto stopped = answer.find("stopped");
  if (checkpoints == answer.end() || !checkpoints->is_object() || stopped == answer.end() ||
      !stopped->is_boolean()) {
    return fail(Errc::malformed, server.url() + ": the answer names no checkpoints");
  }
  if (stopped->get<bool>() != must_be_stopped) {
    return fail(Errc::rejected, server.url() + (must_be_stopped ? ": says that it goes on"
                                                                : ": says that it is stopped"));
  }
  Json logs = Json::object();
  for (const auto& [log, text] : checkpoints->items()) {
    const std::string place = server.url() + ": checkpoint of " + printable(log);
    const auto check = [&]() -> Result<crypto::TreeHead> {
      PSEPHOS_TRY(const auto key, election.log_verifier(log));
      if (!text.is_string()) {
        return fail(Errc::malformed, "is no text");
      }
      PSEPHOS_TRY(const auto note, crypto::Note::parse(text.get_ref<const std::string&>()));
      PSEPHOS_CHECK_OK(note.verified_by(std::span(&key, 1)));
      PSEPHOS_TRY(const auto checkpoint, crypto::Checkpoint::parse(note.text));
      if (checkpoint.origin != key.name()) {
        return fail(Errc::rejected, "is one of " + printable(checkpoint.origin));
      }
      return checkpoint.tree;
    };
    const auto tree = check();
    if (!tree.has_value()) {
      return fail(Errc::rejected, place + ": " + tree.error().message);
    }
    logs[log] = {{"entries", tree->size}, {"root", hex(tree->root)}, {"checkpoint", text}};
  }
  return Json{{"stopped", stopped->get<bool>()}, {"logs", std::move(logs)}};
}

// "box/0" in the directory: "box-0.checkpoint".
fs::path checkpoint_file(const std::string& directory, std::string log) {
  std::ranges::replace(log, '/', '-');
  return fs::path(directory) / (log + ".checkpoint");
}

Result<void> write_checkpoints(const Options& options, const std::vector<Answer>& answers) {
  for (const Answer& answer : answers) {
    if (options.out.empty() || !answer.outcome.has_value()) {
      continue;
    }
    for (const auto& [log, state] : (*answer.outcome)["logs"].items()) {
      // Each stop may end with a longer log than the one before.
      PSEPHOS_CHECK_OK(
          runtime::write_file(checkpoint_file(options.out, log),
                              as_bytes(state["checkpoint"].get_ref<const std::string&>())));
    }
  }
  return {};
}

// A log is one server's: where two say where it ended, they must agree.
Result<void> agree(const std::vector<Answer>& answers) {
  std::map<std::string, std::pair<std::string, Json>> ends;
  for (const Answer& answer : answers) {
    if (!answer.outcome.has_value()) {
      continue;
    }
    for (const auto& [log, state] : (*answer.outcome)["logs"].items()) {
      const auto [at, is_new] = ends.emplace(log, std::pair(answer.server, state));
      const auto& [server, earlier] = at->second;
      if (!is_new && (earlier["entries"] != state["entries"] || earlier["root"] != state["root"])) {
        return fail(Errc::rejected, log + ": " + server + " says that it ended with " +
                                        earlier["entries"].dump() + " entries, root " +
                                        earlier["root"].dump() + ", and " + answer.server +
                                        " with " + state["entries"].dump() + ", root " +
                                        state["root"].dump() + ": two servers keep one log");
      }
    }
  }
  return {};
}

// The boxes' and registrars' logs of which no server has said where they ended.
std::string not_covered(const protocol::Election& election, const std::vector<Answer>& answers) {
  std::string missing;
  for (const std::string& log : election.log_names()) {
    const bool covered = std::ranges::any_of(answers, [&](const Answer& answer) {
      return answer.outcome.has_value() && (*answer.outcome)["logs"].contains(log);
    });
    if (!covered && log != Manifest::main_log()) {
      missing += (missing.empty() ? "" : ", ") + log;
    }
  }
  return missing;
}

Result<int> switch_servers(Context& context, const Options& options, const std::string& call) {
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto election, load_election(context, record));
  const bool stop = call == "stop";
  const auto ask = [&](const Server& server) -> Result<Json> {
    PSEPHOS_TRY(const auto response, server.administer(election->id(), call, "", {}));
    return read_switched(server, *election, stop, response);
  };
  PSEPHOS_TRY(const auto answers, for_each_server(options, ask));
  const auto agreed = stop ? agree(answers) : Result<void>();
  const auto written = agreed.has_value() ? write_checkpoints(options, answers) : Result<void>();
  PSEPHOS_TRY(const int code, report(context, answers, [](const Json& done) {
                std::string words = done["stopped"].get<bool>() ? "stopped" : "goes on";
                for (const auto& [log, state] : done["logs"].items()) {
                  words += "\n  " + log + ": " +
                           std::to_string(state["entries"].get<std::uint64_t>()) +
                           " entries, root " + state["root"].get<std::string>();
                }
                return words;
              }));
  PSEPHOS_CHECK_OK(agreed);
  PSEPHOS_CHECK_OK(written);
  if (const std::string missing = not_covered(*election, answers); stop && !missing.empty()) {
    complain("psephos " + context.command + ": none of these servers keeps " + missing +
             "; stop those that do, too\n");
  }
  return code;
}

// --- import-roll --------------------------------------------------------------------------------

Result<int> import_roll(Context& context, const Options& options) {
  const fs::path out = options.out;
  PSEPHOS_CHECK_OK(check_new(std::span(&out, 1)));
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto log, load_main_log(context, record));
  if (log->election() == nullptr) {
    return fail(Errc::misuse, options.record + ": the election is not open yet");
  }
  const Manifest& manifest = log->manifest();
  if (options.registrar >= manifest.num_registrars()) {
    return fail(Errc::misuse, "--registrar " + std::to_string(options.registrar) +
                                  ": the election has only " +
                                  std::to_string(manifest.num_registrars()));
  }
  PSEPHOS_TRY(Bytes roll, runtime::read_file(options.roll, kMaxRollBytes));
  PSEPHOS_TRY(const auto client, make_client(options));
  PSEPHOS_TRY(const Server server, open_server(*client, options, options.servers.front()));
  PSEPHOS_CHECK_OK(server.keep_private("the roll of voters"));
  PSEPHOS_TRY(const auto response,
              server.administer(log->election()->id(),
                                "registrars/" + std::to_string(options.registrar) + "/roll",
                                "text/csv", std::move(roll)));
  // As the main log will judge it.
  const auto judge = [&]() -> Result<protocol::Message> {
    // A message file of one message.
    Reader in(response.body);
    PSEPHOS_TRY(const ByteView bytes, in.var(crypto::kMaxEntryBytes, "message"));
    PSEPHOS_CHECK_OK(in.finish("answer"));
    PSEPHOS_TRY(auto message, protocol::Message::decode(bytes));
    if (message.type != protocol::MessageType::roll || message.sender != options.registrar) {
      return fail(Errc::rejected, "is no roll message of this registrar");
    }
    MainLog next = *log;
    if (auto taken = next.append(message); !taken.has_value()) {
      return std::unexpected(protocol::to_error(taken.error()));
    }
    return message;
  };
  const auto message = judge();
  if (!message.has_value()) {
    return within(server.url() + ": the answer", message.error());
  }
  PSEPHOS_CHECK_OK(write_new_file(out, encode_messages({*message})));
  PSEPHOS_TRY(const auto announced, protocol::RollImport::decode(message->payload, manifest));
  Json voters = Json::object();
  std::uint64_t all = 0;
  for (std::uint32_t style = 0; style < manifest.num_styles(); ++style) {
    voters[manifest.styles[style].id] = announced.voters[style];
    all += announced.voters[style];
  }
  if (context.json) {
    print_json({{"file", out.string()}, {"number", announced.number}, {"voters", voters}});
  } else {
    std::printf(
        "%s: %llu voters, import %u of registrar %u; they can enrol when it stands in the "
        "main log (`election add`, `admin publish`)\n",
        out.c_str(), static_cast<unsigned long long>(all), announced.number, options.registrar);
  }
  return kExitOk;
}

// --- status -------------------------------------------------------------------------------------

std::string text_of(const Json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? printable(member->get<std::string>())
                                                       : "?";
}

void print_state(const Json& state) {
  const auto stopped = state.find("stopped");
  const bool is_stopped = stopped != state.end() && stopped->is_boolean() && stopped->get<bool>();
  std::printf("%s\n  id %s\n  phase: %s%s\n", text_of(state, "title").c_str(),
              text_of(state, "id").c_str(), text_of(state, "phase").c_str(),
              is_stopped ? ", stopped" : "");
  const auto logs = state.find("logs");
  if (logs == state.end() || !logs->is_array()) {
    return;
  }
  for (const Json& log : *logs) {
    if (log.is_object() && log.contains("size") && log["size"].is_number_unsigned()) {
      std::printf("  log %s: %llu entries\n", text_of(log, "log").c_str(),
                  log["size"].get<unsigned long long>());
    }
  }
}

Result<int> status(Context& context, const Options& options) {
  PSEPHOS_TRY(const auto client, make_client(options));
  PSEPHOS_TRY(const Server server, open_server(*client, options, options.servers.front()));
  PSEPHOS_TRY(const auto health, server.get("healthz"));
  PSEPHOS_TRY(const auto list, server.elections());
  const bool healthy = health.status == 200;
  Json out = {{"server", server.url()}, {"healthy", healthy}, {"elections", Json::array()}};
  for (const Server::Listed& listed : list) {
    PSEPHOS_TRY(const Digest32 id, unhex32(listed.id));
    PSEPHOS_TRY(auto state, server.state(id));
    if (!context.json && state.has_value()) {
      print_state(*state);
    }
    out["elections"].push_back(state.has_value() ? *std::move(state) : Json(listed.id));
  }
  if (context.json) {
    print_json(out);
  }
  if (!healthy) {
    return fail(Errc::environment, server.url() + "healthz: " + problem_text(health));
  }
  if (!context.json) {
    std::printf("healthy\n");
  }
  return kExitOk;
}

CLI::App* add_command(CLI::App& group, const char* name, const char* purpose, const char* flow,
                      Options& options) {
  CLI::App* command = group.add_subcommand(name, purpose);
  command->add_option("RECORD", options.record, "the authority's copy of the record")->required();
  command->footer(flow);
  return command;
}

void add_tls(CLI::App& command, Options& options) {
  command
      .add_option("--ca", options.ca_file,
                  "certificates (PEM) of the authorities that may vouch for https servers, instead "
                  "of\nthe system's")
      ->type_name("FILE");
}

void add_access(CLI::App& command, Options& options, int most) {
  command
      .add_option("--server", options.servers,
                  most == 1 ? "address of the server's administration"
                            : "address of a server's administration; of all who need it")
      ->required()
      ->expected(1, most)
      ->type_name("URL");
  CLI::Option* token =
      command
          .add_option("--token-file", options.token_file, "file with the administration's token")
          ->type_name("FILE");
  CLI::Option* certificate = command
                                 .add_option("--certificate", options.certificate,
                                             "certificate (PEM) to be known by, instead of a token")
                                 ->excludes(token)
                                 ->type_name("FILE");
  CLI::Option* key =
      command.add_option("--key", options.key, "key (PEM) of --certificate")->type_name("FILE");
  certificate->needs(key);
  key->needs(certificate);
  add_tls(command, options);
}

constexpr int kAnyNumber = CLI::detail::expected_max_vector_size;

}  // namespace

void add_admin(CLI::App& app, Context& context) {
  CLI::App* group =
      app.add_subcommand("admin", "Administrate running servers (psephosd) of an election");
  group->require_subcommand(1);
  auto options = std::make_shared<Options>();

  CLI::App* send = add_command(
      *group, "publish", "Send the main log, and the result when it is there, to servers",
      "After every `election` command that changes the main log. Each server is sent all that came "
      "after\n"
      "the opening (at most 64 MiB), takes what it lacks, judges it and is reported on for itself; "
      "repeating\n"
      "does no harm. Exit code 1 if one says no, 3 if one could not be asked.\n"
      "Example: psephos admin publish record --server https://admin.vote.example:8081\n"
      "         --token-file token",
      *options);
  add_access(*send, *options, kAnyNumber);
  bind(*send, context, [options, &context] { return publish(context, *options); });

  const auto add_switch = [&](const char* name, const char* purpose, const char* flow) {
    CLI::App* command = add_command(*group, name, purpose, flow, *options);
    add_access(*command, *options, kAnyNumber);
    command->add_option("--out", options->out, "directory to write the logs' checkpoints to")
        ->type_name("DIR");
    bind(*command, context,
         [options, &context, name] { return switch_servers(context, *options, name); });
  };
  add_switch("stop", "Have boxes and registrars take nothing more, and say where they ended",
             "Before the close: prints the final checkpoints, signed and checked; with --out as "
             "files for\n"
             "`election close --checkpoint`. Says which of the election's logs none of the servers "
             "keeps. Exit\n"
             "code 1 if a server says no, or two end one log differently; 3 if one could not be "
             "asked.\n"
             "Example: psephos admin stop record --server https://admin.vote.example:8081\n"
             "         --token-file token --out final");
  add_switch("resume", "Have boxes and registrars go on after a stop",
             "Only while the polls are not closed.\n"
             "Example: psephos admin resume record --server https://admin.vote.example:8081\n"
             "         --token-file token");

  CLI::App* roll = add_command(
      *group, "import-roll", "Give a registrar a list of voters",
      "ROLL is CSV with the columns voter,style or voter,style,code (`registrar roll` makes one). "
      "The\n"
      "registrar answers with a signed message of how many voters it admits; they can enrol when "
      "the\n"
      "message stands in the main log (`election add`, `admin publish`).\n"
      "Example: psephos admin import-roll record roll.csv --registrar 0\n"
      "         --server https://admin.vote.example:8081 --token-file token --out roll.msg",
      *options);
  roll->add_option("ROLL", options->roll, "the list")->required();
  roll->add_option("--registrar", options->registrar, "the registrar's number, from 0")
      ->required()
      ->type_name("N");
  add_access(*roll, *options, 1);
  roll->add_option("--out", options->out, "message to write, for the authority")
      ->required()
      ->type_name("FILE");
  bind(*roll, context, [options, &context] { return import_roll(context, *options); });

  CLI::App* look = group->add_subcommand("status", "What a server says of itself");
  look->add_option("URL", options->servers, "the server's public address")->required()->expected(1);
  add_tls(*look, *options);
  look->footer("Example: psephos admin status https://vote.example");
  bind(*look, context, [options, &context] { return status(context, *options); });
}

}  // namespace psephos::cli
