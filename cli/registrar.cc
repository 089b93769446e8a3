// `psephos registrar`: the roll of voters, and one blind signature for each of them.
#include "psephos/protocol/registrar.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include "psephos/protocol/log_writer.h"

#include "cli/cards.h"
#include "cli/common.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/record.h"
#include "src/csv/csv.h"

namespace psephos::cli {

namespace {

using csv::csv_line;
using csv::CsvReader;
using protocol::Manifest;
using protocol::Registrar;
using Phase = protocol::MainLog::Phase;

constexpr std::size_t kMaxVoterBytes = 256;
constexpr std::size_t kMaxCodeBytes = 256;
constexpr std::size_t kMaxRequestBytes = 4096;

struct Options {
  std::string manifest;
  std::uint32_t index = 0;
  std::string record;
  std::string key;
  std::string card;
  std::string voters;
  std::string roll;
  std::string out;
  std::vector<std::string> requests;
};

Result<int> new_registrar(Context& context, const Options& options) {
  const std::vector<fs::path> outputs = {options.key, options.card};
  PSEPHOS_CHECK_OK(check_new(outputs));
  PSEPHOS_TRY(const auto manifest, read_manifest(options.manifest));
  runtime::ThreadExecutor executor(context.threads);
  PSEPHOS_TRY(const Registrar registrar,
              Registrar::create(*manifest, options.index, context.random, executor));
  const std::string card =
      print(*manifest, RegistrarCard{.registrar = registrar.index(),
                                     .log_key = registrar.log_key(),
                                     .credential_keys = registrar.credential_keys(*manifest)});
  PSEPHOS_TRY(const SecretBuffer content, registrar.save());
  PSEPHOS_TRY(Bytes key, sealed(context, "registrar", options.key, content));
  const std::vector<NewFile> files = {{options.key, std::move(key), runtime::FileMode::owner_only},
                                      {options.card, Bytes(card.begin(), card.end())}};
  PSEPHOS_CHECK_OK(write_new_files(files));
  return kExitOk;
}

// A registrar at work on its copy of a record.
struct Desk {
  runtime::DirectoryRecord& record;
  std::shared_ptr<protocol::MainLog> log;
  Registrar registrar;
  [[nodiscard]] const protocol::Election& election() const { return *log->election(); }
};

Result<Desk> open_desk(const Context& context, runtime::DirectoryRecord& record,
                       const std::string& key) {
  PSEPHOS_TRY(auto log, load_main_log(context, record));
  if (log->election() == nullptr) {
    return fail(Errc::misuse, record.root().string() +
                                  ": the election is not open yet; get the record again after "
                                  "`psephos election open`");
  }
  PSEPHOS_TRY(const SecretBuffer content, load_secret(context, "registrar", key));
  PSEPHOS_TRY(Registrar registrar, in_file(key, Registrar::load(content)));
  const auto& listed = log->election()->opening().registrars;
  if (registrar.index() >= listed.size() || listed[registrar.index()].log != registrar.log_key()) {
    return fail(Errc::misuse, key + ": is not the key of a registrar of " + record.root().string());
  }
  return Desk{.record = record, .log = std::move(log), .registrar = std::move(registrar)};
}

Result<int> start(Context& context, const Options& options) {
  PSEPHOS_TRY(const Lock lock, Lock::acquire(options.record));
  runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const Lock key_lock, Lock::acquire(options.key));
  PSEPHOS_TRY(Desk desk, open_desk(context, record, options.key));
  PSEPHOS_CHECK_OK(in_file(options.key, desk.registrar.start(desk.election())));
  PSEPHOS_TRY(const SecretBuffer content, desk.registrar.save());
  PSEPHOS_CHECK_OK(save_secret(context, "registrar", options.key, content, Overwrite::replace));
  PSEPHOS_TRY(auto signer, desk.registrar.log_signer(desk.log->manifest()));
  PSEPHOS_CHECK_OK(in_file(
      options.record, protocol::LogWriter::create(
                          record, Manifest::roll_log(desk.registrar.index()), std::move(signer))));
  return kExitOk;
}

bool plain_text(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

// Reads voter, style and perhaps further columns; `columns` is the header that must be there. `row`
// gets each row with its place, after the voter id was checked.
Result<void> read_voters(
    const std::string& path, const std::vector<std::string>& columns,
    const std::function<Result<void>(const std::string& place, const CsvReader::Row&)>& row) {
  PSEPHOS_TRY(CsvReader csv, CsvReader::open(path));
  PSEPHOS_TRY(const auto header, csv.next());
  if (!header.has_value() || *header != columns) {
    std::string expected = csv_line(columns);
    expected.pop_back();
    return fail(Errc::malformed, path + ": the first line must be: " + expected);
  }
  std::set<std::string, std::less<>> voters;
  while (true) {
    PSEPHOS_TRY(const auto fields, csv.next());
    if (!fields.has_value()) {
      break;
    }
    const std::string place = path + " line " + std::to_string(csv.line());
    if (fields->size() != columns.size()) {
      return fail(Errc::malformed, place + ": has " + std::to_string(fields->size()) +
                                       " fields, not " + std::to_string(columns.size()));
    }
    const std::string& voter = fields->front();
    if (voter.empty() || voter.size() > kMaxVoterBytes || !plain_text(voter)) {
      return fail(Errc::malformed, place + ": a voter id has 1 to " +
                                       std::to_string(kMaxVoterBytes) +
                                       " bytes and no control characters");
    }
    if (!voters.insert(voter).second) {
      return fail(Errc::malformed, place + ": voter \"" + voter + "\" stands there twice");
    }
    PSEPHOS_CHECK_OK(row(place, *fields));
  }
  return {};
}

// A code is 80 random bits in Crockford's base32, whose letters are not taken for one another.
std::string new_code(Random& random) {
  constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
  constexpr std::size_t kLetters = 16;
  constexpr std::size_t kGroup = 4;
  std::array<std::uint8_t, kLetters> bytes{};
  random.fill(bytes);
  std::string code;
  for (std::size_t i = 0; i < kLetters; ++i) {
    if (i != 0 && i % kGroup == 0) {
      code += '-';
    }
    code += kAlphabet[bytes[i] % kAlphabet.size()];  // 32 divides 256: uniform
  }
  return code;
}

Result<int> make_roll(Context& context, const Options& options) {
  const fs::path out = options.out;
  PSEPHOS_CHECK_OK(check_new(std::span(&out, 1)));
  std::string roll = csv_line({"voter", "style", "code"});
  std::size_t voters = 0;
  PSEPHOS_CHECK_OK(
      read_voters(options.voters, {"voter", "style"},
                  [&](const std::string& place, const CsvReader::Row& row) -> Result<void> {
                    if (row[1].empty()) {
                      return fail(Errc::malformed, place + ": the ballot style is empty");
                    }
                    roll += csv_line({row[0], row[1], new_code(context.random)});
                    ++voters;
                    return {};
                  }));
  const NewFile file{out, Bytes(roll.begin(), roll.end()), runtime::FileMode::owner_only};
  PSEPHOS_CHECK_OK(write_new_files(std::span(&file, 1)));
  if (context.json) {
    print_json({{"roll", options.out}, {"voters", voters}});
  } else {
    std::printf("%zu voters\n", voters);
  }
  return kExitOk;
}

Result<protocol::Roll> read_roll(const std::string& path, const Manifest& manifest) {
  protocol::Roll roll;
  PSEPHOS_CHECK_OK(read_voters(
      path, {"voter", "style", "code"},
      [&](const std::string& place, const CsvReader::Row& row) -> Result<void> {
        PSEPHOS_TRY(const auto style, in_file(place, find_style(manifest, row[1])));
        if (row[2].empty() || row[2].size() > kMaxCodeBytes) {
          return fail(Errc::malformed,
                      place + ": a code has 1 to " + std::to_string(kMaxCodeBytes) + " bytes");
        }
        roll.emplace(row[0], protocol::RollEntry{.style = style, .code = row[2]});
        return {};
      }));
  return roll;
}

// One request's way through the desk.
struct Request {
  std::string file;
  fs::path response;
  Result<Bytes> content;
  Result<protocol::EnrolmentResponse> answer = fail(Errc::misuse, "not judged");
};

void report(const Context& context, const std::vector<Request>& requests) {
  if (context.json) {
    Json out = Json::array();
    for (const Request& request : requests) {
      Json row = {{"request", request.file}, {"answered", request.answer.has_value()}};
      if (request.answer.has_value()) {
        row["response"] = request.response.string();
      } else {
        row["reason"] = request.answer.error().message;
      }
      out.push_back(std::move(row));
    }
    print_json(out);
    return;
  }
  for (const Request& request : requests) {
    if (request.answer.has_value()) {
      std::printf("answered %s: %s\n", request.file.c_str(), request.response.c_str());
    } else {
      std::printf("refused  %s: %s\n", request.file.c_str(),
                  request.answer.error().message.c_str());
    }
  }
}

Result<int> issue(Context& context, const Options& options) {
  std::vector<Request> requests;
  std::vector<fs::path> outputs;
  for (const std::string& file : options.requests) {
    const fs::path response =
        fs::path(options.out) / (fs::path(file).stem().string() + ".response");
    auto content = runtime::read_file(file, kMaxRequestBytes);
    if (!content.has_value() && content.error().code == Errc::environment) {
      return std::unexpected(content.error());
    }
    requests.push_back({.file = file, .response = response, .content = std::move(content)});
    outputs.push_back(response);
  }
  PSEPHOS_CHECK_OK(check_new(outputs, options.requests));
  PSEPHOS_TRY(const Lock lock, Lock::acquire(options.record));
  runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const Desk desk, open_desk(context, record, options.key));
  PSEPHOS_CHECK_OK(require_phase(record, *desk.log, {Phase::opened, Phase::voting},
                                 "credentials are issued until the polls close"));
  const Manifest& manifest = desk.log->manifest();
  PSEPHOS_TRY(const auto roll, read_roll(options.roll, manifest));
  PSEPHOS_TRY(const auto issued, read_issuances(record, desk.election(), desk.registrar.index()));
  protocol::IssuanceState state(manifest);
  for (const protocol::Issuance& issuance : issued) {
    if (auto taken = state.append(issuance); !taken.has_value()) {
      return in_file(options.record, protocol::to_error(taken.error()));
    }
  }
  PSEPHOS_TRY(auto signer, desk.registrar.log_signer(manifest));
  PSEPHOS_TRY(auto writer,
              in_file(options.record,
                      protocol::LogWriter::open(record, Manifest::roll_log(desk.registrar.index()),
                                                std::move(signer))));

  bool appended = false;
  for (Request& request : requests) {
    const auto judge = [&]() -> Result<protocol::EnrolmentResponse> {
      PSEPHOS_TRY(const Bytes content, request.content);
      PSEPHOS_TRY(const auto decoded, protocol::EnrolmentRequest::decode(content, manifest));
      PSEPHOS_TRY(auto answer, desk.registrar.issue(desk.election(), roll, state, decoded));
      if (answer.issuance.has_value()) {
        if (auto taken = state.append(*answer.issuance); !taken.has_value()) {
          return std::unexpected(protocol::to_error(taken.error()));
        }
        PSEPHOS_CHECK_OK(writer.append(answer.issuance->encode()));
        appended = true;
      }
      return std::move(answer.response);
    };
    request.answer = judge();
    if (!request.answer.has_value() && request.answer.error().code == Errc::environment) {
      return in_file(request.file, request.answer.error());
    }
  }
  // The log is durable before any answer leaves.
  if (appended) {
    PSEPHOS_CHECK_OK(in_file(options.record, writer.publish()));
  }
  std::vector<NewFile> files;
  for (const Request& request : requests) {
    if (request.answer.has_value()) {
      files.push_back({request.response, request.answer->encode()});
    }
  }
  PSEPHOS_CHECK_OK(write_new_files(files));
  report(context, requests);
  if (files.size() != requests.size()) {
    for (const Request& request : requests) {
      if (!request.answer.has_value()) {
        complain("psephos " + context.command + ": " + request.file +
                 ": refused: " + request.answer.error().message + "\n");
      }
    }
    return kExitRejected;
  }
  return kExitOk;
}

Result<int> audit_roll(Context& context, const Options& options) {
  runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const Desk desk, open_desk(context, record, options.key));
  PSEPHOS_TRY(const auto roll, read_roll(options.roll, desk.log->manifest()));
  PSEPHOS_TRY(const auto issued, read_issuances(record, desk.election(), desk.registrar.index()));
  const auto faults = desk.registrar.compare_roll(desk.election(), roll, issued);
  if (context.json) {
    print_json({{"issued", issued.size()}, {"voters", roll.size()}, {"faults", faults}});
  } else {
    std::printf("%zu credentials issued, %zu voters on the roll, %zu faults\n", issued.size(),
                roll.size(), faults.size());
  }
  for (const std::string& fault : faults) {
    complain("psephos " + context.command + ": " + fault + "\n");
  }
  return faults.empty() ? kExitOk : kExitRejected;
}

CLI::App* add_command(CLI::App& group, const char* name, const char* purpose, const char* flow,
                      Options& options) {
  CLI::App* command = group.add_subcommand(name, purpose);
  command->add_option("RECORD", options.record, "this registrar's copy of the record")->required();
  command->add_option("--key", options.key, "this registrar's key file")
      ->required()
      ->type_name("FILE");
  command->footer(flow);
  return command;
}

void add_roll(CLI::App& command, Options& options) {
  command.add_option("--roll", options.roll, "the roll with codes, from `registrar roll`")
      ->required()
      ->type_name("FILE");
}

}  // namespace

void add_registrar(CLI::App& app, Context& context) {
  CLI::App* group = app.add_subcommand(
      "registrar", "Keep the roll of voters and sign one credential for each, without seeing it");
  group->require_subcommand(1);
  auto options = std::make_shared<Options>();

  CLI::App* create = group->add_subcommand("new", "Make a registrar's keys for one election");
  create->add_option("MANIFEST", options->manifest, "the manifest")->required();
  create->add_option("--index", options->index, "this registrar's number in the manifest, from 0")
      ->required()
      ->type_name("R");
  create->add_option("--out", options->key, "key file to write")->required()->type_name("FILE");
  create->add_option("--card", options->card, "card to write, for the authority")
      ->required()
      ->type_name("FILE");
  create->footer(
      "Makes one RSA key for each ballot style. The key file stays here, under a password; the "
      "card\n"
      "goes to the authority (`election open`).\n"
      "Example: psephos registrar new manifest.json --index 0 --out registrar-0.key\n"
      "         --card registrar-0.card");
  bind(*create, context, [options, &context] { return new_registrar(context, *options); });

  CLI::App* begin =
      add_command(*group, "start", "Make the empty log of issued credentials",
                  "Once, in a copy of the record got after `election open`. Keep roll/ of this "
                  "copy safe: it is the\n"
                  "only memory of who has got a credential. Never start again from an older copy.\n"
                  "Example: psephos registrar start record --key registrar-0.key",
                  *options);
  bind(*begin, context, [options, &context] { return start(context, *options); });

  CLI::App* codes = group->add_subcommand("roll", "Give every voter of a list a one-time code");
  codes->add_option("VOTERS", options->voters, "CSV with the columns voter,style")->required();
  codes->add_option("--out", options->out, "roll to write: voter,style,code")
      ->required()
      ->type_name("FILE");
  codes->footer(
      "Send each voter their code, by a way that reaches them alone. The roll is secret: whoever "
      "reads\n"
      "it can enrol in a voter's place.\n"
      "Example: psephos registrar roll voters.csv --out roll-0.csv");
  bind(*codes, context, [options, &context] { return make_roll(context, *options); });

  CLI::App* sign = add_command(
      *group, "issue", "Answer enrolment requests of voters on the roll",
      "Reads request files from `voter enrol`; writes NAME.response into --out for each "
      "NAME.request\n"
      "answered. A voter is answered once; the same request again gets the same answer. Refused\n"
      "requests are listed, the others answered; the exit code is 1 then. No two requests of one\n"
      "command may have the same NAME.\n"
      "Example: psephos registrar issue record --key registrar-0.key --roll roll-0.csv\n"
      "         --out responses requests/*.request",
      *options);
  add_roll(*sign, *options);
  sign->add_option("--out", options->out, "directory for the responses")
      ->required()
      ->type_name("DIR");
  sign->add_option("REQUEST", options->requests, "request files")->required();
  bind(*sign, context, [options, &context] { return issue(context, *options); });

  CLI::App* compare = add_command(
      *group, "audit", "Compare the log of issued credentials with the roll",
      "Every credential issued must belong to one voter of the roll and to their ballot style.\n"
      "Example: psephos registrar audit record --key registrar-0.key --roll roll-0.csv",
      *options);
  add_roll(*compare, *options);
  bind(*compare, context, [options, &context] { return audit_roll(context, *options); });
}

}  // namespace psephos::cli
