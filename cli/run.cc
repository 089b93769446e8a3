// `psephos run`: one command plays all roles of an election, from a manifest and plaintext ballots
// to a complete record. For rehearsals, tests and measurements: no secret of a real election is
// made this way, since one process holds all of them. With --synthetic the ballots are drawn at
// random and made as fast as can be.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "psephos/protocol/authority.h"
#include "psephos/protocol/box.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/log_writer.h"
#include "psephos/protocol/record_log_store.h"
#include "psephos/protocol/registrar.h"
#include "psephos/protocol/synthetic.h"
#include "psephos/protocol/trustee.h"
#include "psephos/protocol/wallet.h"

#include "cli/common.h"
#include "cli/json.h"
#include "src/csv/csv.h"

namespace psephos::cli {

namespace {

using csv::CsvReader;
using protocol::Manifest;
using protocol::Message;

struct Options {
  std::string manifest;
  std::string ballots;
  std::string record;
  std::optional<std::uint64_t> limit;      // of ballots
  std::optional<std::uint64_t> synthetic;  // ballots to draw, instead of a file of them
};

// Ballots are handled so many at a time that memory does not grow with their number: windows of
// about this many bytes of entries, and of this many ballots.
constexpr std::size_t kWindowBytes = std::size_t{4} << 20;
constexpr std::size_t kSmallestWindow = 64;
constexpr std::size_t kLargestWindow = 2048;

// PlainBallot is a row of the CSV.
struct PlainBallot {
  std::uint32_t style = 0;
  std::vector<std::string> cells;  // in the order of the style's contests
  std::string place;               // "ballots.csv line 17"
};

// BallotSource reads the CSV: a column for every contest, by id; a column "style" if there is more
// than one style. Other columns are passed over. A cell for a contest the ballot's style does not
// have must be empty.
class BallotSource {
 public:
  static Result<BallotSource> open(const Manifest& manifest, const std::string& path) {
    PSEPHOS_TRY(CsvReader csv, CsvReader::open(path));
    PSEPHOS_TRY(const auto header, csv.next());
    if (!header.has_value()) {
      return fail(Errc::malformed, path + ": is empty");
    }
    std::map<std::string, std::size_t> columns;
    for (std::size_t i = 0; i < header->size(); ++i) {
      if (!columns.emplace((*header)[i], i).second) {
        return fail(Errc::malformed, path + ": two columns are called \"" + (*header)[i] + "\"");
      }
    }
    BallotSource source(manifest, path, std::move(csv));
    for (const protocol::Contest& contest : manifest.contests) {
      const auto column = columns.find(contest.id);
      if (column == columns.end()) {
        return fail(Errc::malformed, path + ": has no column for the contest \"" + contest.id +
                                         "\"; its first line must name the contests by id");
      }
      source.contest_columns_.push_back(column->second);
    }
    if (manifest.num_styles() > 1) {
      const auto column = columns.find("style");
      if (column == columns.end()) {
        return fail(Errc::malformed,
                    path +
                        ": the manifest has several ballot styles; a column \"style\" must name "
                        "each ballot's");
      }
      source.style_column_ = column->second;
    }
    source.num_columns_ = header->size();
    return source;
  }

  // The next rows, at most max; fewer only at the end.
  Result<std::vector<PlainBallot>> next(std::uint64_t max) {
    std::vector<PlainBallot> ballots;
    while (ballots.size() < max) {
      PSEPHOS_TRY(const auto row, csv_.next());
      if (!row.has_value()) {
        break;
      }
      PlainBallot ballot;
      ballot.place = path_ + " line " + std::to_string(csv_.line());
      if (row->size() != num_columns_) {
        return fail(Errc::malformed, ballot.place + ": has " + std::to_string(row->size()) +
                                         " columns, the first line has " +
                                         std::to_string(num_columns_));
      }
      if (style_column_.has_value()) {
        const std::string& style = (*row)[*style_column_];
        const auto found = std::ranges::find(manifest_->styles, style, &protocol::BallotStyle::id);
        if (found == manifest_->styles.end()) {
          return fail(Errc::malformed, ballot.place + ": no ballot style \"" + style + "\"");
        }
        ballot.style = static_cast<std::uint32_t>(found - manifest_->styles.begin());
      }
      for (std::uint32_t contest = 0; contest < manifest_->contests.size(); ++contest) {
        if (!manifest_->has_contest(ballot.style, contest) &&
            !(*row)[contest_columns_[contest]].empty()) {
          return fail(Errc::malformed, ballot.place + ": votes in the contest \"" +
                                           manifest_->contests[contest].id +
                                           "\", which the ballot style \"" +
                                           manifest_->styles[ballot.style].id + "\" does not have");
        }
      }
      for (const std::uint32_t contest : manifest_->styles[ballot.style].contests) {
        ballot.cells.push_back((*row)[contest_columns_[contest]]);
      }
      ballots.push_back(std::move(ballot));
    }
    return ballots;
  }

 private:
  BallotSource(const Manifest& manifest, std::string path, CsvReader csv)
      : manifest_(&manifest), path_(std::move(path)), csv_(std::move(csv)) {}
  const Manifest* manifest_;
  std::string path_;
  CsvReader csv_;
  std::vector<std::size_t> contest_columns_;
  std::optional<std::size_t> style_column_;
  std::size_t num_columns_ = 0;
};

// Stopwatch measures the phases for the summary.
class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// Rehearsal holds every role of one election.
class Rehearsal {
 public:
  Rehearsal(Context& context, const Options& options, Building& building)
      : context_(context),
        options_(options),
        building_(building),
        store_(building.path()),
        executor_(context.threads) {}

  Result<int> run();

 private:
  Result<void> prepare();
  // read_ballots reads and judges the rows once before anything is made: a bad one shows now.
  Result<void> read_ballots();
  Result<void> ceremony();
  Result<void> open_polls();
  Result<void> vote();
  Result<void> vote_window(const std::vector<PlainBallot>& ballots);
  Result<void> vote_synthetic();
  Result<void> vote_synthetic_window(const protocol::SyntheticVoters& voters, std::size_t count);
  // log_issuances takes those of a window: [ballot][registrar]. They are in the logs, durably,
  // after.
  Result<void> log_issuances(std::span<const std::vector<protocol::Issuance>> issuances);
  // cast puts a window's ballots into the box; place(i) is what an error calls the i-th.
  Result<void> cast(std::span<const Bytes> ballots,
                    const std::function<std::string(std::size_t)>& place);
  void recount(std::uint32_t style, std::span<const std::uint32_t> votes);
  Result<void> count();
  // compare_recount: the decrypted totals are those of the plaintext ballots.
  Result<void> compare_recount() const;
  void print_summary() const;

  // say appends a message to the main log, if the fold takes it.
  Result<void> say(const Message& message);
  Result<void> publish() {
    PSEPHOS_CHECK_OK(main_writer_->publish());
    return {};
  }

  Context& context_;
  const Options& options_;
  Building& building_;
  runtime::DirectoryRecord store_;
  runtime::ThreadExecutor executor_;
  std::shared_ptr<const Manifest> manifest_;
  std::optional<protocol::Authority> authority_;
  std::vector<protocol::Trustee> trustees_;
  std::vector<protocol::Registrar> registrars_;
  std::vector<protocol::LogWriter> roll_writers_;
  std::vector<protocol::IssuanceState> issued_;
  std::optional<protocol::BoxKeys> box_keys_;
  std::optional<protocol::RecordLogStore> box_logs_;
  std::optional<protocol::Box> box_;
  std::optional<protocol::LogWriter> main_writer_;
  std::optional<protocol::MainLog> main_log_;
  std::size_t window_ = 0;
  std::uint64_t num_rows_ = 0;     // ballots to take
  std::uint64_t num_ballots_ = 0;  // taken
  // The recount of the plaintext ballots: [style][option of the style].
  std::vector<std::vector<std::uint64_t>> recount_;
  protocol::ElectionResult result_;
  struct Lap {
    const char* key;
    std::string words;
    double seconds;
  };
  Stopwatch watch_;
  std::vector<Lap> laps_;
};

Result<void> Rehearsal::say(const Message& message) {
  if (auto taken = main_log_->append(message); !taken.has_value()) {
    return std::unexpected(protocol::to_error(taken.error()));
  }
  PSEPHOS_CHECK_OK(main_writer_->append(message.encode()));
  return {};
}

Result<void> Rehearsal::prepare() {
  PSEPHOS_TRY(manifest_, read_manifest(options_.manifest));
  PSEPHOS_CHECK_OK(require_no_witnesses(options_.manifest, *manifest_));
  std::size_t entry_size = 0;
  for (std::uint32_t s = 0; s < manifest_->num_styles(); ++s) {
    recount_.emplace_back(manifest_->styles[s].form.num_options());
    entry_size = std::max(entry_size, manifest_->ballot_entry_size(s));
  }
  window_ = std::clamp(kWindowBytes / entry_size, kSmallestWindow, kLargestWindow);
  if (options_.synthetic.has_value()) {
    num_rows_ = *options_.synthetic;
    if (num_rows_ > manifest_->voters) {
      return fail(Errc::misuse, "--synthetic " + std::to_string(num_rows_) +
                                    ": the manifest has only " + std::to_string(manifest_->voters) +
                                    " voters");
    }
    return {};
  }
  return read_ballots();
}

Result<void> Rehearsal::read_ballots() {
  PSEPHOS_TRY(BallotSource source, BallotSource::open(*manifest_, options_.ballots));
  const std::uint64_t limit = options_.limit.value_or(std::numeric_limits<std::uint64_t>::max());
  while (num_rows_ < limit) {
    PSEPHOS_TRY(const auto ballots,
                source.next(std::min<std::uint64_t>(window_, limit - num_rows_)));
    if (ballots.empty()) {
      break;
    }
    for (const PlainBallot& ballot : ballots) {
      if (num_rows_ == manifest_->voters) {
        return fail(Errc::malformed, ballot.place + ": more ballots than the manifest's voters, " +
                                         std::to_string(manifest_->voters));
      }
      PSEPHOS_CHECK_OK(
          in_file(ballot.place, protocol::parse_votes(*manifest_, ballot.style, ballot.cells)));
      ++num_rows_;
    }
  }
  return {};
}

Result<void> Rehearsal::ceremony() {
  PSEPHOS_CHECK_OK(store_.write("manifest.json", manifest_->file));
  authority_ = protocol::Authority::create(context_.random);
  std::vector<protocol::TrusteeKeys> keys;
  for (std::uint32_t i = 1; i <= manifest_->num_trustees(); ++i) {
    PSEPHOS_TRY(protocol::Trustee trustee,
                protocol::Trustee::create(*manifest_, i, context_.random));
    keys.push_back(trustee.public_keys());
    trustees_.push_back(std::move(trustee));
  }
  PSEPHOS_TRY(auto signer, authority_->main_log_signer(*manifest_));
  PSEPHOS_TRY(main_writer_,
              protocol::LogWriter::create(store_, Manifest::main_log(), std::move(signer)));
  main_log_.emplace(manifest_, context_.evaluator);
  PSEPHOS_CHECK_OK(say(authority_->roster(*manifest_, std::move(keys))));

  const auto round = [&](const auto& message_of) -> Result<void> {
    // Every trustee speaks about the state before the round's first message.
    std::vector<Message> messages;
    for (protocol::Trustee& trustee : trustees_) {
      PSEPHOS_TRY(Message message, message_of(trustee, *main_log_->ceremony()));
      messages.push_back(std::move(message));
    }
    for (const Message& message : messages) {
      PSEPHOS_CHECK_OK(say(message));
    }
    return {};
  };
  using protocol::Ceremony;
  using protocol::Trustee;
  PSEPHOS_CHECK_OK(round([&](Trustee& t, const Ceremony& c) { return t.commit(*manifest_, c); }));
  PSEPHOS_CHECK_OK(round([&](Trustee& t, const Ceremony& c) { return t.reveal(*manifest_, c); }));
  PSEPHOS_CHECK_OK(round(
      [&](Trustee& t, const Ceremony& c) { return t.shares(*manifest_, c, context_.random); }));
  PSEPHOS_CHECK_OK(round(
      [&](Trustee& t, const Ceremony& c) { return t.confirm(*manifest_, c, context_.random); }));
  return publish();
}

Result<void> Rehearsal::open_polls() {
  std::vector<crypto::Ed25519PublicKey> registrar_logs;
  for (std::uint32_t r = 0; r < manifest_->num_registrars(); ++r) {
    PSEPHOS_TRY(
        protocol::Registrar registrar,
        protocol::Registrar::create(
            *manifest_, r, context_.random, executor_,
            options_.synthetic.has_value() ? crypto::RsaPrimes::three : crypto::RsaPrimes::two));
    registrar_logs.push_back(registrar.log_key());
    for (const Message& message : registrar.credential_keys(*manifest_)) {
      PSEPHOS_CHECK_OK(say(message));
    }
    PSEPHOS_TRY(auto signer, registrar.log_signer(*manifest_));
    PSEPHOS_TRY(auto writer,
                protocol::LogWriter::create(store_, Manifest::roll_log(r), std::move(signer)));
    roll_writers_.push_back(std::move(writer));
    registrars_.push_back(std::move(registrar));
    issued_.emplace_back(*manifest_);
  }
  box_keys_ = protocol::BoxKeys::create(*manifest_, context_.random);
  PSEPHOS_TRY(const Message opening,
              authority_->opening(*main_log_, registrar_logs, box_keys_->public_keys()));
  PSEPHOS_CHECK_OK(say(opening));
  PSEPHOS_CHECK_OK(say(authority_->open(*main_log_->election())));
  for (protocol::Registrar& registrar : registrars_) {
    PSEPHOS_CHECK_OK(registrar.start(*main_log_->election()));
  }
  PSEPHOS_CHECK_OK(box_keys_->start(*main_log_->election()));
  box_logs_.emplace(store_, *main_log_->election());
  const auto shards = protocol::all_shards(*manifest_);
  PSEPHOS_TRY(const auto empty,
              protocol::Box::empty_logs(*main_log_->election(), *box_keys_, shards));
  PSEPHOS_CHECK_OK(box_logs_->commit(empty));
  PSEPHOS_TRY(box_, protocol::Box::open(main_log_->election(), *box_logs_, *box_keys_, shards));
  return publish();
}

Result<void> Rehearsal::vote_window(const std::vector<PlainBallot>& ballots) {
  const protocol::Election& election = *main_log_->election();
  struct Voter {
    std::optional<protocol::Wallet> wallet;
    std::vector<protocol::Registrar::Answer> answers;
    Bytes entry;
    Result<void> outcome;
  };
  std::vector<Voter> voters(ballots.size());
  // A roll of this window's voters, each with a code of its own.
  protocol::Roll roll;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < ballots.size(); ++i) {
    names.push_back("voter-" + std::to_string(num_ballots_ + i));
    std::array<std::uint8_t, 16> code;
    context_.random.fill(code);
    roll[names.back()] = {ballots[i].style, hex(code)};
  }
  const auto each = [&](const std::function<Result<void>(std::size_t)>& work) -> Result<void> {
    executor_.run(voters.size(), [&](std::size_t i) { voters[i].outcome = work(i); });
    for (std::size_t i = 0; i < voters.size(); ++i) {
      if (!voters[i].outcome.has_value()) {
        return within(ballots[i].place, voters[i].outcome.error());
      }
    }
    return {};
  };

  const auto enrol = [&](std::size_t i) -> Result<void> {
    PSEPHOS_TRY(voters[i].wallet,
                protocol::Wallet::create(election, ballots[i].style, context_.random));
    for (std::uint32_t r = 0; r < registrars_.size(); ++r) {
      PSEPHOS_TRY(
          const auto request,
          voters[i].wallet->request(election, r, names[i], roll[names[i]].code, context_.random));
      PSEPHOS_TRY(auto answer, registrars_[r].issue(election, roll, issued_[r], request));
      voters[i].answers.push_back(std::move(answer));
    }
    return {};
  };
  PSEPHOS_CHECK_OK(each(enrol));
  std::vector<std::vector<protocol::Issuance>> issuances(voters.size());
  for (std::size_t i = 0; i < voters.size(); ++i) {
    for (const auto& answer : voters[i].answers) {
      PSEPHOS_CHECK(answer.issuance.has_value());  // every voter of a run is new
      issuances[i].push_back(*answer.issuance);
    }
  }
  PSEPHOS_CHECK_OK(log_issuances(issuances));  // durable before any answer is used
  std::vector<std::vector<std::uint32_t>> plain(ballots.size());
  const auto encrypt = [&](std::size_t i) -> Result<void> {
    protocol::Wallet& wallet = *voters[i].wallet;
    for (const auto& answer : voters[i].answers) {
      PSEPHOS_CHECK_OK(wallet.receive(election, answer.response));
    }
    PSEPHOS_TRY(auto votes, protocol::parse_votes(*manifest_, ballots[i].style, ballots[i].cells));
    plain[i].assign(votes.expose_secret().begin(), votes.expose_secret().end());
    PSEPHOS_CHECK_OK(wallet.prepare(election, std::move(votes), context_.random));
    PSEPHOS_TRY(voters[i].entry, wallet.cast(election, context_.random));
    return {};
  };
  PSEPHOS_CHECK_OK(each(encrypt));
  std::vector<Bytes> entries;
  entries.reserve(voters.size());
  for (std::size_t i = 0; i < ballots.size(); ++i) {
    recount(ballots[i].style, plain[i]);
    entries.push_back(std::move(voters[i].entry));
  }
  return cast(entries, [&](std::size_t i) { return ballots[i].place; });
}

Result<void> Rehearsal::log_issuances(std::span<const std::vector<protocol::Issuance>> issuances) {
  for (std::uint32_t r = 0; r < registrars_.size(); ++r) {
    for (const std::vector<protocol::Issuance>& of_voter : issuances) {
      if (auto taken = issued_[r].append(of_voter[r]); !taken.has_value()) {
        return std::unexpected(protocol::to_error(taken.error()));
      }
      PSEPHOS_CHECK_OK(roll_writers_[r].append(of_voter[r].encode()));
    }
    PSEPHOS_CHECK_OK(roll_writers_[r].publish());
  }
  return {};
}

Result<void> Rehearsal::cast(std::span<const Bytes> ballots,
                             const std::function<std::string(std::size_t)>& place) {
  PSEPHOS_TRY(const auto outcomes,
              protocol::accept(*box_, *main_log_->election(), *box_logs_, ballots,
                               context_.evaluator, executor_, context_.random));
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].has_value()) {
      return within(place(i), protocol::to_error(outcomes[i].error()));
    }
  }
  num_ballots_ += ballots.size();
  return {};
}

void Rehearsal::recount(std::uint32_t style, std::span<const std::uint32_t> votes) {
  for (std::size_t option = 0; option < votes.size(); ++option) {
    recount_[style][option] += votes[option];
  }
}

Result<void> Rehearsal::vote_synthetic_window(const protocol::SyntheticVoters& voters,
                                              std::size_t count) {
  struct Made {
    std::uint32_t style = 0;
    std::vector<std::uint32_t> plain;
    Result<protocol::SyntheticVoters::Vote> vote = fail(Errc::misuse, "not made");
  };
  std::vector<Made> made(count);
  const auto place = [&](std::size_t i) {
    return "ballot " + std::to_string(num_ballots_ + i + 1);
  };
  executor_.run(count, [&](std::size_t i) {
    made[i].style = static_cast<std::uint32_t>(context_.random.below(manifest_->num_styles()));
    auto votes = protocol::random_votes(manifest_->styles[made[i].style].form, context_.random);
    made[i].plain.assign(votes.expose_secret().begin(), votes.expose_secret().end());
    made[i].vote = voters.vote(place(i), made[i].style, std::move(votes), context_.random);
  });
  std::vector<std::vector<protocol::Issuance>> issuances;
  std::vector<Bytes> ballots;
  for (std::size_t i = 0; i < count; ++i) {
    if (!made[i].vote.has_value()) {
      return within(place(i), made[i].vote.error());
    }
    recount(made[i].style, made[i].plain);
    issuances.push_back(std::move(made[i].vote->issuances));
    ballots.push_back(std::move(made[i].vote->ballot));
  }
  PSEPHOS_CHECK_OK(log_issuances(issuances));
  return cast(ballots, place);
}

Result<void> Rehearsal::vote_synthetic() {
  const protocol::SyntheticVoters voters(main_log_->election(), registrars_);
  ProgressLine progress("voting");
  while (num_ballots_ < num_rows_) {
    PSEPHOS_CHECK_OK(
        vote_synthetic_window(voters, std::min<std::uint64_t>(window_, num_rows_ - num_ballots_)));
    progress.update(num_ballots_, num_rows_);
  }
  return {};
}

Result<void> Rehearsal::vote() {
  PSEPHOS_TRY(BallotSource source, BallotSource::open(*manifest_, options_.ballots));
  ProgressLine progress("voting");
  while (num_ballots_ < num_rows_) {
    PSEPHOS_TRY(const auto ballots,
                source.next(std::min<std::uint64_t>(window_, num_rows_ - num_ballots_)));
    if (ballots.empty()) {
      return fail(Errc::environment, options_.ballots + ": became shorter while it was read");
    }
    PSEPHOS_CHECK_OK(vote_window(ballots));
    progress.update(num_ballots_, num_rows_);
  }
  return {};
}

Result<void> Rehearsal::count() {
  const protocol::Election& election = *main_log_->election();
  protocol::Close close;
  for (std::uint32_t s = 0; s < manifest_->shards; ++s) {
    const std::string log = Manifest::box_log(s);
    PSEPHOS_TRY(const auto reader,
                protocol::LogReader::open(store_, log, manifest_->log_origin(log)));
    close.boxes.push_back(reader.tree());
  }
  for (std::uint32_t r = 0; r < manifest_->num_registrars(); ++r) {
    const std::string log = Manifest::roll_log(r);
    PSEPHOS_TRY(const auto reader,
                protocol::LogReader::open(store_, log, manifest_->log_origin(log)));
    close.rolls.push_back(reader.tree());
  }
  PSEPHOS_CHECK_OK(say(authority_->close(election, close)));
  PSEPHOS_CHECK_OK(publish());

  // One audit serves the authority and every trustee: they are one process here, and share what it
  // reads.
  const auto audit = [&]() -> Result<protocol::AuditedBallots> {
    ProgressLine progress("auditing before the tally");
    return protocol::audit_ballots({.record = store_,
                                    .evaluator = context_.evaluator,
                                    .executor = executor_,
                                    .receipts = {},
                                    .checkpoints = {},
                                    .progress = progress.callback()});
  };
  PSEPHOS_TRY(protocol::AuditedBallots audited, audit());
  const std::vector<Message> tallies = authority_->tallies(audited);
  for (const Message& tally : tallies) {
    PSEPHOS_CHECK_OK(say(tally));
  }
  PSEPHOS_CHECK_OK(publish());
  PSEPHOS_TRY(audited, audited.with_tallies(tallies));
  laps_.push_back({"audit", "audit before the tally", watch_.lap()});

  for (std::uint32_t k = 0; k < main_log_->tallies().size(); ++k) {
    for (protocol::Trustee& trustee : trustees_) {
      PSEPHOS_TRY(const Message decryption, trustee.decrypt(audited, k, context_.random));
      PSEPHOS_CHECK_OK(say(decryption));
    }
  }
  PSEPHOS_TRY(const auto results, authority_->results(*main_log_));
  for (const Message& message : results) {
    PSEPHOS_CHECK_OK(say(message));
  }
  PSEPHOS_CHECK_OK(publish());
  PSEPHOS_TRY(result_, protocol::election_result(*main_log_, audited.aggregate().counted()));
  PSEPHOS_CHECK_OK(
      store_.write("result.json", as_bytes(protocol::result_json(*manifest_, result_))));
  return store_.write("result.csv", as_bytes(protocol::result_csv(*manifest_, result_)));
}

Result<void> Rehearsal::compare_recount() const {
  for (std::uint32_t c = 0; c < manifest_->contests.size(); ++c) {
    for (const protocol::OpenedUnit& unit : result_.contests[c]) {
      std::vector<std::uint64_t> plain(unit.totals.size());
      for (const std::uint32_t style : unit.styles) {
        const std::size_t first = manifest_->first_option(style, c);
        for (std::size_t o = 0; o < plain.size(); ++o) {
          plain[o] += recount_[style][first + o];
        }
      }
      if (plain != unit.totals) {
        return fail(Errc::rejected, "contest \"" + manifest_->contests[c].id +
                                        "\": the decrypted totals differ from a recount of the "
                                        "plaintext ballots");
      }
    }
  }
  return {};
}

void Rehearsal::print_summary() const {
  if (context_.json) {
    Json json;
    json["record"] = options_.record;
    json["election"] = hex(result_.election_id);
    json["ballots"] = num_ballots_;
    json["recount_equal"] = true;  // compare_recount has returned
    for (const Lap& lap : laps_) {
      json["seconds"][lap.key] = lap.seconds;
    }
    json["result"] = Json::parse(protocol::result_json(*manifest_, result_));
    print_json(json);
    return;
  }
  std::printf("%s\nId: %s\n", manifest_->title.c_str(), hex(result_.election_id).c_str());
  for (std::size_t c = 0; c < result_.contests.size(); ++c) {
    const protocol::Contest& contest = manifest_->contests[c];
    std::printf("\n%s\n", contest.title.c_str());
    if (result_.contests[c].empty()) {
      std::printf("  withheld: fewer than %u ballots\n", manifest_->tally_minimum);
    }
    for (const protocol::OpenedUnit& unit : result_.contests[c]) {
      std::string styles;
      for (const std::uint32_t style : unit.styles) {
        styles += (styles.empty() ? "" : ", ") + manifest_->styles[style].id;
      }
      std::printf("  %llu ballots (%s)\n", static_cast<unsigned long long>(unit.counted),
                  styles.c_str());
      for (std::size_t o = 0; o < unit.totals.size(); ++o) {
        std::printf("  %10llu  %s\n", static_cast<unsigned long long>(unit.totals[o]),
                    contest.options[o].c_str());
      }
    }
  }
  std::printf("\nThe decrypted totals equal a recount of the plaintext ballots.\n");
  for (const Lap& lap : laps_) {
    std::printf("%9.2f s  %s\n", lap.seconds, lap.words.c_str());
  }
  std::printf("Record: %s\n", options_.record.c_str());
}

Result<int> Rehearsal::run() {
  PSEPHOS_CHECK_OK(prepare());
  watch_.lap();
  PSEPHOS_CHECK_OK(ceremony());
  PSEPHOS_CHECK_OK(open_polls());
  laps_.push_back({"setup", "key ceremony, registrars' keys, opening", watch_.lap()});
  PSEPHOS_CHECK_OK(options_.synthetic.has_value() ? vote_synthetic() : vote());
  // What was kept to judge the next ballot; the audit makes its own.
  box_.reset();
  issued_.clear();
  laps_.push_back({"voting",
                   "enrolment, encryption, box (" + std::to_string(num_ballots_) + " ballots)",
                   watch_.lap()});
  PSEPHOS_CHECK_OK(count());
  laps_.push_back({"tally", "decryption and result", watch_.lap()});
  PSEPHOS_CHECK_OK(compare_recount());
  PSEPHOS_CHECK_OK(building_.finish());
  print_summary();
  return kExitOk;
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "run", "Rehearse a whole election: play all roles, from a manifest and ballots");
  const auto number = [](const std::string& text) {
    const bool good = text.find_first_not_of("0123456789") == std::string::npos &&
                      text.find_first_not_of('0') != std::string::npos;
    return good ? "" : "must be a number, 1 or more";
  };
  command->add_option("MANIFEST", options->manifest, "the manifest")->required();
  command->add_option(
      "BALLOTS", options->ballots,
      "CSV with a column per contest, named by its id: `7`, `1|4|9`, `3:5|8:2` or empty;\n"
      "and a column `style` with each ballot's style, if there are several.\n"
      "Not with --synthetic");
  CLI::Option* record_option =
      command
          ->add_option("RECORD", options->record, "directory to make the record in; new or empty")
          ->required();
  CLI::Option* limit =
      command->add_option("--limit", options->limit, "take only so many ballots from the CSV")
          ->type_name("N")
          ->check(number);
  // The word after MANIFEST is taken for BALLOTS first: RECORD is asked for only when the options
  // are known.
  command
      ->add_option("--synthetic", options->synthetic,
                   "draw N ballots at random instead of reading them, and make them fast:\n"
                   "to measure with")
      ->type_name("N")
      ->check(number)
      ->excludes(limit)
      ->each([record_option](const std::string&) { record_option->required(false); });
  command->footer(
      "All keys are made in memory and gone at the end: for rehearsals, tests and measurements. A\n"
      "record made role by role has the same form. All ballots are read and judged first; RECORD\n"
      "appears when it is complete.\n"
      "Example: psephos run examples/ballina2015/manifest.json examples/ballina2015/ballots.csv "
      "out\n"
      "         psephos run manifest.json --synthetic 100000 out");
  bind(*command, context, [options, &context]() -> Result<int> {
    if (options->synthetic.has_value()) {
      if (options->ballots.empty() || !options->record.empty()) {
        return fail(Errc::misuse, options->ballots.empty()
                                      ? "RECORD is required"
                                      : "--synthetic draws the ballots itself: leave out BALLOTS");
      }
      options->record = std::exchange(options->ballots, {});
    }
    PSEPHOS_TRY(const fs::path record, new_directory(options->record));
    Building building(record);
    return Rehearsal(context, *options, building).run();
  });
}

}  // namespace psephos::cli
