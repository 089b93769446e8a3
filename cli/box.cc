// `psephos box`: the ballot box.
#include "psephos/protocol/box.h"

#include <cstdio>

#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/record_log_store.h"

#include "cli/cards.h"
#include "cli/common.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/record.h"

namespace psephos::cli {

namespace {

using protocol::BoxKeys;
using protocol::Manifest;
using Phase = protocol::MainLog::Phase;

constexpr std::size_t kMaxEntryBytes = 65535;

struct Options {
  std::string manifest;
  std::string record;
  std::string key;
  std::string card;
  std::string code;
  std::string out;
  std::vector<std::string> files;
};

Result<int> new_box(Context& context, const Options& options) {
  const std::vector<fs::path> outputs = {options.key, options.card};
  PSEPHOS_CHECK_OK(check_new(outputs));
  PSEPHOS_TRY(const auto manifest, read_manifest(options.manifest));
  const BoxKeys keys = BoxKeys::create(*manifest, context.random);
  const std::string card = print(*manifest, BoxCard{.log_keys = keys.public_keys()});
  PSEPHOS_TRY(Bytes key, sealed(context, "box", options.key, keys.save()));
  const std::vector<NewFile> files = {{options.key, std::move(key), runtime::FileMode::owner_only},
                                      {options.card, Bytes(card.begin(), card.end())}};
  PSEPHOS_CHECK_OK(write_new_files(files));
  return kExitOk;
}

Result<BoxKeys> load_keys(const Context& context, const Options& options) {
  PSEPHOS_TRY(const SecretBuffer content, load_secret(context, "box", options.key));
  return in_file(options.key, BoxKeys::load(content));
}

Result<int> start(Context& context, const Options& options) {
  PSEPHOS_TRY(const Lock lock, Lock::acquire(options.record));
  runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const Lock key_lock, Lock::acquire(options.key));
  PSEPHOS_TRY(const auto election, load_election(context, record));
  PSEPHOS_TRY(BoxKeys keys, load_keys(context, options));
  PSEPHOS_CHECK_OK(in_file(options.key, keys.start(*election)));
  const Manifest& manifest = election->manifest();
  // Either no shard has a log, or the box was started before: a single missing log was lost, and
  // making it anew would fork it.
  for (std::uint32_t shard = 0; shard < manifest.shards; ++shard) {
    if (record.exists(Manifest::box_log(shard) + "/checkpoint")) {
      return fail(Errc::misuse,
                  (record.root() / Manifest::box_log(shard)).string() + ": the log exists already");
    }
  }
  PSEPHOS_CHECK_OK(save_secret(context, "box", options.key, keys.save(), Overwrite::replace));
  PSEPHOS_TRY(const auto empty,
              protocol::Box::empty_logs(*election, keys, protocol::all_shards(manifest)));
  PSEPHOS_CHECK_OK(
      in_file(options.record, protocol::RecordLogStore(record, *election).commit(empty)));
  return kExitOk;
}

// One file's way into the box.
struct Submission {
  std::string file;
  fs::path receipt;
  std::optional<std::size_t> position;  // in the batch, if the file could be read
  std::optional<protocol::Box::Accepted> accepted;
  std::string reason;  // if it was refused
};

struct LogSize {
  std::string log;
  std::uint64_t entries = 0;
};

void report(const Context& context, const std::vector<Submission>& submissions,
            const std::vector<LogSize>& sizes) {
  Json out = {{"files", Json::array()}, {"logs", Json::object()}};
  for (const Submission& submission : submissions) {
    const bool accepted = submission.accepted.has_value();
    if (context.json) {
      Json row = {{"file", submission.file}, {"accepted", accepted}};
      if (accepted) {
        row["log"] = Manifest::box_log(submission.accepted->shard);
        row["index"] = submission.accepted->index;
        row["receipt"] = submission.receipt.string();
      } else {
        row["reason"] = submission.reason;
      }
      out["files"].push_back(std::move(row));
    } else if (accepted) {
      std::printf("accepted %s: %s, receipt %s\n", submission.file.c_str(),
                  protocol::entry_place(Manifest::box_log(submission.accepted->shard),
                                        submission.accepted->index)
                      .c_str(),
                  submission.receipt.c_str());
    } else {
      std::printf("refused  %s: %s\n", submission.file.c_str(), submission.reason.c_str());
    }
    if (!accepted) {
      complain("psephos " + context.command + ": " + submission.file +
               ": refused: " + submission.reason + "\n");
    }
  }
  for (const LogSize& size : sizes) {
    out["logs"][size.log] = size.entries;
    if (!context.json) {
      std::printf("%s: %llu entries now\n", size.log.c_str(),
                  static_cast<unsigned long long>(size.entries));
    }
  }
  if (context.json) {
    print_json(out);
  }
}

Result<int> accept(Context& context, const Options& options) {
  std::vector<Submission> submissions;
  std::vector<fs::path> outputs;
  for (const std::string& file : options.files) {
    const fs::path receipt = fs::path(options.out) / (fs::path(file).stem().string() + ".receipt");
    submissions.emplace_back().file = file;
    submissions.back().receipt = receipt;
    outputs.push_back(receipt);
  }
  PSEPHOS_CHECK_OK(check_new(outputs, options.files));
  std::vector<Bytes> batch;
  for (Submission& submission : submissions) {
    auto content = runtime::read_file(submission.file, kMaxEntryBytes);
    if (content.has_value()) {
      submission.position = batch.size();
      batch.push_back(std::move(*content));
    } else if (content.error().code == Errc::environment) {
      return std::unexpected(content.error());
    } else {
      submission.reason = content.error().message;
    }
  }
  PSEPHOS_TRY(const Lock lock, Lock::acquire(options.record));
  runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto log, load_main_log(context, record));
  PSEPHOS_CHECK_OK(require_phase(record, *log, {Phase::voting},
                                 "ballots are accepted while the polls are open"));
  PSEPHOS_TRY(const BoxKeys keys, load_keys(context, options));
  PSEPHOS_CHECK_OK(in_file(options.key, keys.serves(*log->election())));
  const protocol::Election& election = *log->election();
  protocol::RecordLogStore store(record, election);
  PSEPHOS_TRY(auto box,
              in_file(options.record, protocol::Box::open(log->election(), store, keys,
                                                          protocol::all_shards(log->manifest()))));

  runtime::ThreadExecutor executor(context.threads);
  PSEPHOS_TRY(
      const auto outcomes,
      in_file(options.record, protocol::accept(box, election, store, batch, context.evaluator,
                                               executor, context.random)));
  std::vector<NewFile> receipts;
  for (Submission& submission : submissions) {
    if (!submission.position.has_value()) {
      continue;
    }
    const auto& outcome = outcomes[*submission.position];
    if (!outcome.has_value()) {
      submission.reason = protocol::to_error(outcome.error()).message;
      continue;
    }
    submission.accepted = *outcome;
    PSEPHOS_TRY(const std::string receipt, in_file(options.record, box.receipt(*outcome)));
    receipts.push_back({submission.receipt, Bytes(receipt.begin(), receipt.end())});
  }
  PSEPHOS_CHECK_OK(write_new_files(receipts));
  const Manifest& manifest = log->manifest();
  std::vector<LogSize> sizes;
  for (std::uint32_t shard = 0; shard < manifest.shards; ++shard) {
    const std::string name = Manifest::box_log(shard);
    PSEPHOS_TRY(const auto reader,
                in_file(options.record,
                        protocol::LogReader::open(record, name, manifest.log_origin(name))));
    sizes.push_back({.log = name, .entries = reader.tree().size});
  }
  report(context, submissions, sizes);
  return receipts.size() == submissions.size() ? kExitOk : kExitRejected;
}

Result<int> find_receipt(Context& context, const Options& options) {
  const fs::path out = options.out;
  PSEPHOS_CHECK_OK(check_new(std::span(&out, 1)));
  PSEPHOS_TRY(const auto code, in_file("--code", protocol::parse_tracking_code(options.code)));
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto election, load_election(context, record));
  std::vector<std::uint32_t> shards(election->manifest().shards);
  for (std::uint32_t shard = 0; shard < shards.size(); ++shard) {
    shards[shard] = shard;
  }
  PSEPHOS_TRY(const auto found,
              find_entries(context, record, *election, shards, std::span(&code, 1)));
  if (found.empty()) {
    return fail(Errc::rejected,
                options.record + ": no entry has the tracking code " + protocol::print(code));
  }
  const FoundEntry& entry = found.begin()->second;
  const std::string log = Manifest::box_log(entry.shard);
  const auto proof = [&]() -> Result<crypto::LogProof> {
    PSEPHOS_TRY(const auto reader,
                protocol::LogReader::open(record, log, election->manifest().log_origin(log)));
    return reader.proof(entry.index);
  };
  PSEPHOS_TRY(const auto receipt, in_file(options.record, proof()));
  PSEPHOS_CHECK_OK(write_new_file(out, as_bytes(receipt.print())));
  if (context.json) {
    print_json({{"receipt", options.out}, {"log", log}, {"index", entry.index}});
  } else {
    std::printf("%s\n", protocol::entry_place(log, entry.index).c_str());
  }
  return kExitOk;
}

CLI::App* add_command(CLI::App& group, const char* name, const char* purpose, const char* flow,
                      Options& options) {
  CLI::App* command = group.add_subcommand(name, purpose);
  command->add_option("RECORD", options.record, "the box's copy of the record")->required();
  command->footer(flow);
  return command;
}

void add_key(CLI::App& command, Options& options) {
  command.add_option("--key", options.key, "the box's key file")->required()->type_name("FILE");
}

}  // namespace

void add_box(CLI::App& app, Context& context) {
  CLI::App* group =
      app.add_subcommand("box", "Collect ballots: admit or refuse, keep the logs, give receipts");
  group->require_subcommand(1);
  auto options = std::make_shared<Options>();

  CLI::App* create = group->add_subcommand("new", "Make the keys of the box's logs");
  create->add_option("MANIFEST", options->manifest, "the manifest")->required();
  create->add_option("--out", options->key, "key file to write")->required()->type_name("FILE");
  create->add_option("--card", options->card, "card to write, for the authority")
      ->required()
      ->type_name("FILE");
  create->footer(
      "The key file stays with the box, under a password; the card goes to the authority\n"
      "(`election open`).\n"
      "Example: psephos box new manifest.json --out box.key --card box.card");
  bind(*create, context, [options, &context] { return new_box(context, *options); });

  CLI::App* begin = add_command(*group, "start", "Make the empty logs of the box",
                                "Once, in a copy of the record got after `election open`. Never "
                                "start again from an older copy:\n"
                                "two logs under one key look like fraud.\n"
                                "Example: psephos box start record --key box.key",
                                *options);
  add_key(*begin, *options);
  bind(*begin, context, [options, &context] { return start(context, *options); });

  CLI::App* take = add_command(
      *group, "accept", "Judge ballots and challenges, append the good ones, write receipts",
      "Reads files from `voter cast` and `voter challenge`; appends them in random order; writes\n"
      "NAME.receipt into --receipts for each accepted NAME, which no two files of one command may\n"
      "share, whatever their folders and endings. Refused files are listed with the reason; the\n"
      "exit code is 1 then. A file accepted before is accepted again as the same entry. The logs'\n"
      "new sizes are shown.\n"
      "Example: psephos box accept record --key box.key --receipts receipts incoming/*.ballot",
      *options);
  add_key(*take, *options);
  take->add_option("--receipts", options->out, "directory for the receipts")
      ->required()
      ->type_name("DIR");
  take->add_option("FILE", options->files, "ballots and challenges")->required();
  bind(*take, context, [options, &context] { return accept(context, *options); });

  CLI::App* again = add_command(
      *group, "receipt", "Find an entry by its tracking code and write a receipt for it",
      "For a voter whose receipt was lost. Needs no key: the receipt is under the log's last "
      "signed\n"
      "checkpoint.\n"
      "Example: psephos box receipt record --code abcd-efgh-… --out my.receipt",
      *options);
  again->add_option("--code", options->code, "the tracking code")->required()->type_name("CODE");
  again->add_option("--out", options->out, "receipt to write")->required()->type_name("FILE");
  bind(*again, context, [options, &context] { return find_receipt(context, *options); });
}

}  // namespace psephos::cli
