// `psephos log` and `psephos receipt`: what a record's logs say, and proofs that they say it.
#include <algorithm>
#include <cstdio>
#include <limits>

#include "psephos/crypto/hash.h"
#include "psephos/crypto/merkle.h"
#include "psephos/protocol/box.h"
#include "psephos/protocol/ceremony.h"
#include "psephos/protocol/issuance.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/receipt.h"

#include "cli/common.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/record.h"

namespace psephos::cli {

namespace {

using protocol::LogReader;
using protocol::Manifest;
using protocol::MessageType;

constexpr std::size_t kMaxProofBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxEntryBytes = 65535;
constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

struct Options {
  std::string record;
  std::string log;
  std::uint64_t from = 0;
  std::uint64_t to = kNone;
  std::uint64_t raw = kNone;
  std::uint64_t index = 0;
  std::string out;
  std::string proof;
  std::string entry;
  std::string vkey;
  std::string code;
};

// Opened is a log of a record, with what is needed to read its entries: the election, unless it is
// the main log, which may be shown before there is one.
struct Opened {
  std::shared_ptr<const Manifest> manifest;
  std::shared_ptr<const protocol::Election> election;
  LogReader reader;
};

Result<Opened> open_log(const Context& context, const runtime::DirectoryRecord& record,
                        const std::string& log) {
  PSEPHOS_TRY(const auto manifest, read_manifest(record.root() / "manifest.json"));
  const std::string main = Manifest::main_log();
  std::vector<std::string> names = {main};
  std::shared_ptr<const protocol::Election> election;
  if (log != main) {
    PSEPHOS_TRY(election, load_election(context, record));
    names = election->log_names();
  }
  if (std::ranges::find(names, log) == names.end()) {
    return fail(Errc::misuse, record.root().string() + ": has no log \"" + log +
                                  "\"; logs are called main, box/0 …, roll/0 …");
  }
  PSEPHOS_TRY(LogReader reader,
              in_file(record.root(), LogReader::open(record, log, manifest->log_origin(log))));
  return Opened{.manifest = manifest, .election = election, .reader = std::move(reader)};
}

// What an entry says: `words` for people, `fields` for JSON.
struct Described {
  std::string words;
  Json fields = Json::object();
};

std::string sender_name(const Manifest& manifest, const protocol::Message& message) {
  switch (message.type) {
    case MessageType::commit:
    case MessageType::reveal:
    case MessageType::shares:
    case MessageType::confirm:
    case MessageType::complaint:
    case MessageType::decryption:
      return trustee_name(manifest, message.sender);
    case MessageType::credential_key:
    case MessageType::roll:
      return registrar_name(manifest, message.sender);
    default:
      return "authority";
  }
}

// The numbers of a tally or result that stand in front of its payload.
Result<std::string> describe_payload(const Manifest& manifest, const protocol::Message& message,
                                     Json& fields) {
  Reader in(message.payload);
  switch (message.type) {
    case MessageType::credential_key: {
      PSEPHOS_TRY(const auto key, protocol::CredentialKey::decode(message.payload, manifest));
      fields["style"] = manifest.styles[key.style].id;
      return ", ballot style " + manifest.styles[key.style].id;
    }
    case MessageType::complaint: {
      PSEPHOS_TRY(const auto complaint, protocol::Complaint::decode(message.payload, manifest));
      fields["accused"] = complaint.accused;
      return " against " + trustee_name(manifest, complaint.accused);
    }
    case MessageType::close: {
      PSEPHOS_TRY(const auto close, protocol::Close::decode(message.payload, manifest));
      std::string words = ", final sizes:";
      for (std::uint32_t shard = 0; shard < manifest.shards; ++shard) {
        const std::string log = Manifest::box_log(shard);
        fields["sizes"][log] = close.boxes[shard].size;
        words += " " + log + " " + std::to_string(close.boxes[shard].size);
      }
      for (std::uint32_t registrar = 0; registrar < manifest.num_registrars(); ++registrar) {
        const std::string log = Manifest::roll_log(registrar);
        fields["sizes"][log] = close.rolls[registrar].size;
        words += " " + log + " " + std::to_string(close.rolls[registrar].size);
      }
      return words;
    }
    case MessageType::tally: {
      PSEPHOS_TRY(const auto tally, protocol::Tally::decode(message.payload, manifest));
      fields["contest"] = manifest.contests[tally.contest].id;
      fields["unit"] = tally.unit;
      fields["ballots"] = tally.counted;
      return " of " + manifest.contests[tally.contest].id + ", unit " + std::to_string(tally.unit) +
             ", " + std::to_string(tally.counted) + " ballots";
    }
    case MessageType::decryption: {
      PSEPHOS_TRY(const auto tally, in.u32("tally"));
      fields["tally"] = tally;
      return " of tally " + std::to_string(tally);
    }
    case MessageType::result: {
      PSEPHOS_TRY(const auto tally, in.u32("tally"));
      std::string words = " of tally " + std::to_string(tally) + ":";
      fields["tally"] = tally;
      fields["totals"] = Json::array();
      while (in.remaining() > 0) {
        PSEPHOS_TRY(const auto total, in.u64("total"));
        fields["totals"].push_back(total);
        words += " " + std::to_string(total);
      }
      return words;
    }
    case MessageType::roll: {
      PSEPHOS_TRY(const auto roll, protocol::RollImport::decode(message.payload, manifest));
      fields["number"] = roll.number;
      fields["voters"] = Json::object();
      std::string words = ", import " + std::to_string(roll.number) + ":";
      for (std::uint32_t style = 0; style < manifest.num_styles(); ++style) {
        fields["voters"][manifest.styles[style].id] = roll.voters[style];
        words += " " + manifest.styles[style].id + " " + std::to_string(roll.voters[style]);
      }
      return words;
    }
    default:
      return "";
  }
}

Result<Described> describe(const Opened& opened, ByteView payload) {
  const Manifest& manifest = *opened.manifest;
  Described described;
  Json& fields = described.fields;
  if (opened.election == nullptr) {
    PSEPHOS_TRY(const auto message, protocol::Message::decode(payload));
    const std::string sender = sender_name(manifest, message);
    fields["type"] = protocol::name(message.type);
    fields["sender"] = sender;
    PSEPHOS_TRY(const std::string more, describe_payload(manifest, message, fields));
    described.words = std::string(protocol::name(message.type)) + " by " + sender + more;
    return described;
  }
  if (opened.reader.log().starts_with("roll/")) {
    PSEPHOS_TRY(const auto issuance, protocol::Issuance::decode(payload, manifest));
    fields["type"] = "issuance";
    fields["style"] = manifest.styles[issuance.style].id;
    fields["pseudonym"] = hex(issuance.pseudonym);
    fields["blinded_message_sha256"] = hex(issuance.blinded_digest);
    described.words = "issuance to " + hex(issuance.pseudonym) + ", ballot style " +
                      manifest.styles[issuance.style].id;
    return described;
  }
  PSEPHOS_TRY(const auto entry, protocol::decode_box_entry(payload, *opened.election));
  const std::uint32_t style = protocol::style_of(entry);
  const auto& encrypted = protocol::encrypted_of(entry);
  const std::string code =
      protocol::print(protocol::tracking_code(opened.election->id(), style, encrypted));
  const auto* challenge = std::get_if<protocol::Challenge>(&entry);
  fields["type"] = challenge == nullptr ? "ballot" : "challenge";
  fields["style"] = manifest.styles[style].id;
  fields["credential"] = hex(encrypted.credential.bytes());
  fields["sequence"] = encrypted.sequence;
  fields["tracking_code"] = code;
  described.words = fields["type"].get<std::string>() + " " + code + ", ballot style " +
                    manifest.styles[style].id + ", sequence " + std::to_string(encrypted.sequence);
  if (challenge == nullptr) {
    return described;
  }
  // What a challenge opens is public: it is what the voter compares with the choice.
  fields["values"] = Json::object();
  for (const std::uint32_t contest : manifest.styles[style].contests) {
    const std::size_t first = manifest.first_option(style, contest);
    Json values = Json::array();
    std::string words;
    for (std::size_t option = 0; option < manifest.contests[contest].options.size(); ++option) {
      values.push_back(challenge->values[first + option]);
      words += " " + std::to_string(challenge->values[first + option]);
    }
    fields["values"][manifest.contests[contest].id] = std::move(values);
    described.words += "; " + manifest.contests[contest].id + ":" + words;
  }
  return described;
}

// An entry that does not decode is shown as such: looking at a broken log is what this is for.
void print_entry(const Context& context, const Opened& opened, std::uint64_t index, ByteView entry,
                 bool first) {
  const auto payload = protocol::payload_of(entry);
  auto described = payload.has_value() ? describe(opened, *payload)
                                       : Result<Described>(std::unexpected(payload.error()));
  const std::string digest = hex(crypto::sha256({entry}));
  if (!context.json) {
    std::printf("%llu  %s\n    %zu bytes, sha256 %s\n", static_cast<unsigned long long>(index),
                described.has_value() ? described->words.c_str()
                                      : ("undecodable: " + described.error().message).c_str(),
                entry.size(), digest.c_str());
    return;
  }
  Json row = {{"index", index}, {"bytes", entry.size()}, {"sha256", digest}};
  if (described.has_value()) {
    row.update(described->fields);
  } else {
    row["undecodable"] = described.error().message;
  }
  std::string text = json_text(row);
  text.pop_back();
  std::printf("%s%s", first ? "[\n" : ",\n", text.c_str());
}

Result<int> show(Context& context, const Options& options) {
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const Opened opened, open_log(context, record, options.log));
  if (options.raw != kNone) {
    if (options.out.empty()) {
      return fail(Errc::misuse, "--raw needs --out, the file to write the entry to");
    }
    PSEPHOS_TRY(const Bytes entry, in_file(options.record, opened.reader.entry(options.raw)));
    PSEPHOS_CHECK_OK(write_new_file(options.out, entry));
    return kExitOk;
  }
  const std::uint64_t size = opened.reader.tree().size;
  if (options.from > options.to || (options.from != 0 && options.from >= size)) {
    return fail(Errc::misuse, options.record + ": the log " + options.log + " has " +
                                  std::to_string(size) + " entries, from 0; none is shown from " +
                                  std::to_string(options.from) +
                                  (options.to == kNone ? "" : " to " + std::to_string(options.to)));
  }
  const std::uint64_t end = std::min(size, options.to == kNone ? kNone : options.to + 1);
  std::optional<LogReader::Bundle> bundle;
  for (std::uint64_t index = options.from; index < end; ++index) {
    const std::uint64_t number = index / crypto::kTileWidth;
    if (!bundle.has_value() || bundle->first != number * crypto::kTileWidth) {
      PSEPHOS_TRY(bundle, in_file(options.record, opened.reader.bundle(number)));
    }
    print_entry(context, opened, index, bundle->entries[index % crypto::kTileWidth],
                index == options.from);
    // A reader who has seen enough (`| head`) ends the command.
    if (std::ferror(stdout) != 0) {
      break;
    }
  }
  if (context.json) {
    say(options.from < end ? "\n]\n" : "[]\n");
  }
  return kExitOk;
}

Result<int> prove(Context& context, const Options& options) {
  const fs::path out = options.out;
  PSEPHOS_CHECK_OK(check_new(std::span(&out, 1)));
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const Opened opened, open_log(context, record, options.log));
  PSEPHOS_TRY(const auto proof, in_file(options.record, opened.reader.proof(options.index)));
  PSEPHOS_CHECK_OK(write_new_file(out, as_bytes(proof.print())));
  return kExitOk;
}

Result<crypto::LogProof> read_proof(const std::string& path) {
  PSEPHOS_TRY(const Bytes file, runtime::read_file(path, kMaxProofBytes));
  return in_file(path, crypto::LogProof::parse(as_text(file)));
}

Result<void> check_proof(const crypto::LogProof& proof, const crypto::NoteVerifier& key,
                         const std::string& entry_file) {
  PSEPHOS_TRY(const Bytes entry, runtime::read_file(entry_file, kMaxEntryBytes));
  PSEPHOS_TRY(const auto note, crypto::Note::parse(proof.checkpoint));
  PSEPHOS_CHECK_OK(note.verified_by(std::span(&key, 1)));
  PSEPHOS_TRY(const auto checkpoint, crypto::Checkpoint::parse(note.text));
  if (checkpoint.origin != key.name()) {
    return fail(Errc::rejected, "the checkpoint is of the log \"" + checkpoint.origin +
                                    "\", the key is that of \"" + key.name() + "\"");
  }
  if (proof.extra.has_value() && !equal(*proof.extra, entry)) {
    return fail(Errc::rejected, "is a proof for another entry than " + entry_file);
  }
  return in_file(entry_file, crypto::verify_inclusion(proof.index, crypto::merkle_leaf(entry),
                                                      checkpoint.tree, proof.hashes));
}

Result<int> check(Context& context, const Options& options) {
  PSEPHOS_TRY(const auto proof, read_proof(options.proof));
  PSEPHOS_TRY(const auto key, in_file("--vkey", crypto::NoteVerifier::parse(options.vkey)));
  PSEPHOS_CHECK_OK(in_file(options.proof, check_proof(proof, key, options.entry)));
  if (context.json) {
    print_json({{"good", true}, {"log", key.name()}, {"index", proof.index}});
  } else {
    std::printf("good: %s\n", protocol::entry_place(key.name(), proof.index).c_str());
  }
  return kExitOk;
}

Result<int> check_receipt(Context& context, const Options& options) {
  PSEPHOS_TRY(const Bytes text, runtime::read_file(options.proof, protocol::kMaxReceiptBytes));
  std::optional<protocol::TrackingCode> code;
  if (!options.code.empty()) {
    PSEPHOS_TRY(code, in_file("--code", protocol::parse_tracking_code(options.code)));
  }
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto election, load_election(context, record));
  auto receipt = protocol::BoxReceipt::read(*election, as_text(text));
  if (!receipt.has_value()) {
    return within(options.proof + ": proves nothing", receipt.error());
  }
  const std::string log = Manifest::box_log(receipt->shard);
  const protocol::Receipt& promise = receipt->promise;
  // The record's own log must be sound for its answer to mean anything.
  PSEPHOS_TRY(const auto reader,
              audit_log(record, *election, log,
                        [](const LogReader::Bundle&) -> Result<void> { return {}; }));
  PSEPHOS_CHECK_OK(in_file(options.proof, protocol::check_receipt(reader, promise)));
  PSEPHOS_TRY(const ByteView payload, in_file(options.record, protocol::payload_of(promise.entry)));
  PSEPHOS_TRY(const auto entry,
              in_file(options.record, protocol::decode_box_entry(payload, *election)));
  const auto present = protocol::tracking_code(election->id(), protocol::style_of(entry),
                                               protocol::encrypted_of(entry));
  if (code.has_value() && *code != present) {
    return fail(Errc::rejected,
                options.proof + ": is for the tracking code " + protocol::print(present));
  }
  if (context.json) {
    print_json({{"good", true},
                {"log", log},
                {"index", promise.index},
                {"tracking_code", protocol::print(present)}});
  } else {
    std::printf("good: %s, tracking code %s\n", protocol::entry_place(log, promise.index).c_str(),
                protocol::print(present).c_str());
  }
  return kExitOk;
}

// --- refusal check
// --------------------------------------------------------------------------------

struct OfBox {
  std::uint32_t shard = 0;
  protocol::Refusal refusal;
};

Result<OfBox> read_refusal(const protocol::Election& election, const std::string& path) {
  PSEPHOS_TRY(const Bytes file, runtime::read_file(path, kMaxProofBytes));
  std::string why;
  for (std::uint32_t shard = 0; shard < election.manifest().shards; ++shard) {
    PSEPHOS_TRY(const auto key, election.log_verifier(Manifest::box_log(shard)));
    auto refusal = protocol::parse_refusal(as_text(file), key);
    if (refusal.has_value()) {
      return OfBox{.shard = shard, .refusal = *std::move(refusal)};
    }
    why += (shard == 0 ? "" : "; ") + refusal.error().message;
  }
  return fail(Errc::rejected, path + ": is no refusal of this election's box: " + why);
}

// Whether the record's log begins with the tree that the refusal names; nothing if the record does
// not reach so far.
Result<std::optional<bool>> is_over(const runtime::DirectoryRecord& record,
                                    const protocol::Election& election, const OfBox& found) {
  const std::string log = Manifest::box_log(found.shard);
  if (!record.exists(log + "/checkpoint")) {
    return std::nullopt;
  }
  PSEPHOS_TRY(const auto reader,
              audit_log(record, election, log,
                        [](const LogReader::Bundle&) -> Result<void> { return {}; }));
  if (reader.tree().size < found.refusal.tree.size) {
    return std::nullopt;
  }
  PSEPHOS_TRY(const bool continues, in_file(record.root(), reader.continues(found.refusal.tree)));
  return continues;
}

Result<int> check_refusal(Context& context, const Options& options) {
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto election, load_election(context, record));
  PSEPHOS_TRY(const OfBox found, read_refusal(*election, options.proof));
  const protocol::Refusal& refusal = found.refusal;
  PSEPHOS_TRY(const Bytes entry, runtime::read_file(options.entry, kMaxEntryBytes));
  if (!equal(refusal.entry, crypto::sha256({entry}))) {
    return fail(Errc::rejected, options.proof + ": refuses another entry than " + options.entry);
  }
  PSEPHOS_TRY(const auto over, is_over(record, *election, found));
  if (over == false) {
    return fail(Errc::rejected, options.proof +
                                    ": is over a tree that the record's log does not "
                                    "begin with: the box has shown two logs");
  }
  const std::string log = Manifest::box_log(found.shard);
  const std::string reason = printable(refusal.reason);
  if (context.json) {
    print_json({{"good", true},
                {"log", log},
                {"size", refusal.tree.size},
                {"in_record", over.has_value()},
                {"reason", reason}});
  } else {
    std::printf("good: the box refused this entry for %s over %llu entries%s: %s\n", log.c_str(),
                static_cast<unsigned long long>(refusal.tree.size),
                over.has_value() ? " of the record" : ", which the record does not have",
                reason.c_str());
  }
  return kExitOk;
}

}  // namespace

void add_log(CLI::App& app, Context& context) {
  CLI::App* group = app.add_subcommand(
      "log", "Look into a record's logs; make and check proofs; copy a published record");
  group->require_subcommand(1);
  auto options = std::make_shared<Options>();
  const auto add_source = [&](CLI::App& command) {
    command.add_option("RECORD", options->record, "the record's directory")->required();
    command.add_option("LOG", options->log, "main, box/0 …, roll/0 …")->required();
  };

  CLI::App* view = group->add_subcommand("show", "Show a log's entries in words");
  add_source(*view);
  view->add_option("--from", options->from, "first entry shown; entries count from 0")
      ->type_name("I");
  view->add_option("--to", options->to, "last entry shown")->type_name("J");
  CLI::Option* raw =
      view->add_option("--raw", options->raw, "write this entry's bytes to --out instead")
          ->type_name("I");
  view->add_option("--out", options->out, "file for --raw")->needs(raw)->type_name("FILE");
  view->footer(
      "Shows what is there without judging it; `psephos verify` judges.\n"
      "Example: psephos log show record main\n"
      "         psephos log show record box/0 --raw 7 --out entry-7");
  bind(*view, context, [options, &context] { return show(context, *options); });

  CLI::App* make = group->add_subcommand(
      "prove", "Write a proof that an entry stands in a log (C2SP tlog-proof)");
  add_source(*make);
  make->add_option("INDEX", options->index, "the entry's number, from 0")->required();
  make->add_option("--out", options->out, "proof to write")->required()->type_name("FILE");
  make->footer(
      "The proof carries the log's signed checkpoint. Whoever has the entry's bytes (`log show "
      "--raw`)\n"
      "and the log's key (`election status` prints it) can check it without the record.\n"
      "Example: psephos log prove record box/0 7 --out entry-7.proof");
  bind(*make, context, [options, &context] { return prove(context, *options); });

  CLI::App* judge = group->add_subcommand("check", "Check a proof without the record");
  judge->add_option("PROOF", options->proof, "proof, from `log prove`")->required();
  judge->add_option("--entry", options->entry, "file with the entry's bytes")
      ->required()
      ->type_name("FILE");
  judge->add_option("--vkey", options->vkey, "the log's verifier key: NAME+ID+KEY")
      ->required()
      ->type_name("VKEY");
  judge->footer(
      "Get the log's key by a way you trust; `election status` prints those of a record.\n"
      "Example: psephos log check entry-7.proof --entry entry-7 --vkey \"$VKEY\"");
  bind(*judge, context, [options, &context] { return check(context, *options); });

  add_mirror(*group, context);

  CLI::App* receipts = app.add_subcommand("receipt", "Check a voter's receipt");
  receipts->require_subcommand(1);
  CLI::App* verify =
      receipts->add_subcommand("check", "Check that a record holds what a receipt promises");
  verify->add_option("RECEIPT", options->proof, "receipt, from the ballot box")->required();
  verify->add_option("RECORD", options->record, "the record's directory")->required();
  verify->add_option("--code", options->code, "the tracking code it must be for")
      ->type_name("CODE");
  verify->footer(
      "A receipt holds its entry and is good by itself, or proves nothing. A good one that the\n"
      "record does not keep proves that the box or the record's publisher has cheated: keep it.\n"
      "Example: psephos receipt check my.receipt record --code abcd-efgh-…");
  bind(*verify, context, [options, &context] { return check_receipt(context, *options); });

  CLI::App* refusals = app.add_subcommand("refusal", "Check a box's refusal of a ballot");
  refusals->require_subcommand(1);
  CLI::App* refused =
      refusals->add_subcommand("check", "Check that the box has refused an entry, and why");
  refused->add_option("REFUSAL", options->proof, "refusal, from the ballot box")->required();
  refused->add_option("ENTRY", options->entry, "the entry that was sent")->required();
  refused->add_option("RECORD", options->record, "the record's directory, at least its main log")
      ->required();
  refused->footer(
      "`voter cast` and `voter sync` write both files with --receipts. They show that the box "
      "refused\n"
      "this entry for this reason. Whether the reason holds, anyone can judge from the record "
      "(docs/spec.md,\n"
      "7.6); if it does not, or the box log does not begin with what the refusal names, the box "
      "has broken\n"
      "its word. Exit code 1: it is not signed by the box, of another entry, or over another log.\n"
      "Example: psephos refusal check receipts/abcd-….refusal receipts/abcd-….entry record");
  bind(*refused, context, [options, &context] { return check_refusal(context, *options); });
}

}  // namespace psephos::cli
