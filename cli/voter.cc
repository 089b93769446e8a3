// `psephos voter`: a voter's wallet.
#include "cli/voter.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "psephos/protocol/wallet.h"

#include "cli/common.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/record.h"

namespace psephos::cli {

using protocol::Election;
using protocol::Manifest;
using protocol::Wallet;

Result<OpenWallet> open_wallet(const Context& context, const VoterOptions& options,
                               const Election& election) {
  PSEPHOS_TRY(Lock lock, Lock::acquire(options.wallet));
  PSEPHOS_TRY(const SecretBuffer content, load_secret(context, "wallet", options.wallet));
  PSEPHOS_TRY(Wallet wallet, in_file(options.wallet, Wallet::load(content, election)));
  return OpenWallet{.lock = std::move(lock), .wallet = std::move(wallet)};
}

Result<void> save(Context& context, const VoterOptions& options, OpenWallet& opened) {
  PSEPHOS_CHECK_OK(save_secret(context, "wallet", options.wallet, opened.wallet.save(),
                               opened.is_new() ? Overwrite::refuse : Overwrite::replace));
  // What is locked is a file, and this is a new one.
  PSEPHOS_TRY(Lock lock, Lock::acquire(options.wallet));
  opened.lock.emplace(std::move(lock));
  return {};
}

Result<OpenWallet> join_wallet(Context& context, const VoterOptions& options,
                               const Election& election) {
  const Manifest& manifest = election.manifest();
  std::optional<std::uint32_t> style;
  if (!options.style.empty()) {
    PSEPHOS_TRY(style, find_style(manifest, options.style));
  }
  std::error_code error;
  if (fs::exists(options.wallet, error)) {
    PSEPHOS_TRY(OpenWallet opened, open_wallet(context, options, election));
    if (style.has_value() && opened.wallet.style() != *style) {
      return fail(Errc::misuse, options.wallet + ": is for the ballot style \"" +
                                    manifest.styles[opened.wallet.style()].id + "\"");
    }
    return opened;
  }
  if (!style.has_value() && manifest.num_styles() != 1) {
    PSEPHOS_CHECK_OK(find_style(manifest, options.style));
  }
  PSEPHOS_TRY(Wallet wallet, Wallet::create(election, style.value_or(0), context.random));
  return OpenWallet{.lock = std::nullopt, .wallet = std::move(wallet)};
}

namespace {

constexpr std::size_t kMaxCodeFileBytes = std::size_t{64} << 10;

// The lines of a file, or the words of the command line.
Result<std::vector<SecretBuffer>> codes_given(const VoterOptions& options) {
  std::vector<SecretBuffer> codes;
  codes.reserve(options.codes.size());
  for (const std::string& code : options.codes) {
    codes.emplace_back(as_bytes(code));
  }
  if (options.code_file.empty()) {
    return codes;
  }
  PSEPHOS_TRY(Bytes content, runtime::read_file(options.code_file, kMaxCodeFileBytes));
  std::string_view rest = as_text(content);
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (!line.empty()) {
      codes.emplace_back(as_bytes(line));
    }
  }
  wipe(content);
  if (codes.empty()) {
    return fail(Errc::malformed, options.code_file + ": holds no code");
  }
  return codes;
}

// The N of "N=CODE"; nothing if this is a code alone.
std::optional<std::string_view> number_before(std::string_view text) {
  const std::size_t digits = text.find_first_not_of("0123456789");
  return digits != 0 && digits != std::string_view::npos && text[digits] == '='
             ? std::optional(text.substr(0, digits))
             : std::nullopt;
}

}  // namespace

bool gives_codes(const VoterOptions& options) {
  return !options.codes.empty() || !options.code_file.empty();
}

Result<Codes> read_codes(const VoterOptions& options, const Manifest& manifest) {
  const std::string where = options.code_file.empty() ? "--code" : options.code_file;
  PSEPHOS_TRY(const auto given, codes_given(options));
  const std::uint32_t registrars = manifest.num_registrars();
  const std::string last = std::to_string(registrars - 1);
  const bool numbered = std::ranges::any_of(given, [](const SecretBuffer& text) {
    return number_before(as_text(text.expose_secret())).has_value();
  });
  if (!numbered && !given.empty() && given.size() != registrars) {
    return fail(Errc::misuse, where + ": " + std::to_string(given.size()) + " codes for " +
                                  std::to_string(registrars) +
                                  " registrars; give one for each, in their order, or N=CODE, "
                                  "with N from 0 to " +
                                  last);
  }
  Codes codes;
  for (std::uint32_t i = 0; i < given.size(); ++i) {
    const std::string_view text = as_text(given[i].expose_secret());
    std::uint32_t registrar = i;
    std::string_view code = text;
    if (numbered) {
      const auto number = number_before(text);
      registrar = 0;
      while (registrar < registrars && std::to_string(registrar) != number) {
        ++registrar;
      }
      if (registrar == registrars) {
        return fail(Errc::misuse, where + ": write N=CODE for each, with N from 0 to " + last);
      }
      code.remove_prefix(number->size() + 1);
    }
    for (const auto& [other, same] : codes) {
      if (ct_equal(same.expose_secret(), as_bytes(code))) {
        return fail(Errc::misuse, where + ": registrars " + std::to_string(other) + " and " +
                                      std::to_string(registrar) +
                                      " would get the same code, and either could enrol with it "
                                      "at the other in the voter's place");
      }
    }
    if (!codes.emplace(registrar, SecretBuffer(as_bytes(code))).second) {
      return fail(Errc::misuse,
                  where + ": registrar " + std::to_string(registrar) + " has two codes");
    }
  }
  return codes;
}

Result<std::shared_ptr<const Election>> load_open_election(const Context& context,
                                                           const runtime::DirectoryRecord& record,
                                                           Polls polls) {
  using Phase = protocol::MainLog::Phase;
  PSEPHOS_TRY(const auto log, load_main_log(context, record));
  if (polls == Polls::open || log->phase() != Phase::opened) {
    PSEPHOS_CHECK_OK(require_phase(record, *log, {Phase::voting},
                                   "votes are made and sent while the polls are open"));
  }
  return log->election();
}

namespace {

constexpr std::size_t kMaxResponseBytes = 4096;

using Options = VoterOptions;

std::string request_name(std::uint32_t registrar) {
  return "request-" + std::to_string(registrar) + ".request";
}

Result<int> enrol(Context& context, const Options& options) {
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto election, load_election(context, record));
  const Manifest& manifest = election->manifest();
  PSEPHOS_TRY(auto joining, join_wallet(context, options, *election));
  Wallet& wallet = joining.wallet;
  const auto missing = wallet.missing(*election);
  if (missing.empty()) {
    return fail(Errc::misuse, options.wallet + ": every registrar has signed already");
  }
  PSEPHOS_TRY(const Codes codes, read_codes(options, manifest));
  std::vector<NewFile> requests;
  std::vector<fs::path> outputs = {};
  for (const std::uint32_t registrar : missing) {
    const auto code = codes.find(registrar);
    if (code == codes.end()) {
      return fail(Errc::misuse, registrar_name(manifest, registrar) + ": no code is given for it");
    }
    PSEPHOS_TRY(const auto request,
                wallet.request(*election, registrar, options.voter,
                               std::string(as_text(code->second.expose_secret())), context.random));
    // A request holds the voter's code: nobody else's business.
    requests.push_back({fs::path(options.out) / request_name(registrar), request.encode(),
                        runtime::FileMode::owner_only});
    outputs.push_back(requests.back().path);
  }
  PSEPHOS_CHECK_OK(check_new(outputs));
  PSEPHOS_CHECK_OK(save(context, options, joining));
  PSEPHOS_CHECK_OK(write_new_files(requests));
  Json out = {{"requests", Json::array()}};
  for (std::size_t i = 0; i < requests.size(); ++i) {
    out["requests"].push_back({{"file", requests[i].path.string()}, {"registrar", missing[i]}});
    if (!context.json) {
      std::printf("%s: for %s\n", requests[i].path.c_str(),
                  registrar_name(manifest, missing[i]).c_str());
    }
  }
  if (context.json) {
    print_json(out);
  }
  return kExitOk;
}

Result<int> receive(Context& context, const Options& options) {
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto election, load_election(context, record));
  std::vector<protocol::EnrolmentResponse> responses;
  for (const std::string& file : options.responses) {
    PSEPHOS_TRY(const Bytes content, runtime::read_file(file, kMaxResponseBytes));
    PSEPHOS_TRY(auto response,
                in_file(file, protocol::EnrolmentResponse::decode(content, election->manifest())));
    responses.push_back(std::move(response));
  }
  PSEPHOS_TRY(auto opened, open_wallet(context, options, *election));
  for (std::size_t i = 0; i < responses.size(); ++i) {
    PSEPHOS_CHECK_OK(in_file(options.responses[i], opened.wallet.receive(*election, responses[i])));
  }
  PSEPHOS_CHECK_OK(save(context, options, opened));
  const auto missing = opened.wallet.missing(*election);
  if (context.json) {
    print_json({{"complete", missing.empty()}, {"missing", missing}});
    return kExitOk;
  }
  for (const std::uint32_t registrar : missing) {
    std::printf("still missing: %s\n", registrar_name(election->manifest(), registrar).c_str());
  }
  if (missing.empty()) {
    std::printf("the credential is complete\n");
  }
  return kExitOk;
}

// The cells of a ballot in the order of the style's contests, from CONTEST=CELL arguments.
Result<std::vector<std::string>> read_choices(const Options& options, const Manifest& manifest,
                                              std::uint32_t style) {
  const auto& contests = manifest.styles[style].contests;
  std::vector<std::string> cells(contests.size());
  std::vector<bool> named(contests.size());
  for (const std::string& choice : options.choices) {
    const std::size_t equals = choice.find('=');
    if (equals == std::string::npos) {
      return fail(Errc::malformed, "--choice " + choice + ": write CONTEST=CELL");
    }
    const std::string id = choice.substr(0, equals);
    const auto found = std::ranges::find(
        contests, id, [&](std::uint32_t contest) { return manifest.contests[contest].id; });
    if (found == contests.end()) {
      return fail(Errc::malformed, "--choice " + choice + ": the ballot style \"" +
                                       manifest.styles[style].id + "\" has no contest \"" + id +
                                       "\"");
    }
    const auto position = static_cast<std::size_t>(found - contests.begin());
    if (named[position]) {
      return fail(Errc::malformed, "--choice: the contest \"" + id + "\" is named twice");
    }
    named[position] = true;
    cells[position] = choice.substr(equals + 1);
  }
  return cells;
}

Result<int> vote(Context& context, const Options& options) {
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto election, load_open_election(context, record, Polls::may_open_later));
  PSEPHOS_TRY(auto opened, open_wallet(context, options, *election));
  Wallet& wallet = opened.wallet;
  PSEPHOS_TRY(const auto cells, read_choices(options, election->manifest(), wallet.style()));
  PSEPHOS_TRY(auto votes, protocol::parse_votes(election->manifest(), wallet.style(), cells));
  const bool replaced = wallet.has_prepared();
  PSEPHOS_TRY(const auto code,
              in_file(options.wallet, wallet.prepare(*election, std::move(votes), context.random)));
  PSEPHOS_CHECK_OK(save(context, options, opened));
  if (context.json) {
    print_json({{"tracking_code", protocol::print(code)}, {"replaced", replaced}});
  } else {
    std::printf("%s\n", protocol::print(code).c_str());
  }
  if (replaced) {
    complain("The ballot encrypted before was thrown away.\n");
  }
  complain(
      "Note the tracking code. Now decide: `voter cast` sends this ballot; `voter challenge` "
      "shows\n"
      "what was encrypted instead, to test this device, and you vote again.\n");
  return kExitOk;
}

Result<int> send(Context& context, Decision decision, const Options& options) {
  const fs::path out = options.out;
  PSEPHOS_CHECK_OK(check_new(std::span(&out, 1)));
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto election, options.again
                                       ? load_election(context, record)
                                       : load_open_election(context, record, Polls::open));
  PSEPHOS_TRY(auto opened, open_wallet(context, options, *election));
  Wallet& wallet = opened.wallet;
  const bool challenged = decision == Decision::challenge;
  if (options.again) {
    const auto& sent = wallet.sent();
    const auto last = std::find_if(sent.rbegin(), sent.rend(), [&](const Wallet::Sent& entry) {
      return entry.challenged == challenged;
    });
    if (last == sent.rend()) {
      return fail(Errc::misuse, options.wallet + ": holds no ballot that was " +
                                    (challenged ? "challenged" : "cast"));
    }
    PSEPHOS_CHECK_OK(write_new_file(out, last->entry));
  } else {
    PSEPHOS_TRY(const Bytes entry,
                in_file(options.wallet, challenged ? wallet.challenge(*election, context.random)
                                                   : wallet.cast(*election, context.random)));
    // What the wallet has given away must never be used again: it forgets before the file exists.
    PSEPHOS_CHECK_OK(save(context, options, opened));
    PSEPHOS_CHECK_OK(write_new_file(out, entry));
  }
  return kExitOk;
}

std::string found_text(const FoundEntry& entry) {
  if (entry.challenge) {
    return "challenged, not counted";
  }
  if (entry.superseded_by.has_value()) {
    return "replaced by entry " + std::to_string(*entry.superseded_by);
  }
  return "counted, as far as this record goes";
}

// Exactly one way to registrars or box.
Result<bool> is_online(const Options& options) {
  if (options.server.empty() == options.out.empty()) {
    return fail(Errc::misuse, "give --out, for files, or --server");
  }
  return !options.server.empty();
}

Result<int> track(Context& context, const Options& options) {
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto election, load_election(context, record));
  const std::uint32_t num_shards = election->manifest().shards;
  std::vector<protocol::TrackingCode> codes;
  std::vector<std::uint32_t> shards;
  if (!options.code.empty()) {
    PSEPHOS_TRY(const auto code, in_file("--code", protocol::parse_tracking_code(options.code)));
    codes.push_back(code);
    for (std::uint32_t shard = 0; shard < num_shards; ++shard) {
      shards.push_back(shard);
    }
  } else {
    PSEPHOS_TRY(const auto opened, open_wallet(context, options, *election));
    for (const Wallet::Sent& sent : opened.wallet.sent()) {
      codes.push_back(sent.code);
    }
    if (codes.empty()) {
      return fail(Errc::misuse, options.wallet + ": has neither cast nor challenged a ballot");
    }
    shards.push_back(protocol::shard_of(opened.wallet.credential().bytes(), num_shards));
  }
  PSEPHOS_TRY(const auto found, find_entries(context, record, *election, shards, codes));
  Json out = Json::array();
  for (const auto& code : codes) {
    const auto entry = found.find(code);
    const bool there = entry != found.end();
    const std::string log = there ? Manifest::box_log(entry->second.shard) : "";
    if (!context.json) {
      std::printf("%s: %s\n", protocol::print(code).c_str(),
                  there ? (protocol::entry_place(log, entry->second.index) + ", " +
                           found_text(entry->second))
                              .c_str()
                        : "not in the record");
      continue;
    }
    Json row = {{"tracking_code", protocol::print(code)}, {"found", there}};
    if (there) {
      row["log"] = log;
      row["index"] = entry->second.index;
      row["challenged"] = entry->second.challenge;
      row["superseded_by"] =
          entry->second.superseded_by.has_value() ? Json(*entry->second.superseded_by) : Json();
    }
    out.push_back(std::move(row));
  }
  if (context.json) {
    print_json(out);
  }
  const auto absent = codes.size() - found.size();
  if (absent != 0) {
    return fail(Errc::rejected, options.record + ": " + std::to_string(absent) + " of " +
                                    std::to_string(codes.size()) + " codes not found");
  }
  return kExitOk;
}

CLI::App* add_command(CLI::App& group, const char* name, const char* purpose, const char* flow,
                      Options& options) {
  CLI::App* command = group.add_subcommand(name, purpose);
  command->add_option("RECORD", options.record, "the record, as published")->required();
  command->footer(flow);
  return command;
}

CLI::Option* add_wallet(CLI::App& command, Options& options, const char* help) {
  return command.add_option("--wallet", options.wallet, help)->type_name("FILE");
}

// --server, and what goes with it.
CLI::Option* add_server(CLI::App& command, Options& options) {
  CLI::Option* server =
      command.add_option("--server", options.server, "the election's server: https://vote.example")
          ->type_name("URL");
  command
      .add_option("--election", options.election,
                  "the election's id, from a source you trust; else that of RECORD, or the only "
                  "one\nthe server has")
      ->needs(server)
      ->type_name("ID");
  command
      .add_option("--ca", options.ca_file,
                  "certificates (PEM) of the authorities that may vouch for https servers, instead "
                  "of\nthe system's")
      ->needs(server)
      ->type_name("FILE");
  return server;
}

CLI::Option* add_receipts(CLI::App& command, Options& options) {
  return command
      .add_option("--receipts", options.receipts,
                  "directory to write the box's receipts to, besides the wallet, and its refusals\n"
                  "with what it refused (`refusal check`)")
      ->type_name("DIR");
}

}  // namespace

void add_voter(CLI::App& app, Context& context) {
  CLI::App* group = app.add_subcommand(
      "voter", "Enrol, vote, cast or challenge, and find the ballot in the record");
  group->require_subcommand(1);
  auto options = std::make_shared<Options>();
  constexpr const char* kWallet = "this voter's wallet";

  CLI::App* join = add_command(
      *group, "enrol", "Make a wallet, and have every registrar sign its credential",
      "With --server: copies manifest and main log into RECORD, then asks every registrar that has "
      "not\n"
      "signed yet, with its one-time code, or else after a sign-in in the browser at the identity\n"
      "provider that it names: one for each registrar. Stopped anywhere, run it again.\n"
      "With --out: writes DIR/request-R.request for each registrar that has not signed yet; send "
      "each\n"
      "to its registrar, which answers with a response (`voter receive`). Run again, it writes "
      "the\n"
      "same requests.\n"
      "Examples: psephos voter enrol record --server https://vote.example --wallet my.wallet\n"
      "          psephos voter enrol record --server https://vote.example --wallet my.wallet "
      "--style north\n"
      "          --voter 1017 --code-file my.codes\n"
      "          psephos voter enrol record --wallet my.wallet --style north --voter 1017\n"
      "          --code k7m2-p9xd-34vt-q8rz --out requests",
      *options);
  add_wallet(*join, *options, "this voter's wallet; made if it is not there")->required();
  join->add_option("--style", options->style,
                   "ballot style, from the voter's notification; may be left out if there is one\n"
                   "only")
      ->type_name("ID");
  join->add_option("--voter", options->voter,
                   "voter id, from the notification; not needed for a sign-in")
      ->type_name("ID");
  CLI::Option* codes = join->add_option("--code", options->codes,
                                        "one-time codes of all registrars, in their order, or "
                                        "N=CODE for registrar N\n(from 0); each has its own. "
                                        "Others on this machine may see them: rather\n--code-file")
                           ->type_name("CODE");
  join->add_option("--code-file", options->code_file, "file with the codes, one a line")
      ->excludes(codes)
      ->type_name("FILE");
  join->add_option("--out", options->out, "directory for the requests")->type_name("DIR");
  CLI::Option* server = add_server(*join, *options);
  join->add_option("--registrar-url", options->registrar_urls,
                   "where registrar N is, if not at --server")
      ->needs(server)
      ->type_name("N=URL");
  join->add_flag("--no-browser", options->no_browser, "only print where to sign in")->needs(server);
  bind(*join, context, [options, &context]() -> Result<int> {
    PSEPHOS_TRY(const bool online, is_online(*options));
    if (options->voter.empty() && (!online || gives_codes(*options))) {
      return fail(Errc::misuse, "--voter is needed, with a code");
    }
    if (!online && !gives_codes(*options)) {
      return fail(Errc::misuse, "--code is needed without --server");
    }
    return online ? enrol_online(context, *options) : enrol(context, *options);
  });

  CLI::App* take = add_command(
      *group, "receive", "Take the registrars' responses into the wallet",
      "When every registrar has answered, the credential is complete and the voter can vote.\n"
      "Example: psephos voter receive record --wallet my.wallet request-0.response",
      *options);
  add_wallet(*take, *options, kWallet)->required();
  take->add_option("RESPONSE", options->responses, "response files")->required();
  bind(*take, context, [options, &context] { return receive(context, *options); });

  CLI::App* choose = add_command(*group, "vote", "Encrypt a vote and show its tracking code",
                                 "A cell is `2` for one option, `1|4` for several, `3:5|8:2` for "
                                 "points; options count from 1.\n"
                                 "Contests not named are left empty. Nothing is sent yet: cast or "
                                 "challenge what was encrypted.\n"
                                 "Example: psephos voter vote record --wallet my.wallet --choice "
                                 "mayor=2 --choice budget='1:4|3:2'",
                                 *options);
  add_wallet(*choose, *options, kWallet)->required();
  choose->add_option("--choice", options->choices, "a choice, once for each contest")
      ->type_name("CONTEST=CELL");
  bind(*choose, context, [options, &context] { return vote(context, *options); });

  const auto add_send = [&](const char* name, const char* purpose, const char* flow,
                            Decision decision) {
    CLI::App* command = add_command(*group, name, purpose, flow, *options);
    add_wallet(*command, *options, kWallet)->required();
    CLI::Option* out =
        command->add_option("--out", options->out, "file to write, for the box")->type_name("FILE");
    command->add_flag("--again", options->again, "write the last one again: its file was lost")
        ->needs(out);
    CLI::Option* way = add_server(*command, *options);
    add_receipts(*command, *options)->needs(way);
    command
        ->add_flag("--offline", options->offline,
                   "keep it in the wallet for `voter sync`; nothing is sent now")
        ->excludes(out)
        ->excludes(way);
    bind(*command, context, [options, &context, decision]() -> Result<int> {
      if (options->offline) {
        return send_online(context, decision, *options);
      }
      if (options->server.empty() && options->out.empty()) {
        return fail(Errc::misuse, "give --server, or --out, for files, or --offline, for later");
      }
      PSEPHOS_TRY(const bool online, is_online(*options));
      return online ? send_online(context, decision, *options) : send(context, decision, *options);
    });
  };
  add_send(
      "cast", "Turn the encrypted vote into a ballot for the box, and send it",
      "With --server: the ballot is kept in the wallet, then sent, with all that waits there; "
      "the\n"
      "receipt is checked and kept too. If the server cannot be reached, is busy, or the polls "
      "are not\n"
      "open yet, the exit code is 3, the message says \"not sent\" (JSON: \"sent\": false), "
      "and `voter\n"
      "sync` sends it later. A ballot is never counted twice, however often it is sent.\n"
      "With --offline: the same, and nothing is sent before `voter sync`; the exit code is 0.\n"
      "With --out: send the file to the ballot box, keep the receipt it answers with.\n"
      "Examples: psephos voter cast record --wallet my.wallet --server https://vote.example\n"
      "          psephos voter cast record --wallet my.wallet --out my.ballot",
      Decision::cast);
  add_send("challenge", "Open the encrypted vote instead of casting it, to test this device",
           "The box publishes it with its content: look there that the tracking code is the one "
           "shown and\n"
           "that it encrypted what you chose. It does not count; vote again afterwards. --server, "
           "--offline\n"
           "and --out are as for `voter cast`.\n"
           "Examples: psephos voter challenge record --wallet my.wallet --server "
           "https://vote.example\n"
           "          psephos voter challenge record --wallet my.wallet --out my.challenge",
           Decision::challenge);

  CLI::App* later = add_command(
      *group, "sync", "Send what waits in the wallet, keep the receipts",
      "Sends all that has no answer yet, oldest first, and waits for a busy server. What the box\n"
      "refuses, with its signature, is not sent again; the reason is shown, the exit code is 1. 3: "
      "the\n"
      "server could not be reached or took nothing, and what waited still waits. RECORD is brought "
      "up to\n"
      "date.\n"
      "Example: psephos voter sync record --wallet my.wallet --server https://vote.example\n"
      "         --receipts receipts",
      *options);
  add_wallet(*later, *options, kWallet)->required();
  add_server(*later, *options)->required();
  add_receipts(*later, *options);
  bind(*later, context, [options, &context] { return sync(context, *options); });

  CLI::App* find = add_command(
      *group, "track", "Find what was cast or challenged, and watch the box",
      "With --server: every receipt of the wallet is held against the box log as the server shows "
      "it\n"
      "now, and the log against what it was when this wallet looked before. If the box shows "
      "another "
      "log\n"
      "than the one it has signed, or without the ballot, both signed papers are kept as evidence, "
      "and\n"
      "the exit code is 1. A log that does not go so far yet is no evidence while the polls are "
      "open: the\n"
      "exit code is 3. Do it again after the close. Whether somebody else voted with the same\n"
      "credential, only the whole record tells: `log mirror`, then `voter track` without "
      "--server.\n"
      "Without: looks in RECORD. Exit code 1 if a tracking code is not in the box logs.\n"
      "Examples: psephos voter track record --wallet my.wallet --server https://vote.example\n"
      "          psephos voter track record --code abcd-efgh-…",
      *options);
  CLI::Option* wallet = add_wallet(*find, *options, "look for all that this wallet has sent");
  CLI::Option* code = find->add_option("--code", options->code, "look for this tracking code")
                          ->type_name("CODE")
                          ->excludes(wallet);
  find->add_option("--evidence", options->evidence,
                   "directory for evidence against the box; else beside the wallet")
      ->needs(add_server(*find, *options))
      ->type_name("DIR");
  bind(*find, context, [options, code, wallet, &context]() -> Result<int> {
    if (code->empty() && wallet->empty()) {
      return fail(Errc::misuse, "give --wallet or --code");
    }
    return options->server.empty() ? track(context, *options) : track_online(context, *options);
  });
}

}  // namespace psephos::cli
