// `psephos trustee`: the key ceremony and the decryption, seen from one trustee.
#include "psephos/protocol/trustee.h"

#include <cstdio>

#include "cli/cards.h"
#include "cli/common.h"
#include "cli/json.h"
#include "cli/record.h"

namespace psephos::cli {

namespace {

using protocol::Message;
using protocol::Trustee;

struct Options {
  std::string manifest;
  std::string record;
  std::uint32_t index = 0;
  std::string key;
  std::string card;
  std::string out;
  std::vector<std::string> checkpoints;
};

Result<int> new_trustee(Context& context, const Options& options) {
  const std::vector<fs::path> outputs = {options.key, options.card};
  PSEPHOS_CHECK_OK(check_new(outputs));
  PSEPHOS_TRY(const auto manifest, read_manifest(options.manifest));
  PSEPHOS_TRY(const Trustee trustee, Trustee::create(*manifest, options.index, context.random));
  const std::string card =
      print(*manifest, TrusteeCard{.trustee = trustee.index(), .keys = trustee.public_keys()});
  PSEPHOS_TRY(Bytes key, sealed(context, "trustee", options.key, trustee.save()));
  const std::vector<NewFile> files = {{options.key, std::move(key), runtime::FileMode::owner_only},
                                      {options.card, Bytes(card.begin(), card.end())}};
  PSEPHOS_CHECK_OK(write_new_files(files));
  return kExitOk;
}

Result<Trustee> load_trustee(const Context& context, const std::string& key) {
  PSEPHOS_TRY(const SecretBuffer content, load_secret(context, "trustee", key));
  return in_file(key, Trustee::load(content));
}

// One round of the ceremony: the trustee's message about the record as it stands.
enum class Round : std::uint8_t { commit, reveal, share, confirm };

Result<Message> speak(Context& context, Round round, Trustee& trustee,
                      const protocol::MainLog& log) {
  const protocol::Manifest& manifest = log.manifest();
  const protocol::Ceremony& ceremony = *log.ceremony();
  switch (round) {
    case Round::commit:
      return trustee.commit(manifest, ceremony);
    case Round::reveal:
      return trustee.reveal(manifest, ceremony);
    case Round::share:
      return trustee.shares(manifest, ceremony, context.random);
    case Round::confirm:
      return trustee.confirm(manifest, ceremony, context.random);
  }
  return fail(Errc::misuse, "no such round");
}

Result<int> run_round(Context& context, Round round, const Options& options) {
  const fs::path out = options.out;
  PSEPHOS_CHECK_OK(check_new(std::span(&out, 1)));
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto log, load_main_log(context, record));
  PSEPHOS_TRY(const Lock lock, Lock::acquire(options.key));
  PSEPHOS_TRY(Trustee trustee, load_trustee(context, options.key));
  PSEPHOS_TRY(const Message message, in_file(options.record, speak(context, round, trustee, *log)));
  // What this trustee binds itself to is remembered before the message is there to leave.
  if (round == Round::commit || round == Round::confirm) {
    PSEPHOS_CHECK_OK(
        save_secret(context, "trustee", options.key, trustee.save(), Overwrite::replace));
  }
  PSEPHOS_CHECK_OK(write_new_file(out, encode_messages({message})));
  if (message.type == protocol::MessageType::complaint) {
    PSEPHOS_TRY(const auto complaint,
                protocol::Complaint::decode(message.payload, log->manifest()));
    return fail(Errc::rejected,
                "COMPLAINT: the share from " + trustee_name(log->manifest(), complaint.accused) +
                    " is wrong. " + options.out +
                    " holds the complaint that proves it; hand it in with `election add`. It ends "
                    "this key ceremony, and everyone will see who is at fault");
  }
  if (context.json) {
    Json json = {{"message", options.out}, {"type", protocol::name(message.type)}};
    if (round == Round::commit) {
      json["roster"] = hex(log->ceremony()->roster_digest());
    }
    print_json(json);
  } else if (round == Round::commit) {
    std::printf(
        "roster digest: %s\nBefore the message leaves, hear from every other trustee that they see "
        "the "
        "same.\n",
        hex(log->ceremony()->roster_digest()).c_str());
  }
  return kExitOk;
}

Result<int> decrypt(Context& context, const Options& options) {
  const fs::path out = options.out;
  PSEPHOS_CHECK_OK(check_new(std::span(&out, 1)));
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto log, load_main_log(context, record));
  if (log->tallies().empty()) {
    return fail(Errc::misuse, options.record + ": holds no tally to decrypt yet (phase \"" +
                                  name(log->phase()) + "\")");
  }
  PSEPHOS_TRY(const Lock lock, Lock::acquire(options.key));
  PSEPHOS_TRY(Trustee trustee, load_trustee(context, options.key));
  PSEPHOS_TRY(const auto audited, audit(context, record, record, options.checkpoints));
  std::vector<Message> messages;
  for (std::uint32_t k = 0; k < audited.main_log().tallies().size(); ++k) {
    PSEPHOS_TRY(Message message,
                in_file(options.record, trustee.decrypt(audited, k, context.random)));
    messages.push_back(std::move(message));
  }
  // What this trustee has decrypted is remembered before it leaves.
  PSEPHOS_CHECK_OK(
      save_secret(context, "trustee", options.key, trustee.save(), Overwrite::replace));
  PSEPHOS_CHECK_OK(write_new_file(out, encode_messages(messages)));
  const std::string close = hex(audited.close_digest());
  if (context.json) {
    print_json({{"message", options.out}, {"tallies", messages.size()}, {"close", close}});
  } else {
    std::printf(
        "the record passed the audit; %zu tallies decrypted\nclose digest: %s\nBefore the message "
        "leaves, hear from every other trustee that they see the same.\n",
        messages.size(), close.c_str());
  }
  return kExitOk;
}

CLI::App* add_command(CLI::App& group, const char* name, const char* purpose, const char* flow,
                      Options& options) {
  CLI::App* command = group.add_subcommand(name, purpose);
  command->add_option("RECORD", options.record, "the record, as the authority has published it")
      ->required();
  command->add_option("--key", options.key, "this trustee's key file")
      ->required()
      ->type_name("FILE");
  command->add_option("--out", options.out, "message file to write")->required()->type_name("FILE");
  command->footer(flow);
  return command;
}

}  // namespace

void add_trustee(CLI::App& app, Context& context) {
  CLI::App* group =
      app.add_subcommand("trustee", "Hold a share of the election key: ceremony and decryption");
  group->require_subcommand(1);
  auto options = std::make_shared<Options>();

  CLI::App* create = group->add_subcommand("new", "Make a trustee's keys for one election");
  create->add_option("MANIFEST", options->manifest, "the manifest")->required();
  create->add_option("--index", options->index, "this trustee's number in the manifest, from 1")
      ->required()
      ->type_name("I");
  create->add_option("--out", options->key, "key file to write")->required()->type_name("FILE");
  create->add_option("--card", options->card, "card to write, for the authority")
      ->required()
      ->type_name("FILE");
  create->footer(
      "The key file stays with the trustee, under a password; the card goes to the authority. The "
      "key\n"
      "is needed until the result is announced, and serves this manifest only.\n"
      "Example: psephos trustee new manifest.json --index 1 --out trustee-1.key --card "
      "trustee-1.card");
  bind(*create, context, [options, &context] { return new_trustee(context, *options); });

  CLI::App* commit = add_command(
      *group, "commit", "Round 1: commit to this trustee's part of the key",
      "Prints the digest of the roster, the list of everyone's keys. Compare it with "
      "every other trustee, by\n"
      "voice or in a room, before the message goes to the authority: whoever could list "
      "keys of their own\n"
      "instead of yours would hold the election key.\n"
      "Example: psephos trustee commit record --key trustee-1.key --out commit-1.msg",
      *options);
  bind(*commit, context,
       [options, &context] { return run_round(context, Round::commit, *options); });

  CLI::App* reveal =
      add_command(*group, "reveal", "Round 2: reveal the commitments, when all have committed",
                  "Get the record after round 1. Hand the message to the authority.\n"
                  "Example: psephos trustee reveal record --key trustee-1.key --out reveal-1.msg",
                  *options);
  bind(*reveal, context,
       [options, &context] { return run_round(context, Round::reveal, *options); });

  CLI::App* share =
      add_command(*group, "share", "Round 3: send each other trustee a sealed share",
                  "Get the record after round 2. Hand the message to the authority.\n"
                  "Example: psephos trustee share record --key trustee-1.key --out share-1.msg",
                  *options);
  bind(*share, context, [options, &context] { return run_round(context, Round::share, *options); });

  CLI::App* confirm =
      add_command(*group, "confirm", "Round 4: check the shares received, then confirm or complain",
                  "Get the record after round 3. If a share is wrong the message is a complaint, "
                  "and the exit code 1.\n"
                  "Example: psephos trustee confirm record --key trustee-1.key --out confirm-1.msg",
                  *options);
  bind(*confirm, context,
       [options, &context] { return run_round(context, Round::confirm, *options); });

  CLI::App* open =
      add_command(*group, "decrypt", "Audit the whole record, then decrypt its tallies",
                  "Get the record after `election tally`. The ballots are verified here first; a "
                  "record that fails\n"
                  "is not decrypted. Prints the digest of the close: compare it with the other "
                  "trustees before the\n"
                  "message goes to the authority, for two tallies that differ by a ballot would "
                  "show that ballot.\n"
                  "Example: psephos trustee decrypt record --key trustee-1.key --out decrypt-1.msg",
                  *options);
  open->add_option("--checkpoint", options->checkpoints,
                   "a checkpoint kept from earlier; the record must continue it (V4)");
  bind(*open, context, [options, &context] { return decrypt(context, *options); });
}

}  // namespace psephos::cli
