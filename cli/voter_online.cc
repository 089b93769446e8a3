// `psephos voter` with a server: enrol, send, follow. What is learnt from the server is checked
// against the record and what was signed before; the wallet works on without it.
#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "psephos/network/http_client.h"
#include "psephos/network/http_record.h"
#include "psephos/protocol/ballot.h"
#include "psephos/secret.h"

#include "cli/browser.h"
#include "cli/json.h"
#include "cli/mirror.h"
#include "cli/outbox.h"
#include "cli/output.h"
#include "cli/promise.h"
#include "cli/record.h"
#include "cli/remote.h"
#include "cli/voter.h"

namespace psephos::cli {

using protocol::BoxReceipt;
using protocol::Election;
using protocol::MainLog;
using protocol::Manifest;
using protocol::Wallet;

namespace {

// How often `voter track` looks again, a second apart, for what is promised and not published yet.
constexpr unsigned kLooks = 5;
constexpr unsigned kWaits = 5;

Result<std::unique_ptr<network::HttpClient>> make_client(const VoterOptions& options) {
  network::BeastHttpClient::Options client;
  client.ca_file = options.ca_file;
  return network::BeastHttpClient::create(std::move(client));
}

// The server as the box's voters reach it.
struct Link {
  std::unique_ptr<network::HttpClient> client;
  Server server;
};
Result<Link> make_link(const VoterOptions& options, Patience patience) {
  PSEPHOS_TRY(auto client, make_client(options));
  PSEPHOS_TRY(Server server, Server::create(*client, options.server, std::move(patience)));
  return Link{.client = std::move(client), .server = std::move(server)};
}

// What was found out is said, whatever becomes of the files it should be written to.
Result<int> also(Result<int> verdict, const Result<void>& written) {
  if (written.has_value()) {
    return verdict;
  }
  if (verdict.has_value()) {
    return std::unexpected(written.error());
  }
  verdict.error().message += ". Besides: " + written.error().message;
  return verdict;
}

Result<std::optional<Digest32>> asked_for(const VoterOptions& options) {
  if (options.election.empty()) {
    return std::nullopt;
  }
  const auto id = unhex32(options.election);
  if (!id.has_value()) {
    return fail(Errc::misuse,
                "--election " + options.election + ": must be an election id, 64 hex digits");
  }
  return *id;
}

// The election of the record here, if there is one; it must be the one that is asked for.
Result<std::shared_ptr<const Election>> here(const Context& context, const VoterOptions& options) {
  PSEPHOS_TRY(const auto asked, asked_for(options));
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(auto election, load_election(context, record));
  if (asked.has_value() && *asked != election->id()) {
    return fail(Errc::misuse,
                options.record + ": is the election " + hex(election->id()) + ", not --election");
  }
  return election;
}

// update brings the copy of manifest and main log to what the server has.
Result<network::MirrorReport> update(const Context& context, const VoterOptions& options,
                                     const Server& server, const Digest32& election) {
  PSEPHOS_TRY(const auto copy, MirroredRecord::open(context,
                                                    {.url = server.record_url(election),
                                                     .election = hex(election),
                                                     .ca_file = options.ca_file,
                                                     .logs = {Manifest::main_log()}},
                                                    options.record));
  PSEPHOS_TRY(auto report, copy->update());
  if (!report.fault.empty()) {
    return fail(Errc::rejected, options.record + ": " + report.fault);
  }
  return report;
}

// --- enrol --------------------------------------------------------------------------------------

// "1=https://union.example" …: where registrars are that the server does not speak for.
Result<std::map<std::uint32_t, std::string>> registrar_urls(const VoterOptions& options,
                                                            const Manifest& manifest) {
  std::map<std::uint32_t, std::string> urls;
  for (const std::string& text : options.registrar_urls) {
    const std::size_t equals = text.find('=');
    std::uint32_t registrar = 0;
    while (registrar < manifest.num_registrars() &&
           (equals == std::string::npos || std::to_string(registrar) != text.substr(0, equals))) {
      ++registrar;
    }
    if (registrar == manifest.num_registrars()) {
      return fail(Errc::misuse, "--registrar-url " + text + ": write N=URL, with N from 0 to " +
                                    std::to_string(manifest.num_registrars() - 1));
    }
    if (!urls.emplace(registrar, text.substr(equals + 1)).second) {
      return fail(Errc::misuse,
                  "--registrar-url: registrar " + std::to_string(registrar) + " has two");
    }
  }
  return urls;
}

// How one registrar is asked: with a code, else after a sign-in.
struct Desk {
  std::uint32_t registrar = 0;
  std::string name;
  Server server;
  const SecretBuffer* code = nullptr;
  std::optional<SignIn::Provider> provider;  // that it names; there is one if there is no code
  [[nodiscard]] bool wants_token() const { return code == nullptr; }
};

Result<Desk> visit(network::HttpClient& client, const std::string& url, const Election& election,
                   std::uint32_t registrar, const Codes& codes) {
  PSEPHOS_TRY(Server server, Server::create(client, url, {}));
  PSEPHOS_TRY(SignIn wanted, server.sign_in(election.id(), registrar));
  Desk desk{.registrar = registrar,
            .name = registrar_name(election.manifest(), registrar),
            .server = std::move(server),
            .code = nullptr,
            .provider = std::move(wanted.provider)};
  if (const auto code = codes.find(registrar); code != codes.end()) {
    if (!wanted.codes) {
      return fail(Errc::misuse, "takes no codes; leave its code out, to sign in");
    }
    desk.code = &code->second;
  } else if (!desk.provider.has_value()) {
    return fail(Errc::misuse, wanted.codes ? "wants a one-time code: give it with --code"
                                           : "says of no way to enrol");
  }
  return desk;
}

// What one registrar gets must be of no use at another, even where that one is given a code: each
// says itself where to sign in and for what, and a dishonest one could name what is another's. ID
// tokens are bound to the request; access tokens are told apart by their resource.
Result<void> check_apart(std::span<const Desk> desks) {
  for (const Desk& desk : desks) {
    for (const Desk& other : desks) {
      if (&desk == &other || !desk.wants_token() || !other.provider.has_value()) {
        continue;
      }
      const std::string& resource = desk.provider->client.resource;
      if (!resource.empty() && resource == other.provider->client.resource) {
        return fail(Errc::rejected, desk.name + " and " + other.name +
                                        " ask for a token for the same resource, " +
                                        printable(resource) +
                                        ": either could enrol with it at the other in the voter's "
                                        "place. Nothing was sent; tell who runs the election");
      }
    }
  }
  return {};
}

// With several providers, one of them could pass the voter on to another and be handed the code
// that this one gives (RFC 9207): their redirects must say whose they are.
Mixups mixups(std::span<const Desk> desks) {
  const std::string* issuer = nullptr;
  for (const Desk& desk : desks) {
    if (desk.provider.has_value()) {
      if (issuer != nullptr && *issuer != desk.provider->issuer) {
        return Mixups::possible;
      }
      issuer = &desk.provider->issuer;
    }
  }
  return Mixups::none;
}

// ask has one registrar sign. `bearers` are those that others got.
Result<void> ask(Context& context, const VoterOptions& options, const Desk& desk,
                 const Election& election, network::HttpClient& client, Mixups mixups,
                 std::vector<SecretBuffer>& bearers, Wallet& wallet) {
  // A voter id beside codes is what the registrars call the voter that take them.
  const std::string voter = desk.wants_token() && gives_codes(options) ? "" : options.voter;
  PSEPHOS_TRY(
      const auto request,
      wallet.request(election, desk.registrar, voter,
                     desk.wants_token() ? "" : std::string(as_text(desk.code->expose_secret())),
                     context.random));
  const SecretBuffer* bearer = nullptr;
  if (desk.wants_token()) {
    PSEPHOS_TRY(SecretBuffer token, sign_in_with_browser(client, *desk.provider,
                                                         {.nonce = request.sign_in_nonce(),
                                                          .mixups = mixups,
                                                          .open_browser = !options.no_browser},
                                                         context.random));
    if (std::ranges::any_of(bearers, [&](const SecretBuffer& other) {
          return ct_equal(other.expose_secret(), token.expose_secret());
        })) {
      return fail(Errc::rejected, "the identity provider gives the token of another registrar");
    }
    bearers.push_back(std::move(token));
    bearer = &bearers.back();
  }
  PSEPHOS_TRY(const Bytes answer,
              desk.server.enrol(election.id(), desk.registrar, request.encode(), bearer));
  PSEPHOS_TRY(const auto response,
              protocol::EnrolmentResponse::decode(answer, election.manifest()));
  if (response.registrar != desk.registrar) {
    return fail(Errc::rejected, "the answer is one of another registrar");
  }
  return wallet.receive(election, response);
}

// --- what is in a wallet, in words ---------------------------------------------------------------

std::string found_at(const Election& election, const std::string& receipt) {
  const auto read = BoxReceipt::read(election, receipt);
  return read.has_value()
             ? protocol::entry_place(Manifest::box_log(read->shard), read->promise.index)
             : "";
}

Result<void> write_paper(const fs::path& file, ByteView content) {
  std::error_code error;
  if (!fs::exists(file, error)) {
    return runtime::write_file(file, content);
  }
  PSEPHOS_TRY(const Bytes present, runtime::read_file(file, kMaxInputBytes));
  return equal(present, content)
             ? Result<void>()
             : fail(Errc::misuse, file.string() + ": exists already; nothing is written over it");
}

// The box's answers; with a refusal what was refused, for it says nothing without.
Result<void> write_receipts(const VoterOptions& options, const Wallet& wallet) {
  if (options.receipts.empty()) {
    return {};
  }
  for (const Wallet::Sent& sent : wallet.sent()) {
    const std::string file = (fs::path(options.receipts) / protocol::print(sent.code)).string();
    if (sent.answer == Wallet::Answer::receipt) {
      PSEPHOS_CHECK_OK(write_paper(file + ".receipt", as_bytes(sent.text)));
    } else if (sent.answer == Wallet::Answer::refusal) {
      PSEPHOS_CHECK_OK(write_paper(file + ".refusal", as_bytes(sent.text)));
      PSEPHOS_CHECK_OK(write_paper(file + ".entry", sent.entry));
    }
  }
  return {};
}

Json sent_json(const Election& election, const Wallet::Sent& sent) {
  Json row = {{"tracking_code", protocol::print(sent.code)},
              {"challenged", sent.challenged},
              {"sent", sent.answer != Wallet::Answer::none},
              {"accepted", sent.answer == Wallet::Answer::receipt}};
  if (sent.answer == Wallet::Answer::receipt) {
    if (const auto receipt = BoxReceipt::read(election, sent.text); receipt.has_value()) {
      row["log"] = Manifest::box_log(receipt->shard);
      row["index"] = receipt->promise.index;
    }
  }
  return row;
}

// --- track --------------------------------------------------------------------------------------

// Writes papers that contradict each other, and says where they are.
class Evidence {
 public:
  explicit Evidence(fs::path beginning) : beginning_(std::move(beginning)) {}

  // What is wrong is said also if the papers cannot be kept.
  void add(const std::string& what, const std::string& ending, const Result<std::string>& paper,
           const std::string& checkpoint) {
    const auto kept = paper.has_value() ? keep(ending, *paper) : std::unexpected(paper.error());
    const auto shown = keep("checkpoint", checkpoint);
    words_.push_back(what + (kept.has_value() && shown.has_value()
                                 ? ". Evidence: " + kept->string() + " and " + shown->string()
                                 : ". The evidence could not be kept: " +
                                       (kept.has_value() ? shown : kept).error().message));
  }
  [[nodiscard]] const std::vector<std::string>& words() const { return words_; }
  [[nodiscard]] const std::vector<std::string>& files() const { return files_; }
  [[nodiscard]] Error warning() const {
    std::string message = "WARNING: the ballot box or its server cheats, or has lost entries:";
    for (const std::string& words : words_) {
      message += " " + words + ".";
    }
    return {.code = Errc::rejected,
            .message = message + " Keep the files; show them to the election's observers"};
  }

 private:
  Result<fs::path> keep(const std::string& ending, const std::string& paper) {
    fs::path wanted = beginning_;
    wanted += "." + ending;
    PSEPHOS_TRY(fs::path path, keep_evidence(wanted, paper));
    if (std::ranges::find(files_, path.string()) == files_.end()) {
      files_.push_back(path.string());
    }
    return path;
  }

  fs::path beginning_;
  std::vector<std::string> words_;
  std::vector<std::string> files_;
};

fs::path evidence_beginning(const VoterOptions& options) {
  const fs::path beside_wallet = options.wallet.empty() ? beside(options.record, ".evidence")
                                                        : beside(options.wallet, ".evidence");
  return options.evidence.empty() ? beside_wallet
                                  : fs::path(options.evidence) / beside_wallet.filename();
}

// What became of the entries that this wallet has receipts for, as far as it can know: whether
// another one cast with the same credential afterwards, only the whole log tells.
std::string fate(const Wallet& wallet, std::size_t position, bool closed) {
  const auto& sent = wallet.sent();
  if (sent[position].challenged) {
    return "challenged, not counted";
  }
  for (std::size_t later = position + 1; later < sent.size(); ++later) {
    if (!sent[later].challenged && sent[later].answer == Wallet::Answer::receipt) {
      return "replaced by " + protocol::print(sent[later].code);
    }
  }
  return closed ? "in the log over which the polls were closed; counted, unless somebody else cast "
                  "with this credential later"
                : "counted, as far as the log goes now";
}

struct Tracked {
  std::shared_ptr<MainLog> log;
  Comparison comparison;
  [[nodiscard]] bool closed() const { return log->close().has_value(); }
  // While the polls are open, a log that is shorter than what was signed says nothing: it is
  // published every so often, and caches keep it for a while.
  [[nodiscard]] bool is_wrong(const Kept& kept) const {
    return kept.state == Kept::State::broken || (kept.state == Kept::State::behind && closed());
  }
};

// What is looked for in a box log on the server.
struct Question {
  std::uint32_t shard = 0;
  std::string_view seen;
  std::span<const Promise> promises;
  unsigned looks = kLooks;
};

Result<Tracked> look(const Context& context, const VoterOptions& options, const Question& question,
                     network::HttpClient& client, const Server& server) {
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(auto log, load_main_log(context, record));
  const auto election = log->election();
  PSEPHOS_TRY(const auto source,
              network::HttpRecord::create(client, server.record_url(election->id())));
  std::optional<crypto::TreeHead> closed;
  if (log->close().has_value()) {
    closed = log->close()->boxes[question.shard];
  }
  PSEPHOS_TRY(Comparison comparison, compare({.record = *source,
                                              .election = *election,
                                              .shard = question.shard,
                                              .seen = question.seen,
                                              .promises = question.promises,
                                              .closed = closed,
                                              .looks = question.looks,
                                              .sleep = {}}));
  return Tracked{.log = std::move(log), .comparison = std::move(comparison)};
}

Result<Promise> promise(const Election& election, const Wallet::Sent& sent) {
  PSEPHOS_TRY(BoxReceipt receipt, BoxReceipt::read(election, sent.text));
  return Promise{
      .name = protocol::print(sent.code), .receipt = std::move(receipt), .text = sent.text};
}

// A checkpoint that contradicts the one seen before does not take its place.
Result<void> remember(Context& context, const VoterOptions& options, const Comparison& comparison,
                      OpenWallet& opened) {
  if (comparison.seen.state != Kept::State::kept || comparison.checkpoint == opened.wallet.seen()) {
    return {};
  }
  PSEPHOS_CHECK_OK(opened.wallet.saw(comparison.checkpoint));
  return save(context, options, opened);
}

// What was found out about a log, and what was promised in it.
struct Findings {
  explicit Findings(fs::path beginning) : evidence(std::move(beginning)) {}
  Evidence evidence;
  std::vector<std::string> unpublished;  // what is still to come, in words
  std::size_t absent = 0;                // entries that the box has given no receipt for
  Json rows = Json::array();
};

// What is wrong with the log itself.
void judge_log(const VoterOptions& options, const Tracked& tracked, std::string_view seen,
               Findings& findings) {
  const Comparison& comparison = tracked.comparison;
  if (tracked.is_wrong(comparison.seen)) {
    findings.evidence.add(comparison.seen.what, "seen-before", std::string(seen),
                          comparison.checkpoint);
  } else if (comparison.seen.state == Kept::State::behind) {
    findings.unpublished.push_back(comparison.seen.what + ": an old copy?");
  }
  if (tracked.is_wrong(comparison.close)) {
    // The close is an entry under this checkpoint.
    const auto main = runtime::read_file(
        fs::path(options.record) / Manifest::main_log() / "checkpoint", kMaxInputBytes);
    findings.evidence.add(
        comparison.close.what, "main-checkpoint",
        main.has_value() ? Result<std::string>(as_text(*main)) : std::unexpected(main.error()),
        comparison.checkpoint);
  }
}

std::string cosigned(const Tracked& tracked) {
  const Manifest& manifest = tracked.log->manifest();
  return manifest.witness_quorum == 0
             ? ""
             : std::to_string(tracked.comparison.cosignatures) + " witnesses cosigned it, " +
                   std::to_string(manifest.witness_quorum) + " must";
}

Result<int> conclude(const Context& context, const Tracked& tracked, Findings findings) {
  const Comparison& comparison = tracked.comparison;
  const Evidence& evidence = findings.evidence;
  const std::string witnesses = cosigned(tracked);
  if (context.json) {
    print_json({{"entries", std::move(findings.rows)},
                {"log_size", comparison.tree.size},
                {"log_root", hex(comparison.tree.root)},
                {"cosignatures", comparison.cosignatures},
                {"quorum", comparison.has_quorum},
                {"unpublished", findings.unpublished},
                {"warnings", evidence.words()},
                {"evidence", evidence.files()}});
  } else {
    std::printf("the log has %llu entries%s%s\n",
                static_cast<unsigned long long>(comparison.tree.size),
                witnesses.empty() ? "" : "; ", witnesses.c_str());
  }
  if (!evidence.words().empty()) {
    return std::unexpected(evidence.warning());
  }
  if (!comparison.has_quorum && tracked.closed()) {
    return fail(Errc::rejected, "the polls are closed, and of the log's final checkpoint " +
                                    witnesses + ": others may be shown another log");
  }
  if (findings.absent != 0) {
    return fail(Errc::rejected, std::to_string(findings.absent) +
                                    (findings.absent == 1 ? " entry is" : " entries are") +
                                    " not in the log; `voter sync` sends what was not sent");
  }
  if (!findings.unpublished.empty()) {
    std::string message = "not published yet:";
    for (const std::string& words : findings.unpublished) {
      message += " " + words + ".";
    }
    return fail(Errc::environment, message + " Look again later, and after the close");
  }
  return kExitOk;
}

// --- send ---------------------------------------------------------------------------------------

// Whether what the box took is in the log it publishes. Nothing is known while it is not
// published.
struct Confirmation {
  std::vector<bool> confirmed;  // by position in Wallet::sent
  std::optional<Error> wrong;
  Result<void> saved;  // the wallet, with the checkpoint it has seen
};

Confirmation confirm(Context& context, const VoterOptions& options, const Election& election,
                     OpenWallet& opened, const Delivery& delivery, const Link& link) {
  Confirmation result{
      .confirmed = std::vector<bool>(opened.wallet.sent().size()), .wrong = {}, .saved = {}};
  std::vector<Promise> promises;
  std::vector<std::size_t> positions;
  for (const Delivered& answered : delivery.answered) {
    if (!answered.accepted) {
      continue;
    }
    auto made = promise(election, opened.wallet.sent()[answered.position]);
    if (!made.has_value()) {
      result.wrong = made.error();
      return result;
    }
    promises.push_back(*std::move(made));
    positions.push_back(answered.position);
  }
  if (promises.empty()) {
    return result;
  }
  const auto looked = look(context, options,
                           {.shard = promises.front().receipt.shard,
                            .seen = opened.wallet.seen(),
                            .promises = promises,
                            .looks = 0},
                           *link.client, link.server);
  if (!looked.has_value()) {
    if (looked.error().code != Errc::environment) {
      result.wrong = looked.error();
    }
    return result;
  }
  Evidence evidence(evidence_beginning(options));
  const Comparison& comparison = looked->comparison;
  if (comparison.seen.state == Kept::State::broken) {
    evidence.add(comparison.seen.what, "seen-before", opened.wallet.seen(), comparison.checkpoint);
  }
  for (std::size_t k = 0; k < promises.size(); ++k) {
    const Kept& kept = comparison.kept[k];
    result.confirmed[positions[k]] = kept.state == Kept::State::kept;
    if (kept.state == Kept::State::broken) {
      evidence.add(promises[k].name + ": " + kept.what, promises[k].name + ".receipt",
                   promises[k].text, comparison.checkpoint);
    }
  }
  if (!evidence.words().empty()) {
    result.wrong = evidence.warning();
  }
  result.saved = remember(context, options, comparison, opened);
  return result;
}

// What is still to be sent, in words.
std::string kept_words(const VoterOptions& options, std::size_t waiting) {
  return std::to_string(waiting) + (waiting == 1 ? " entry is" : " entries are") + " kept in " +
         options.wallet + "; `voter sync` sends " + (waiting == 1 ? "it" : "them");
}

// What came of sending, in words. What could not be sent is an error.
Result<int> report(const Context& context, const VoterOptions& options, const Election& election,
                   const Wallet& wallet, const Delivery& delivery,
                   const Confirmation& confirmation) {
  std::string refused;
  Json rows = Json::array();
  for (const Delivered& answered : delivery.answered) {
    const Wallet::Sent& sent = wallet.sent()[answered.position];
    Json row = sent_json(election, sent);
    const bool confirmed = confirmation.confirmed[answered.position];
    if (answered.accepted) {
      row["confirmed"] = confirmed;
    } else {
      refused += (refused.empty() ? "" : "; ") + protocol::print(sent.code) +
                 ": refused by the box: " + answered.reason;
      row["reason"] = answered.reason;
    }
    rows.push_back(std::move(row));
    if (!context.json) {
      std::printf("%s: %s\n", protocol::print(sent.code).c_str(),
                  answered.accepted ? ("the box took it: " + found_at(election, sent.text) +
                                       (confirmed ? ", and has published it" : ""))
                                          .c_str()
                                    : ("refused by the box: " + answered.reason).c_str());
    }
  }
  const bool stopped = delivery.stopped.has_value();
  if (context.json) {
    print_json({{"sent", delivery.waiting == 0},
                {"waiting", delivery.waiting},
                {"reason", stopped ? Json(printable(delivery.stopped->message)) : Json()},
                {"entries", std::move(rows)}});
  } else if (delivery.waiting == 0 && delivery.answered.empty()) {
    std::printf("nothing waits to be sent\n");
  }
  if (confirmation.wrong.has_value()) {
    return std::unexpected(*confirmation.wrong);
  }
  if (stopped) {
    return fail(delivery.stopped->code, "not sent: " + delivery.stopped->message + ". " +
                                            kept_words(options, delivery.waiting));
  }
  if (!refused.empty()) {
    return fail(Errc::rejected, refused);
  }
  if (!delivery.answered.empty()) {
    complain("Whether the box keeps its promise: `voter track`, now and after the close.\n");
  }
  return kExitOk;
}

// Sends what waits in the wallet.
Result<int> send_waiting(Context& context, const VoterOptions& options, const Election& election,
                         OpenWallet& opened, const Link& link) {
  PSEPHOS_TRY(const Delivery delivery, deliver(link.server, election, opened.wallet,
                                               [&] { return save(context, options, opened); }));
  const auto written = write_receipts(options, opened.wallet);
  const Confirmation confirmation = confirm(context, options, election, opened, delivery, link);
  return also(
      also(report(context, options, election, opened.wallet, delivery, confirmation), written),
      confirmation.saved);
}

Result<int> track_wallet(Context& context, const VoterOptions& options, const Election& election,
                         network::HttpClient& client, const Server& server) {
  PSEPHOS_TRY(OpenWallet opened, open_wallet(context, options, election));
  const Wallet& wallet = opened.wallet;
  const auto& sent = wallet.sent();
  if (sent.empty()) {
    return fail(Errc::misuse, options.wallet + ": has neither cast nor challenged a ballot");
  }
  const std::uint32_t shard =
      protocol::shard_of(wallet.credential().bytes(), election.manifest().shards);
  std::vector<Promise> promises;
  std::vector<std::optional<std::size_t>> promise_of(sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    if (sent[i].answer == Wallet::Answer::receipt) {
      PSEPHOS_TRY(Promise made, in_file(options.wallet, promise(election, sent[i])));
      promise_of[i] = promises.size();
      promises.push_back(std::move(made));
    }
  }
  PSEPHOS_TRY(const Tracked tracked,
              look(context, options, {.shard = shard, .seen = wallet.seen(), .promises = promises},
                   client, server));
  Findings findings(evidence_beginning(options));
  judge_log(options, tracked, wallet.seen(), findings);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    Json row = sent_json(election, sent[i]);
    std::string words;
    if (promise_of[i].has_value()) {
      const Promise& promise = promises[*promise_of[i]];
      const Kept& kept = tracked.comparison.kept[*promise_of[i]];
      row["found"] = kept.state == Kept::State::kept;
      words = found_at(election, sent[i].text) + ", ";
      if (tracked.is_wrong(kept)) {
        words += "MISSING: " + kept.what;
        findings.evidence.add(promise.name + ": " + kept.what, promise.name + ".receipt",
                              promise.text, tracked.comparison.checkpoint);
      } else if (kept.state == Kept::State::behind) {
        words += "not published yet: " + kept.what;
        findings.unpublished.push_back(promise.name + ": " + kept.what);
      } else {
        words += fate(wallet, i, tracked.closed());
      }
    } else if (sent[i].answer == Wallet::Answer::refusal) {
      PSEPHOS_TRY(words, in_file(options.wallet,
                                 check_refusal(election, shard, sent[i].entry, sent[i].text)));
      words = "refused by the box: " + words;
      row["found"] = false;
    } else {
      ++findings.absent;
      words = "not sent yet, or no receipt came back";
      row["found"] = false;
    }
    row["words"] = words;
    findings.rows.push_back(std::move(row));
    if (!context.json) {
      std::printf("%s: %s\n", protocol::print(sent[i].code).c_str(), words.c_str());
    }
  }
  const auto remembered = remember(context, options, tracked.comparison, opened);
  return also(conclude(context, tracked, std::move(findings)), remembered);
}

Result<int> track_code(Context& context, const VoterOptions& options, const Election& election,
                       network::HttpClient& client, const Server& server) {
  PSEPHOS_TRY(const auto code, in_file("--code", protocol::parse_tracking_code(options.code)));
  PSEPHOS_TRY(const auto text, server.receipt(election.id(), code));
  const std::string name = protocol::print(code);
  if (!text.has_value()) {
    if (context.json) {
      print_json({{"tracking_code", name}, {"found", false}});
    }
    return fail(Errc::rejected, name + ": the box at " + options.server + " does not have it");
  }
  PSEPHOS_TRY(const BoxReceipt receipt, BoxReceipt::read(election, *text));
  PSEPHOS_TRY(const ByteView payload, protocol::payload_of(receipt.promise.entry));
  PSEPHOS_TRY(const auto entry, protocol::decode_box_entry(payload, election));
  if (protocol::tracking_code(election.id(), protocol::style_of(entry),
                              protocol::encrypted_of(entry)) != code) {
    return fail(Errc::rejected, name + ": the server answers with the receipt of another entry");
  }
  const Promise made{.name = name, .receipt = receipt, .text = *text};
  PSEPHOS_TRY(
      const Tracked tracked,
      look(context, options, {.shard = receipt.shard, .seen = {}, .promises = std::span(&made, 1)},
           client, server));
  Findings findings(evidence_beginning(options));
  judge_log(options, tracked, "", findings);
  const Kept& kept = tracked.comparison.kept.front();
  const std::string place =
      protocol::entry_place(Manifest::box_log(receipt.shard), receipt.promise.index);
  Json row = {{"tracking_code", name},
              {"found", kept.state == Kept::State::kept},
              {"log", Manifest::box_log(receipt.shard)},
              {"index", receipt.promise.index}};
  if (tracked.is_wrong(kept)) {
    findings.evidence.add(name + ": " + kept.what, name + ".receipt", *text,
                          tracked.comparison.checkpoint);
  } else if (kept.state == Kept::State::behind) {
    findings.unpublished.push_back(name + ": " + kept.what);
  } else {
    const bool challenged = std::holds_alternative<protocol::Challenge>(entry);
    row["challenged"] = challenged;
    if (!context.json) {
      std::printf("%s: %s, %s\n", name.c_str(), place.c_str(),
                  challenged ? "challenged, not counted" : "a ballot");
    }
  }
  findings.rows.push_back(std::move(row));
  return conclude(context, tracked, std::move(findings));
}

}  // namespace

Result<int> enrol_online(Context& context, const VoterOptions& options) {
  PSEPHOS_TRY(const auto client, make_client(options));
  PSEPHOS_TRY(const Server server, Server::create(*client, options.server, {}));
  PSEPHOS_TRY(auto id, asked_for(options));
  std::error_code error;
  if (fs::exists(fs::path(options.record) / Manifest::main_log() / "checkpoint", error)) {
    PSEPHOS_TRY(const auto election, here(context, options));
    id = election->id();
  }
  if (!id.has_value()) {
    PSEPHOS_TRY(id, server.only_election());
  }
  PSEPHOS_CHECK_OK(update(context, options, server, *id));
  PSEPHOS_TRY(const auto election, here(context, options));
  const Manifest& manifest = election->manifest();
  PSEPHOS_TRY(const auto urls, registrar_urls(options, manifest));
  PSEPHOS_TRY(const Codes codes, read_codes(options, manifest));
  PSEPHOS_TRY(OpenWallet opened, join_wallet(context, options, *election));
  Wallet& wallet = opened.wallet;
  const auto missing = wallet.missing(*election);
  // What a request was blinded with must not be lost once it has left.
  for (const std::uint32_t registrar : missing) {
    PSEPHOS_CHECK_OK(wallet.request(*election, registrar, options.voter, "", context.random));
  }
  if (!missing.empty()) {
    PSEPHOS_CHECK_OK(save(context, options, opened));
  }
  // All are heard before any is told something.
  std::vector<Desk> desks;
  for (const std::uint32_t registrar : missing) {
    const auto other = urls.find(registrar);
    auto desk = visit(*client, other == urls.end() ? options.server : other->second, *election,
                      registrar, codes);
    if (!desk.has_value()) {
      return within(registrar_name(manifest, registrar), desk.error());
    }
    desks.push_back(*std::move(desk));
  }
  PSEPHOS_CHECK_OK(check_apart(desks));
  std::vector<SecretBuffer> bearers;
  for (const Desk& desk : desks) {
    if (auto asked =
            ask(context, options, desk, *election, *client, mixups(desks), bearers, wallet);
        !asked.has_value()) {
      return within(desk.name, asked.error());
    }
    PSEPHOS_CHECK_OK(save(context, options, opened));
    if (!context.json) {
      std::printf("%s has signed\n", desk.name.c_str());
    }
  }
  if (context.json) {
    print_json({{"complete", true},
                {"election", hex(election->id())},
                {"style", manifest.styles[wallet.style()].id},
                {"signed", missing}});
  } else {
    std::printf("the credential is complete\n");
  }
  return kExitOk;
}

Result<int> send_online(Context& context, Decision decision, const VoterOptions& options) {
  PSEPHOS_CHECK_OK(here(context, options));
  // Whoever casts waits for no busy server.
  std::optional<Link> link;
  if (!options.offline) {
    Patience patience;
    patience.max_waits = 0;
    PSEPHOS_TRY(link, make_link(options, std::move(patience)));
  }
  const runtime::DirectoryRecord record(options.record);
  PSEPHOS_TRY(const auto election, load_open_election(context, record, Polls::may_open_later));
  PSEPHOS_TRY(OpenWallet opened, open_wallet(context, options, *election));
  Wallet& wallet = opened.wallet;
  PSEPHOS_CHECK_OK(in_file(options.wallet, decision == Decision::challenge
                                               ? wallet.challenge(*election, context.random)
                                               : wallet.cast(*election, context.random)));
  // From here on it is to be sent, whatever happens.
  PSEPHOS_CHECK_OK(save(context, options, opened));
  if (link.has_value()) {
    return send_waiting(context, options, *election, opened, *link);
  }
  const auto waiting = static_cast<std::size_t>(
      std::ranges::count(wallet.sent(), Wallet::Answer::none, &Wallet::Sent::answer));
  if (context.json) {
    print_json({{"sent", false}, {"waiting", waiting}});
  } else {
    std::printf("%s\n", kept_words(options, waiting).c_str());
  }
  return kExitOk;
}

Result<int> sync(Context& context, const VoterOptions& options) {
  PSEPHOS_TRY(const auto election, here(context, options));
  Patience patience;
  patience.max_waits = kWaits;
  PSEPHOS_TRY(const Link link, make_link(options, std::move(patience)));
  PSEPHOS_TRY(OpenWallet opened, open_wallet(context, options, *election));
  PSEPHOS_TRY(const int code, send_waiting(context, options, *election, opened, link));
  if (const auto updated = update(context, options, link.server, election->id());
      !updated.has_value()) {
    if (updated.error().code != Errc::environment) {
      return std::unexpected(updated.error());
    }
    complain("psephos " + context.command + ": the record is not brought up to date: " +
             printable(updated.error().message) + "\n");
  }
  return code;
}

Result<int> track_online(Context& context, const VoterOptions& options) {
  PSEPHOS_TRY(const auto election, here(context, options));
  PSEPHOS_TRY(const Link link, make_link(options, {}));
  PSEPHOS_CHECK_OK(update(context, options, link.server, election->id()));
  return options.code.empty() ? track_wallet(context, options, *election, *link.client, link.server)
                              : track_code(context, options, *election, *link.client, link.server);
}

}  // namespace psephos::cli
