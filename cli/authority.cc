// `psephos authority` and `psephos election`: what the election authority does. It alone appends to
// the main log; everyone else hands in cards and messages.
#include "psephos/protocol/authority.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/log_writer.h"

#include "cli/cards.h"
#include "cli/common.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/record.h"

namespace psephos::cli {

namespace {

using protocol::MainLog;
using protocol::Manifest;
using protocol::Message;
using Phase = MainLog::Phase;

struct Options {
  std::string manifest;
  std::string record;
  std::string key;
  std::vector<std::string> files;
  std::vector<std::string> registrar_cards;
  std::string box_card;
  std::vector<std::string> checkpoints;
  bool dry_run = false;
};

Result<int> new_authority(Context& context, const std::string& out) {
  const fs::path path = out;
  PSEPHOS_CHECK_OK(check_new(std::span(&path, 1)));
  const auto authority = protocol::Authority::create(context.random);
  PSEPHOS_CHECK_OK(save_secret(context, "authority", path, authority.save(), Overwrite::refuse));
  return kExitOk;
}

Result<int> new_election(Context& context, const Options& options) {
  PSEPHOS_TRY(const fs::path path, new_directory(options.record));
  PSEPHOS_TRY(const auto manifest, read_manifest(options.manifest));
  PSEPHOS_CHECK_OK(require_no_witnesses(options.manifest, *manifest));
  PSEPHOS_TRY(const auto cards, read_trustee_cards(options.files, *manifest));
  PSEPHOS_TRY(const SecretBuffer content, load_secret(context, "authority", options.key));
  PSEPHOS_TRY(const auto authority, in_file(options.key, protocol::Authority::load(content)));

  std::vector<protocol::TrusteeKeys> keys;
  keys.reserve(cards.size());
  for (const TrusteeCard& card : cards) {
    keys.push_back(card.keys);
  }
  const Message roster = authority.roster(*manifest, std::move(keys));
  MainLog log(manifest, context.evaluator);
  if (auto taken = log.append(roster); !taken.has_value()) {
    taken.error().place = "roster";
    return std::unexpected(protocol::to_error(taken.error()));
  }
  Building building(path);
  runtime::DirectoryRecord record(building.path());
  PSEPHOS_CHECK_OK(record.write("manifest.json", manifest->file));
  PSEPHOS_TRY(auto signer, authority.main_log_signer(*manifest));
  PSEPHOS_TRY(auto writer,
              protocol::LogWriter::create(record, Manifest::main_log(), std::move(signer)));
  PSEPHOS_CHECK_OK(writer.append(roster.encode()));
  PSEPHOS_CHECK_OK(writer.publish());
  PSEPHOS_CHECK_OK(building.finish());
  const std::string digest = hex(log.ceremony()->roster_digest());
  if (context.json) {
    print_json({{"record", path.string()},
                {"title", manifest->title},
                {"manifest", hex(manifest->digest)},
                {"roster", digest}});
  } else {
    std::printf(
        "%s: %s\nroster of %u trustees: %s\neach now compares it and sends `trustee commit`\n",
        path.c_str(), manifest->title.c_str(), manifest->num_trustees(), digest.c_str());
  }
  return kExitOk;
}

bool may_be_added(protocol::MessageType type) {
  using protocol::MessageType;
  switch (type) {
    case MessageType::commit:
    case MessageType::reveal:
    case MessageType::shares:
    case MessageType::confirm:
    case MessageType::complaint:
    case MessageType::decryption:
    case MessageType::roll:
      return true;
    default:
      return false;
  }
}

Result<int> add_messages(Context& context, const Options& options) {
  // Every file is read before any message is judged.
  std::vector<std::pair<std::string, Message>> messages;
  for (const std::string& file : options.files) {
    PSEPHOS_TRY(const auto read, read_messages(file));
    for (std::size_t i = 0; i < read.size(); ++i) {
      std::string place = file;
      if (read.size() > 1) {
        place += " message " + std::to_string(i);
      }
      if (!may_be_added(read[i].type)) {
        return fail(Errc::misuse, place + ": is a message of the type \"" +
                                      std::string(protocol::name(read[i].type)) +
                                      "\"; only trustees' and registrars' rolls are added");
      }
      messages.emplace_back(std::move(place), read[i]);
    }
  }
  PSEPHOS_TRY(auto draft, MainLogDraft::open(context, options.record, options.key));
  for (const auto& [place, message] : messages) {
    PSEPHOS_CHECK_OK(draft.add(place, message));
  }
  PSEPHOS_CHECK_OK(draft.publish());
  const std::string phase = name(draft.log().phase());
  if (context.json) {
    print_json({{"added", messages.size()}, {"phase", phase}});
  } else {
    std::printf("%zu messages added; phase: %s\n", messages.size(), phase.c_str());
  }
  if (draft.log().phase() == Phase::failed) {
    const auto& verdict = *draft.log().ceremony()->verdict();
    return fail(Errc::rejected, options.record + ": the key ceremony failed. " +
                                    trustee_name(draft.manifest(), verdict.culprit) +
                                    " is at fault: " + verdict.reason +
                                    ". Start again with a new manifest and new keys");
  }
  return kExitOk;
}

Result<int> open_polls(Context& context, const Options& options) {
  PSEPHOS_TRY(auto draft, MainLogDraft::open(context, options.record, options.key));
  PSEPHOS_CHECK_OK(require_phase(draft.record(), draft.log(), {Phase::ready},
                                 "an election is opened once, when every trustee has confirmed"));
  const Manifest& manifest = draft.manifest();
  PSEPHOS_TRY(const auto cards, read_registrar_cards(options.registrar_cards, manifest));
  PSEPHOS_TRY(const auto box, read_box_card(options.box_card, manifest));
  std::vector<crypto::Ed25519PublicKey> registrar_logs;
  for (const RegistrarCard& card : cards) {
    registrar_logs.push_back(card.log_key);
    for (const Message& key : card.credential_keys) {
      PSEPHOS_CHECK_OK(draft.add("card of " + registrar_name(manifest, card.registrar), key));
    }
  }
  PSEPHOS_TRY(const Message opening,
              draft.authority().opening(draft.log(), std::move(registrar_logs), box.log_keys));
  PSEPHOS_CHECK_OK(draft.add("opening", opening));
  PSEPHOS_CHECK_OK(draft.add("open", draft.authority().open(*draft.log().election())));
  PSEPHOS_CHECK_OK(draft.publish());
  const std::string id = hex(draft.log().election()->id());
  if (context.json) {
    print_json({{"election", id}, {"phase", name(draft.log().phase())}});
  } else {
    std::printf("the polls are open\nelection id: %s\n", id.c_str());
  }
  return kExitOk;
}

// What is closed over, for people to compare with what box and registrars say of their logs.
Json closed_logs(const Manifest& manifest, const protocol::Close& close) {
  Json logs = Json::object();
  const auto add = [&](const std::string& log, const crypto::TreeHead& tree) {
    logs[log] = {{"entries", tree.size}, {"root", hex(tree.root)}};
  };
  for (std::uint32_t shard = 0; shard < manifest.shards; ++shard) {
    add(Manifest::box_log(shard), close.boxes[shard]);
  }
  for (std::uint32_t registrar = 0; registrar < manifest.num_registrars(); ++registrar) {
    add(Manifest::roll_log(registrar), close.rolls[registrar]);
  }
  return logs;
}

Result<int> close_polls(Context& context, const Options& options) {
  PSEPHOS_CHECK_OK(read_checkpoints(options.checkpoints));
  PSEPHOS_TRY(auto draft, MainLogDraft::open(context, options.record, options.key));
  PSEPHOS_CHECK_OK(
      require_phase(draft.record(), draft.log(), {Phase::voting}, "only open polls can be closed"));
  const Manifest& manifest = draft.manifest();
  const auto tree_of = [&](const std::string& log) -> Result<crypto::TreeHead> {
    PSEPHOS_TRY(const auto reader,
                in_file(options.record,
                        protocol::LogReader::open(draft.record(), log, manifest.log_origin(log))));
    return reader.tree();
  };
  protocol::Close close;
  std::uint64_t entries = 0;
  for (std::uint32_t shard = 0; shard < manifest.shards; ++shard) {
    PSEPHOS_TRY(const auto tree, tree_of(Manifest::box_log(shard)));
    entries += tree.size;
    close.boxes.push_back(tree);
  }
  for (std::uint32_t registrar = 0; registrar < manifest.num_registrars(); ++registrar) {
    PSEPHOS_TRY(const auto tree, tree_of(Manifest::roll_log(registrar)));
    close.rolls.push_back(tree);
  }
  const Json logs = closed_logs(manifest, close);
  if (!context.json) {
    for (const auto& [log, tree] : logs.items()) {
      std::printf("%s: %llu entries, root %s\n", log.c_str(),
                  tree["entries"].get<unsigned long long>(),
                  tree["root"].get<std::string>().c_str());
    }
    static_cast<void>(std::fflush(stdout));  // before the audit, which takes its time
  }
  PSEPHOS_CHECK_OK(draft.add("close", draft.authority().close(*draft.log().election(), close)));
  // A close is for good: the record is audited as it would be afterwards, and changed only if it
  // passes. What the audit refuses now could never be tallied.
  Overlay closed(draft.record());
  PSEPHOS_CHECK_OK(in_file(options.record, draft.write_to(closed)));
  PSEPHOS_CHECK_OK(audit(context, draft.record(), closed, options.checkpoints));
  if (!options.dry_run) {
    PSEPHOS_CHECK_OK(draft.publish());
  }
  if (context.json) {
    print_json({{"closed", !options.dry_run}, {"logs", logs}});
  } else {
    std::printf("%s; the box logs hold %llu entries\n",
                options.dry_run ? "the polls could be closed over these logs, and are still open"
                                : "the polls are closed over these logs",
                static_cast<unsigned long long>(entries));
  }
  return kExitOk;
}

Result<int> tally(Context& context, const Options& options) {
  PSEPHOS_TRY(auto draft, MainLogDraft::open(context, options.record, options.key));
  PSEPHOS_CHECK_OK(
      require_phase(draft.record(), draft.log(), {Phase::closed}, "closed polls are tallied once"));
  PSEPHOS_TRY(const auto audited, audit(context, draft.record()));
  const auto tallies = draft.authority().tallies(audited);
  for (std::size_t k = 0; k < tallies.size(); ++k) {
    PSEPHOS_CHECK_OK(draft.add("tally " + std::to_string(k), tallies[k]));
  }
  PSEPHOS_CHECK_OK(draft.publish());
  if (context.json) {
    Json out = {{"tallies", Json::array()}, {"threshold", draft.manifest().threshold}};
    for (const protocol::Tally& tally : draft.log().tallies()) {
      out["tallies"].push_back({{"contest", draft.manifest().contests[tally.contest].id},
                                {"unit", tally.unit},
                                {"ballots", tally.counted}});
    }
    print_json(out);
  } else if (tallies.empty()) {
    std::printf(
        "every contest has fewer ballots than the manifest's minimum, %u: nothing is opened\n",
        draft.manifest().tally_minimum);
  } else {
    std::printf("%zu tallies added; %u trustees must now decrypt them\n", tallies.size(),
                draft.manifest().threshold);
  }
  return kExitOk;
}

// A result file is written once; if it is there, it must be the same.
Result<void> write_result(runtime::DirectoryRecord& record, const std::string& file,
                          const std::string& text) {
  if (!record.exists(file)) {
    return record.write(file, as_bytes(text));
  }
  PSEPHOS_TRY(const Bytes present, record.read(file, protocol::kMaxRecordFileBytes + text.size()));
  if (as_text(present) != text) {
    return fail(Errc::misuse, (record.root() / file).string() +
                                  ": exists already and is not this election's result");
  }
  return {};
}

Result<int> result(Context& context, const Options& options) {
  PSEPHOS_TRY(auto draft, MainLogDraft::open(context, options.record, options.key));
  // With every contest withheld there is no tally, and "closed" is the last phase. A complete
  // record may lack its result files if the machine stopped between the log and them.
  PSEPHOS_CHECK_OK(
      require_phase(draft.record(), draft.log(),
                    {Phase::closed, Phase::tallied, Phase::decrypting, Phase::complete},
                    "the result needs the trustees' decryptions (`election add`) first"));
  PSEPHOS_TRY(const auto audited, audit(context, draft.record()));
  if (draft.log().tallies().empty() &&
      !protocol::expected_tallies(draft.manifest(), audited.aggregate()).empty()) {
    return fail(Errc::misuse, options.record + ": the tallies are missing; run `election tally`");
  }
  if (draft.log().phase() != Phase::complete) {
    PSEPHOS_TRY(const auto results, draft.authority().results(draft.log()));
    for (std::size_t k = 0; k < results.size(); ++k) {
      PSEPHOS_CHECK_OK(draft.add("result " + std::to_string(k), results[k]));
    }
  }
  PSEPHOS_TRY(const auto opened,
              protocol::election_result(draft.log(), audited.aggregate().counted()));
  PSEPHOS_CHECK_OK(draft.publish());
  const std::string json = protocol::result_json(draft.manifest(), opened);
  PSEPHOS_CHECK_OK(write_result(draft.record(), "result.json", json));
  const std::string csv = protocol::result_csv(draft.manifest(), opened);
  PSEPHOS_CHECK_OK(write_result(draft.record(), "result.csv", csv));
  say(context.json ? json : csv);
  return kExitOk;
}

// Whose move it is, in words; empty if nobody's.
std::vector<std::string> awaited(const MainLog& log) {
  const Manifest& manifest = log.manifest();
  std::vector<std::string> names;
  switch (log.phase()) {
    case Phase::ceremony: {
      constexpr std::array<const char*, 4> kRounds = {"commit", "reveal", "share", "confirm"};
      const auto round = std::min<std::size_t>(static_cast<std::size_t>(log.ceremony()->round()),
                                               kRounds.size() - 1);
      for (const std::uint32_t trustee : log.ceremony()->missing()) {
        names.push_back(trustee_name(manifest, trustee) + ": trustee " + kRounds[round]);
      }
      break;
    }
    case Phase::ready:
      names.emplace_back("authority: election open, with the cards of registrars and box");
      break;
    case Phase::opened:
    case Phase::voting:
      names.emplace_back("voters; then the authority: election close");
      break;
    case Phase::closed:
      names.emplace_back("authority: election tally (or election result, if nothing is opened)");
      break;
    case Phase::tallied:
    case Phase::decrypting: {
      std::size_t fewest = manifest.num_trustees();
      std::set<std::uint32_t> sent;
      for (const auto& decryptions : log.decryptions()) {
        fewest = std::min(fewest, decryptions.size());
        for (const auto& decryption : decryptions) {
          sent.insert(decryption.trustee);
        }
      }
      if (fewest >= manifest.threshold) {
        names.emplace_back("authority: election result");
        break;
      }
      for (std::uint32_t i = 1; i <= manifest.num_trustees(); ++i) {
        if (!sent.contains(i)) {
          names.push_back(trustee_name(manifest, i) + ": trustee decrypt");
        }
      }
      break;
    }
    case Phase::resulting:
      names.emplace_back("authority: election result");
      break;
    case Phase::empty:
    case Phase::failed:
    case Phase::complete:
      break;
  }
  return names;
}

// The logs of this copy of the record: sizes as their checkpoints say, and their keys.
struct LogStatus {
  std::string name;
  std::uint64_t size = 0;
  std::string vkey;
};
Result<std::vector<LogStatus>> log_statuses(const runtime::DirectoryRecord& record,
                                            const MainLog& log) {
  std::vector<LogStatus> statuses;
  const auto add = [&](const std::string& name, const crypto::NoteVerifier& key) -> Result<void> {
    PSEPHOS_TRY(const auto reader,
                in_file(record.root(), protocol::LogReader::open(record, name, key.name())));
    statuses.push_back({.name = name, .size = reader.tree().size, .vkey = key.vkey()});
    return {};
  };
  if (log.election() == nullptr) {
    const std::string name = Manifest::main_log();
    PSEPHOS_TRY(const auto key, crypto::NoteVerifier::create(log.manifest().log_origin(name),
                                                             crypto::NoteAlgorithm::ed25519,
                                                             log.roster()->main_log));
    PSEPHOS_CHECK_OK(add(name, key));
    return statuses;
  }
  for (const std::string& name : log.election()->log_names()) {
    if (record.exists(name + "/checkpoint")) {
      PSEPHOS_TRY(const auto key, log.election()->log_verifier(name));
      PSEPHOS_CHECK_OK(add(name, key));
    }
  }
  return statuses;
}

Result<int> status(Context& context, const Options& options) {
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto log, load_main_log(context, record));
  PSEPHOS_TRY(const auto logs, log_statuses(record, *log));
  const Manifest& manifest = log->manifest();
  const auto awaiting = awaited(*log);
  const std::string id = log->election() == nullptr ? "" : hex(log->election()->id());
  const auto& verdict = log->ceremony()->verdict();
  const bool has_result = record.exists("result.json") && record.exists("result.csv");
  if (context.json) {
    Json out = {{"title", manifest.title},
                {"manifest", hex(manifest.digest)},
                {"roster", hex(log->ceremony()->roster_digest())},
                {"election", id.empty() ? Json() : Json(id)},
                {"phase", name(log->phase())},
                {"awaited", awaiting},
                {"culprit", verdict.has_value() ? Json(verdict->culprit) : Json()},
                {"logs", Json::object()},
                {"tallies", log->tallies().size()},
                {"results", log->results().size()},
                {"result_files", has_result}};
    for (const LogStatus& entry : logs) {
      out["logs"][entry.name] = {{"entries", entry.size}, {"vkey", entry.vkey}};
    }
    print_json(out);
    return kExitOk;
  }
  std::printf("%s\nmanifest digest: %s\nroster digest: %s\n", manifest.title.c_str(),
              hex(manifest.digest).c_str(), hex(log->ceremony()->roster_digest()).c_str());
  if (!id.empty()) {
    std::printf("election id: %s\n", id.c_str());
  }
  std::printf("phase: %s\n", name(log->phase()).c_str());
  if (verdict.has_value()) {
    std::printf("at fault: %s: %s\n", trustee_name(manifest, verdict->culprit).c_str(),
                verdict->reason.c_str());
  }
  for (const std::string& name : awaiting) {
    std::printf("awaited: %s\n", name.c_str());
  }
  for (const LogStatus& entry : logs) {
    std::printf("log %s: %llu entries, key %s\n", entry.name.c_str(),
                static_cast<unsigned long long>(entry.size), entry.vkey.c_str());
  }
  if (!log->tallies().empty()) {
    std::printf("tallies: %zu, results: %zu\n", log->tallies().size(), log->results().size());
  }
  std::printf("result files: %s\n", has_result ? "written" : "none");
  return kExitOk;
}

CLI::App* add_command(CLI::App& group, const char* name, const char* purpose, const char* flow,
                      Options& options) {
  CLI::App* command = group.add_subcommand(name, purpose);
  command->add_option("RECORD", options.record, "the record's directory")->required();
  command->footer(flow);
  return command;
}

void add_key(CLI::App& command, Options& options) {
  command.add_option("--key", options.key, "the authority's key file")
      ->required()
      ->type_name("FILE");
}

}  // namespace

void add_authority(CLI::App& app, Context& context) {
  CLI::App* authority = app.add_subcommand("authority", "Make the election authority's key");
  authority->require_subcommand(1);
  auto out = std::make_shared<std::string>();
  CLI::App* create = authority->add_subcommand(
      "new", "Make the signing keys of an authority, in a file under a password");
  create->add_option("--out", *out, "key file to write")->required()->type_name("FILE");
  create->footer(
      "The authority lists the parties, opens and closes the polls and announces the result. Its "
      "key\n"
      "can neither read a vote nor make one count.\n"
      "Example: psephos authority new --out authority.key");
  bind(*create, context, [out, &context] { return new_authority(context, *out); });

  CLI::App* election = app.add_subcommand(
      "election", "Lead an election from the roster to the result (the authority's commands)");
  election->require_subcommand(1);
  auto options = std::make_shared<Options>();

  CLI::App* make = election->add_subcommand(
      "new", "Make the record of an election, with the roster of its trustees");
  make->add_option("MANIFEST", options->manifest, "the manifest")->required();
  make->add_option("RECORD", options->record, "directory to make; new or empty")->required();
  add_key(*make, *options);
  make->add_option("--trustee-card", options->files, "the cards of all trustees, in any order")
      ->required()
      ->type_name("FILE");
  make->footer(
      "Reads the manifest and the cards from `trustee new`; makes RECORD. Give every trustee a "
      "copy\n"
      "of it; they answer with `trustee commit`.\n"
      "Example: psephos election new manifest.json record --key authority.key --trustee-card "
      "*.card");
  bind(*make, context, [options, &context] { return new_election(context, *options); });

  CLI::App* add = add_command(
      *election, "add", "Append messages of trustees and registrars to the main log",
      "Reads message files (from `trustee commit`, `reveal`, `share`, `confirm`, `decrypt`, and\n"
      "`admin import-roll`). All are judged first: if one is refused, none is appended. Give the\n"
      "trustees, and the servers (`admin publish`), the new record.\n"
      "Example: psephos election add record --key authority.key commit-1.msg commit-2.msg",
      *options);
  add_key(*add, *options);
  add->add_option("FILE", options->files, "message files")->required();
  bind(*add, context, [options, &context] { return add_messages(context, *options); });

  CLI::App* open = add_command(
      *election, "open", "Publish the opening and open the polls",
      "Reads the cards from `registrar new` and `box new`; appends the credential keys, the "
      "opening,\n"
      "which fixes the election id, and the opening of the polls. Give the record to everyone.\n"
      "Example: psephos election open record --key authority.key --registrar-card r0.card r1.card\n"
      "         --box-card box.card",
      *options);
  add_key(*open, *options);
  open->add_option("--registrar-card", options->registrar_cards,
                   "the cards of all registrars, in any order")
      ->required()
      ->type_name("FILE");
  open->add_option("--box-card", options->box_card, "the card of the ballot box")
      ->required()
      ->type_name("FILE");
  bind(*open, context, [options, &context] { return open_polls(context, *options); });

  CLI::App* close = add_command(
      *election, "close", "Close the polls over the final box and roll logs",
      "First copy box/ from the ballot box and roll/ from the registrars into RECORD. "
      "Every ballot is\n"
      "verified, then the final trees of their logs are signed, once and for good: "
      "what comes later\n"
      "does not count. Let box and registrars give you their newest checkpoint by "
      "another way, and\n"
      "pass them: a copy that is older or another is refused. Compare the trees shown "
      "with theirs.\n"
      "Example: psephos election close record --key authority.key --dry-run\n"
      "         psephos election close record --key authority.key --checkpoint box-0.checkpoint\n"
      "         roll-0.checkpoint",
      *options);
  add_key(*close, *options);
  close
      ->add_option("--checkpoint", options->checkpoints,
                   "checkpoints kept by box and registrars; the record must continue them")
      ->type_name("FILE");
  close->add_flag("--dry-run", options->dry_run, "check and show everything, sign nothing");
  bind(*close, context, [options, &context] { return close_polls(context, *options); });

  CLI::App* sum =
      add_command(*election, "tally", "Audit all ballots and append the sums to be decrypted",
                  "Every ballot is verified first; nothing is appended if one check fails. Give "
                  "the trustees the\n"
                  "new record; they answer with `trustee decrypt`.\n"
                  "Example: psephos election tally record --key authority.key",
                  *options);
  add_key(*sum, *options);
  bind(*sum, context, [options, &context] { return tally(context, *options); });

  CLI::App* announce = add_command(
      *election, "result", "Combine the decryptions, append the totals, write the result files",
      "After `election add` of at least as many decryptions as the threshold. Writes result.json "
      "and\n"
      "result.csv into RECORD, which is then complete: publish it, and `psephos verify` it.\n"
      "Example: psephos election result record --key authority.key",
      *options);
  add_key(*announce, *options);
  bind(*announce, context, [options, &context] { return result(context, *options); });

  CLI::App* show =
      add_command(*election, "status", "Show the phase of an election and who is awaited",
                  "Reads the record only; the main log is checked, the other logs are counted.\n"
                  "Example: psephos election status record --json",
                  *options);
  bind(*show, context, [options, &context] { return status(context, *options); });
}

}  // namespace psephos::cli
