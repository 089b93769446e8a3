#include "src/server/registrar_service.h"

#include <algorithm>
#include <set>
#include <shared_mutex>
#include <utility>

#include "psephos/secret.h"

#include "src/csv/csv.h"

namespace psephos::server {

namespace {

using protocol::EnrolmentRequest;
using protocol::Issuance;
using protocol::Registrar;
using Outcome = RegistrarObserver::Outcome;
using Phase = protocol::MainLog::Phase;
using Reason = EnrolmentRefused::Reason;

constexpr std::chrono::seconds kSoon{1};
constexpr std::chrono::seconds kLater{10};
constexpr std::chrono::milliseconds kBetweenRecoveries{500};
constexpr std::size_t kMaxVoterBytes = 256;
constexpr std::size_t kMaxCodeBytes = 256;

bool issues_in(Phase phase) { return phase == Phase::opened || phase == Phase::voting; }

bool plain_text(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

EnrolmentAnswer refuse(Reason reason, std::string message) {
  return EnrolmentRefused{.reason = reason, .message = std::move(message)};
}

}  // namespace

sign_in::TokenRules token_rules(const OidcConfig& oidc) {
  sign_in::TokenRules rules = sign_in::bearer_rules(
      oidc.issuer, {.client_id = oidc.client_id, .scope = oidc.scope, .resource = oidc.resource});
  rules.voter_claim = oidc.claim;
  rules.leeway = std::chrono::duration_cast<std::chrono::seconds>(oidc.leeway);
  return rules;
}

RegistrarService::RegistrarService(Options options, std::shared_ptr<ElectionRecord> record,
                                   Registrar keys, std::optional<SignIn> sign_in,
                                   RegistrarObserver& observer)
    : options_(std::move(options)),
      record_(std::move(record)),
      keys_(std::move(keys)),
      sign_in_(std::move(sign_in)),
      observer_(observer),
      incoming_(options_.queue),
      signed_(0) {}

Result<std::unique_ptr<RegistrarService>> RegistrarService::open(
    Options options, std::shared_ptr<ElectionRecord> record, Registrar keys,
    std::optional<SignIn> sign_in, RegistrarObserver& observer) {
  const protocol::Election& election = *record->election();
  PSEPHOS_TRY(const auto signer, keys.log_signer(election.manifest()));
  PSEPHOS_CHECK_OK(keys.serves(election));
  std::unique_ptr<RegistrarService> service(new RegistrarService(
      std::move(options), std::move(record), std::move(keys), std::move(sign_in), observer));
  RegistrarService* const self = service.get();
  PSEPHOS_TRY(
      self->ledger_,
      Ledger::open(
          {.store = self->options_.store,
           .logs = {self->log_name()},
           .export_interval = self->options_.export_interval,
           .empty_log =
               [signer](const std::string& log) { return protocol::Log::create(log, *signer); },
           .rebuild = [self](store::SqliteStore& store) { return self->rebuild(store); },
           .on_store = [&observer](const Error* e) { observer.on_registrar_store(e); },
           .on_export = [&observer](const Error* e) { observer.on_registrar_export(e); },
           .on_commit = [&observer](double s) { observer.on_registrar_commit(s); }},
          self->record_));
  // A list that was lost admits nobody; those who are there are served.
  if (const auto followed = self->follow(*self->record_->main_log()); !followed.has_value()) {
    observer.on_registrar_store(&followed.error());
  }
  return service;
}

RegistrarService::~RegistrarService() { finish(); }

Result<Ledger::Install> RegistrarService::rebuild(store::SqliteStore& store) {
  const protocol::Manifest& manifest = record_->manifest();
  protocol::IssuanceState state(manifest);
  const auto fold = [&](std::uint64_t index, ByteView payload) -> Result<void> {
    const std::string place = protocol::entry_place(log_name(), index);
    const auto issuance = Issuance::decode(payload, manifest);
    if (!issuance.has_value()) {
      return within(place, issuance.error());
    }
    if (auto taken = state.append(*issuance); !taken.has_value()) {
      taken.error().place = place;
      return std::unexpected(protocol::to_error(taken.error()));
    }
    return {};
  };
  PSEPHOS_TRY(auto signer, keys_.log_signer(manifest));
  PSEPHOS_TRY(protocol::Log log, protocol::Log::open(store, log_name(), std::move(signer), fold));
  return [this, state = std::move(state), log = std::move(log)]() mutable {
    state_.emplace(std::move(state));
    log_.emplace(std::move(log));
  };
}

void RegistrarService::start() {
  for (std::size_t i = 0; i < options_.threads; ++i) {
    signers_.emplace_back([this] { sign(); });
  }
  sequencer_ = std::jthread([this] { sequence(); });
  ledger_->start();
}

void RegistrarService::finish() {
  if (finished_.exchange(true)) {
    return;
  }
  incoming_.close();
  signers_.clear();  // joins: everything is signed
  signed_.close();
  sequencer_ = {};
  if (ledger_ != nullptr) {
    ledger_->finish();
  }
}

void RegistrarService::submit(Bytes request, std::optional<std::string> bearer,
                              AnswerEnrolment answer) {
  Waiting waiting{.request = std::move(request),
                  .bearer = std::move(bearer),
                  .answer = std::move(answer),
                  .since = Clock::now()};
  const Phase phase = record_->phase();
  if (!issues_in(phase) || !ledger_->admit()) {
    observer_.on_issuance(Outcome::unavailable, 0);
    waiting.answer(EnrolmentNotNow{.reason = issues_in(phase)
                                                 ? "credentials are not issued at the moment"
                                                 : "the polls are closed",
                                   .again = kLater});
    return;
  }
  if (!ledger_->healthy()) {
    give(std::move(waiting),
         EnrolmentNotNow{.reason = "issuances cannot be stored at the moment; send the same again",
                         .again = kLater},
         Outcome::unavailable);
  } else if (signed_.size() >= options_.queue || !incoming_.push(waiting)) {
    // What is signed waits, too, while a commit hangs.
    give(std::move(waiting),
         EnrolmentNotNow{.reason = "too many requests are waiting; send the same again",
                         .again = kSoon},
         Outcome::shed);
  }
}

void RegistrarService::give(Waiting waiting, EnrolmentAnswer answer, Outcome outcome) {
  waiting.answer(std::move(answer));
  observer_.on_issuance(outcome,
                        std::chrono::duration<double>(Clock::now() - waiting.since).count());
  ledger_->settle();
}

void RegistrarService::sign() {
  while (true) {
    std::vector<Waiting> batch = incoming_.pop(1);
    if (batch.empty()) {
      return;
    }
    Waiting& waiting = batch.front();
    auto judged = judge(waiting);
    if (!judged.has_value()) {
      const bool later = std::holds_alternative<EnrolmentNotNow>(judged.error());
      give(std::move(waiting), std::move(judged.error()),
           later ? Outcome::unavailable : Outcome::refused);
      continue;
    }
    std::vector<Signed> one;
    one.push_back({.waiting = std::move(waiting), .judged = *std::move(judged)});
    signed_.push_all(std::move(one));
  }
}

RegistrarService::Identified RegistrarService::identify(EnrolmentRequest& request,
                                                        const std::optional<std::string>& bearer) {
  if (bearer.has_value()) {
    if (!sign_in_.has_value()) {
      return std::unexpected(
          refuse(Reason::not_identified, "this registrar takes no sign-in, but one-time codes"));
    }
    // An ID token is good for this request alone: nobody it was shown to can have anything else
    // signed with it, here or by another registrar.
    sign_in::TokenRules rules = sign_in_->rules;
    rules.nonce = request.sign_in_nonce();
    const auto claims = sign_in_->provider->verify(*bearer, rules, options_.now());
    if (!claims.has_value()) {
      if (claims.error().code == Errc::environment) {
        observer_.on_identity_provider(&claims.error());
        return std::unexpected(EnrolmentNotNow{
            .reason = "the identity provider cannot be asked at the moment", .again = kLater});
      }
      return std::unexpected(refuse(Reason::not_identified, claims.error().message));
    }
    if (!request.voter.empty() && request.voter != claims->voter) {
      return std::unexpected(
          refuse(Reason::not_identified, "the sign-in is not that of the request's voter"));
    }
    observer_.on_identity_provider(nullptr);
    request.voter = claims->voter;
  } else if (!options_.codes) {
    return std::unexpected(
        refuse(Reason::not_identified, "sign in first: this registrar takes no one-time codes"));
  }
  const std::shared_lock lock(ledger_->mutex());
  const auto found = [&]() -> Result<std::optional<store::RollVoter>> {
    PSEPHOS_TRY(store::SqliteStore* const store, ledger_->store());
    return store::RollStore(*store).find(request.voter);
  }();
  if (!found.has_value()) {
    return std::unexpected(EnrolmentNotNow{
        .reason = "the roll cannot be read at the moment; send the same again", .again = kLater});
  }
  // One message, and the same work, for whatever does not fit: a stranger learns nothing of the
  // roll.
  const Digest32 shown = keys_.code_digest(record_->election()->id(), request.voter, request.code);
  const bool on_roll = found->has_value() && (*found)->active;
  const bool same_code =
      on_roll && (*found)->code_hash.has_value() && ct_equal(*(*found)->code_hash, shown);
  if (!on_roll || (!bearer.has_value() && !same_code)) {
    return std::unexpected(
        refuse(Reason::not_admitted,
               "not on the roll with this voter id, code and ballot style; check all three"));
  }
  return (*found)->style;
}

std::expected<RegistrarService::Judged, EnrolmentAnswer> RegistrarService::judge(
    const Waiting& waiting) {
  auto request = EnrolmentRequest::decode(waiting.request, record_->manifest());
  if (!request.has_value()) {
    return std::unexpected(refuse(Reason::malformed, request.error().message));
  }
  const Identified style = identify(*request, waiting.bearer);
  if (!style.has_value()) {
    return std::unexpected(style.error());
  }
  std::optional<Issuance> before;
  {
    const std::shared_lock lock(ledger_->mutex());
    if (const Issuance* found =
            state_->find(keys_.pseudonym(record_->election()->id(), request->voter))) {
      before = *found;
    }
  }
  auto answer = keys_.issue_to(*record_->election(), *style,
                               before.has_value() ? &*before : nullptr, *request);
  if (answer.has_value()) {
    const bool first = answer->issuance.has_value();
    // What it repeats may just be on its way to the store: the sequencer looks again.
    return Judged{.response = std::move(answer->response),
                  .issuance = first ? *std::move(answer->issuance) : *before,
                  .first = first};
  }
  switch (answer.error().code) {
    case Errc::environment:
      return std::unexpected(EnrolmentNotNow{
          .reason = "the credential could not be signed; send the same again", .again = kLater});
    case Errc::rejected:
      return std::unexpected(refuse(Reason::not_admitted, answer.error().message));
    case Errc::misuse:
      return std::unexpected(refuse(Reason::answered, answer.error().message));
    case Errc::malformed:
      break;
  }
  return std::unexpected(refuse(Reason::malformed, answer.error().message));
}

void RegistrarService::sequence() {
  while (!signed_.closed()) {
    // It looks after the store also when nobody asks: others may have found that it failed.
    std::vector<Signed> batch = signed_.pop(~std::size_t{0}, kBetweenRecoveries);
    if (!ledger_->healthy()) {
      put_off(std::move(batch));
      // A list may have become good in the main log meanwhile, and not in the store.
      if (ledger_->reopen()) {
        if (const auto followed = follow(*record_->main_log()); !followed.has_value()) {
          observer_.on_registrar_store(&followed.error());
        }
      }
    } else if (!batch.empty()) {
      commit(std::move(batch));
    }
  }
}

IssuanceFate fate_of(const protocol::IssuanceState& state, const Issuance& issuance, bool first) {
  if (const Issuance* const before = state.find(issuance.pseudonym)) {
    return *before == issuance ? IssuanceFate::repeated : IssuanceFate::taken;
  }
  return first ? IssuanceFate::stored : IssuanceFate::undone;
}

void RegistrarService::commit(std::vector<Signed> batch) {
  // Of one voter's requests at the same time the first decides.
  std::vector<std::optional<EnrolmentAnswer>> refused(batch.size());
  const auto appended = [&]() -> Result<std::optional<protocol::LogBatch>> {
    const std::lock_guard lock(ledger_->mutex());
    bool any = false;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Issuance& issuance = batch[i].judged.issuance;
      switch (fate_of(*state_, issuance, batch[i].judged.first)) {
        case IssuanceFate::repeated:
          continue;
        case IssuanceFate::taken:
          refused[i] = refuse(Reason::answered,
                              "this voter has got a credential for another blinded message before; "
                              "the wallet that asked first must be used");
          continue;
        case IssuanceFate::undone:
          refused[i] = EnrolmentNotNow{
              .reason = "issuances could not be stored; send the same again", .again = kSoon};
          continue;
        case IssuanceFate::stored:
          break;
      }
      if (const auto taken = state_->append(issuance); !taken.has_value()) {
        refused[i] = refuse(Reason::answered, taken.error().message);
        continue;
      }
      PSEPHOS_CHECK_OK(log_->append(issuance.encode(),
                                    Bytes(issuance.pseudonym.begin(), issuance.pseudonym.end())));
      any = true;
    }
    if (!any) {
      return std::nullopt;
    }
    PSEPHOS_TRY(protocol::LogBatch sealed, log_->seal());
    return std::optional(std::move(sealed));
  }();
  const auto stored = [&]() -> Result<void> {
    if (!appended.has_value()) {
      return std::unexpected(appended.error());
    }
    if (!appended->has_value()) {
      return {};
    }
    PSEPHOS_TRY(store::SqliteStore* const store, ledger_->store());
    return store->commit(std::span(&**appended, 1));
  }();
  if (!stored.has_value()) {
    put_off(std::move(batch));
    ledger_->failed(stored.error());
    return;
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (refused[i].has_value()) {
      const bool later = std::holds_alternative<EnrolmentNotNow>(*refused[i]);
      give(std::move(batch[i].waiting), *std::move(refused[i]),
           later ? Outcome::unavailable : Outcome::refused);
    } else {
      give(std::move(batch[i].waiting), Enrolled{.response = batch[i].judged.response.encode()},
           batch[i].judged.first ? Outcome::issued : Outcome::repeated);
    }
  }
}

void RegistrarService::put_off(std::vector<Signed> batch) {
  for (Signed& one : batch) {
    give(std::move(one.waiting),
         EnrolmentNotNow{.reason = "issuances cannot be stored at the moment; send the same again",
                         .again = kLater},
         Outcome::unavailable);
  }
}

Result<Bytes> RegistrarService::import_roll(Bytes csv) {
  const std::lock_guard importing(import_mutex_);
  if (!issues_in(record_->phase())) {
    return fail(Errc::misuse, "a roll is imported until the polls close");
  }
  const protocol::Manifest& manifest = record_->manifest();
  const Digest32& election = record_->election()->id();
  PSEPHOS_TRY(csv::CsvReader reader, csv::CsvReader::over("roll", std::move(csv)));
  PSEPHOS_TRY(const auto header, reader.next());
  const csv::CsvReader::Row plain = {"voter", "style"};
  const csv::CsvReader::Row coded = {"voter", "style", "code"};
  if (!header.has_value() || (*header != plain && *header != coded)) {
    return fail(Errc::malformed, "roll: the first line must be voter,style or voter,style,code");
  }
  std::vector<store::RollRow> rows;
  std::vector<Registrar::RollRow> announced;
  while (true) {
    PSEPHOS_TRY(const auto row, reader.next());
    if (!row.has_value()) {
      break;
    }
    const std::string place = "roll line " + std::to_string(reader.line());
    if (row->size() != header->size()) {
      return fail(Errc::malformed, place + ": has " + std::to_string(row->size()) +
                                       " fields, not " + std::to_string(header->size()));
    }
    const std::string& voter = row->front();
    if (voter.empty() || voter.size() > kMaxVoterBytes || !plain_text(voter)) {
      return fail(Errc::malformed,
                  place + ": a voter id has 1 to 256 bytes and no control characters");
    }
    const auto style = std::ranges::find(manifest.styles, (*row)[1], &protocol::BallotStyle::id);
    if (style == manifest.styles.end()) {
      return fail(Errc::malformed, place + ": there is no ballot style \"" + (*row)[1] + "\"");
    }
    const auto number = static_cast<std::uint32_t>(style - manifest.styles.begin());
    std::optional<Digest32> code;
    if (row->size() == coded.size()) {
      const std::string& text = (*row)[2];
      if (text.empty() || text.size() > kMaxCodeBytes) {
        return fail(Errc::malformed, place + ": a code has 1 to 256 bytes");
      }
      code = keys_.code_digest(election, voter, text);
    }
    rows.push_back({.voter = voter, .style = number, .code_hash = code, .line = reader.line()});
    announced.push_back({.voter = voter, .style = number});
  }
  // Not beside an extension: the main log must not come to announce a list while it goes.
  return record_->while_open([&] { return store_roll(rows, announced); });
}

Result<Bytes> RegistrarService::store_roll(std::span<const store::RollRow> rows,
                                           std::span<const Registrar::RollRow> announced) {
  const auto main_log = record_->main_log();
  const auto& known = main_log->roll_imports(index());
  PSEPHOS_TRY(const auto stored, imports());
  struct List {
    Bytes message;
    Digest32 digest;
  };
  const auto list_of = [&](std::uint32_t number) -> Result<List> {
    PSEPHOS_TRY(const protocol::Message message,
                keys_.roll_import(*record_->election(), number, announced));
    PSEPHOS_TRY(const auto payload,
                protocol::RollImport::decode(message.payload, record_->manifest()));
    return List{.message = message.encode(), .digest = payload.digest};
  };
  // The next number is that of the main log's imports: one import at a time waits for its entry.
  // Or it is a list of before that was lost: its number and digest are known.
  PSEPHOS_TRY(List list, list_of(static_cast<std::uint32_t>(known.size())));
  for (const protocol::RollImport& import : known) {
    if (std::ranges::find(stored, import.digest, &store::RollImport::digest) == stored.end()) {
      PSEPHOS_TRY(List lost, list_of(import.number));
      if (lost.digest == import.digest) {
        list = std::move(lost);
      }
    }
  }
  const auto import = [&](store::SqliteStore& store) -> Result<void> {
    PSEPHOS_CHECK_OK(store::RollStore(store).import_list(rows, list.digest, list.message));
    return {};
  };
  PSEPHOS_CHECK_OK(ledger_->change(import));
  // Of a list that was lost the message stands in the main log already; others may still be lost.
  if (const auto followed = follow(*main_log); !followed.has_value()) {
    observer_.on_registrar_store(&followed.error());
  }
  return std::move(list.message);
}

Result<std::vector<store::RollImport>> RegistrarService::imports() const {
  const std::shared_lock lock(ledger_->mutex());
  PSEPHOS_TRY(store::SqliteStore* const store, ledger_->store());
  return store::RollStore(*store).imports();
}

Result<void> RegistrarService::follow(const protocol::MainLog& now) {
  PSEPHOS_TRY(const auto stored, imports());
  Result<void> lost;
  for (const protocol::RollImport& import : now.roll_imports(index())) {
    const auto here = std::ranges::find(stored, import.digest, &store::RollImport::digest);
    if (here == stored.end()) {
      lost = fail(Errc::rejected, "the main log announces import " + std::to_string(import.number) +
                                      " of this registrar's roll, which is not in its store: "
                                      "import that list again");
    } else if (!here->active) {
      PSEPHOS_CHECK_OK(ledger_->change([&](store::SqliteStore& store) {
        return store::RollStore(store).activate(import.digest);
      }));
    }
  }
  return lost;
}

Result<void> RegistrarService::may_become(const protocol::MainLog& next) const {
  // What was announced before cannot be undone; open and follow report it.
  const auto& announced = next.roll_imports(index());
  const std::size_t known = record_->main_log()->roll_imports(index()).size();
  if (announced.size() > known) {
    PSEPHOS_TRY(const auto stored, imports());
    for (const protocol::RollImport& import : std::span(announced).subspan(known)) {
      if (std::ranges::find(stored, import.digest, &store::RollImport::digest) == stored.end()) {
        return fail(Errc::misuse, log_name() + ": the store does not have the list of import " +
                                      std::to_string(import.number) +
                                      "; another may have taken its place: import that list again");
      }
    }
  }
  if (!next.close().has_value()) {
    return {};
  }
  const std::shared_lock lock(ledger_->mutex());
  if (!ledger_->at_rest()) {
    return fail(Errc::misuse, log_name() + ": still issues: stop it before the close");
  }
  if (log_->tree() != next.close()->rolls[index()]) {
    return fail(Errc::misuse, log_name() + ": the close names a log of " +
                                  std::to_string(next.close()->rolls[index()].size) +
                                  " entries, this registrar has " + std::to_string(log_->size()) +
                                  "; close over the final logs");
  }
  return {};
}

Result<std::string> RegistrarService::checkpoint() const {
  const std::shared_lock lock(ledger_->mutex());
  PSEPHOS_TRY(const store::SqliteStore* const store, ledger_->store());
  PSEPHOS_TRY(auto checkpoint, store->checkpoint(log_name()));
  return std::move(checkpoint).value_or("");
}

}  // namespace psephos::server
