// A registrar of one election, at work: finds out who asks, signs one credential for each voter,
// and answers when the issuance is durable.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "psephos/protocol/log.h"
#include "psephos/protocol/registrar.h"
#include "psephos/sign_in/provider.h"
#include "psephos/sign_in/token.h"

#include "src/server/batch_queue.h"
#include "src/server/config.h"
#include "src/server/election_record.h"
#include "src/server/ledger.h"
#include "src/store/roll_store.h"
#include "src/store/sqlite_store.h"

namespace psephos::server {

// What an enrolment request is answered with.
struct Enrolled {
  Bytes response;  // an EnrolmentResponse
};
struct EnrolmentRefused {
  enum class Reason : std::uint8_t {
    malformed,       // no request of this election
    not_identified,  // the token is none, or of somebody else
    not_admitted,    // not on the roll with this style, or a wrong code
    answered,        // before, for another blinded message
  };
  Reason reason;
  std::string message;  // names no voter
};
struct EnrolmentNotNow {
  std::string reason;
  std::chrono::seconds again;
};
using EnrolmentAnswer = std::variant<Enrolled, EnrolmentRefused, EnrolmentNotNow>;
using AnswerEnrolment = std::move_only_function<void(EnrolmentAnswer)>;

// What becomes of a signed answer when its turn to be stored comes. `first` is whether it was
// judged as the voter's first.
enum class IssuanceFate : std::uint8_t {
  stored,    // it is the voter's first
  repeated,  // the same stands in the log
  taken,     // the voter has another
  undone,    // what it was judged to repeat was never stored
};
[[nodiscard]] IssuanceFate fate_of(const protocol::IssuanceState& state,
                                   const protocol::Issuance& issuance, bool first);

class RegistrarObserver {
 public:
  RegistrarObserver() = default;
  RegistrarObserver(const RegistrarObserver&) = delete;
  RegistrarObserver& operator=(const RegistrarObserver&) = delete;
  virtual ~RegistrarObserver() = default;
  // shed: there was no room. unavailable: stopped, closed, or something does not work.
  enum class Outcome : std::uint8_t { issued, repeated, refused, shed, unavailable };
  virtual void on_issuance(Outcome outcome, double seconds) = 0;
  // The identity provider could not be asked (an error), or vouched for somebody.
  virtual void on_identity_provider(const Error* /*error*/) {}
  virtual void on_registrar_store(const Error* error) = 0;
  virtual void on_registrar_export(const Error* error) = 0;
  virtual void on_registrar_commit(double /*seconds*/) {}
};

// token_rules are the rules for what voters send to a registrar with this sign-in; for an ID token,
// but for the nonce, which is that of the request.
[[nodiscard]] sign_in::TokenRules token_rules(const OidcConfig& oidc);

class RegistrarService {
 public:
  struct SignIn {
    std::unique_ptr<sign_in::Provider> provider;
    sign_in::TokenRules rules;
  };
  struct Options {
    std::filesystem::path store;
    std::size_t threads = 2;   // to sign with
    std::size_t queue = 1024;  // requests waiting
    bool codes = true;         // whether one-time codes are taken
    std::chrono::milliseconds export_interval{1000};
    std::function<std::chrono::sys_seconds()> now;  // for tokens
  };

  // open rebuilds the state from the store (ledger.h). Nothing runs before start.
  static Result<std::unique_ptr<RegistrarService>> open(Options options,
                                                        std::shared_ptr<ElectionRecord> record,
                                                        protocol::Registrar keys,
                                                        std::optional<SignIn> sign_in,
                                                        RegistrarObserver& observer);
  RegistrarService(const RegistrarService&) = delete;
  RegistrarService& operator=(const RegistrarService&) = delete;
  ~RegistrarService();

  void start();
  void finish();

  [[nodiscard]] std::uint32_t index() const { return keys_.index(); }
  [[nodiscard]] bool takes_codes() const { return options_.codes; }
  [[nodiscard]] bool takes_tokens() const { return sign_in_.has_value(); }

  // submit takes an EnrolmentRequest, and the bearer token that came with it, if one did: it goes
  // before a code. The voter of a token's request may be left empty.
  void submit(Bytes request, std::optional<std::string> bearer, AnswerEnrolment answer);

  // import_roll takes a list of voters, CSV with the columns voter,style or voter,style,code, whole
  // or not at all, and returns the registrar's signed roll message. Voters are admitted once the
  // message stands in the main log; until then a newer list takes the place of this one. A list
  // that the main log announces and the store has lost becomes good at once.
  Result<Bytes> import_roll(Bytes csv);
  // The main log's roll messages of this registrar become good; called after each extension, and
  // after the store was opened again. Errc::rejected if the store lacks one of their lists.
  Result<void> follow(const protocol::MainLog& now);

  Result<void> stop() { return ledger_->stop(); }
  Result<void> resume() { return ledger_->resume(); }
  [[nodiscard]] bool stopped() const { return ledger_->stopped(); }
  // A main log must announce no list of this registrar that its store does not have; and the close
  // in it name the final log of a registrar that was stopped.
  [[nodiscard]] Result<void> may_become(const protocol::MainLog& next) const;

  [[nodiscard]] std::string log_name() const { return protocol::Manifest::roll_log(index()); }
  [[nodiscard]] Result<std::string> checkpoint() const;
  [[nodiscard]] bool healthy() const { return ledger_->healthy(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Waiting {
    Bytes request;
    std::optional<std::string> bearer;
    AnswerEnrolment answer;
    Clock::time_point since;
  };
  struct Judged {
    protocol::EnrolmentResponse response;
    protocol::Issuance issuance;
    bool first;  // of this voter, as the state was
  };
  struct Signed {
    Waiting waiting;
    Judged judged;
  };

  RegistrarService(Options options, std::shared_ptr<ElectionRecord> record,
                   protocol::Registrar keys, std::optional<SignIn> sign_in,
                   RegistrarObserver& observer);
  Result<Ledger::Install> rebuild(store::SqliteStore& store);
  void sign();
  void sequence();
  void commit(std::vector<Signed> batch);
  void put_off(std::vector<Signed> batch);
  Result<Bytes> store_roll(std::span<const store::RollRow> rows,
                           std::span<const protocol::Registrar::RollRow> announced);
  [[nodiscard]] Result<std::vector<store::RollImport>> imports() const;
  // identify finds the ballot style the asking voter is entitled to; the request's voter is set.
  using Identified = std::expected<std::uint32_t, EnrolmentAnswer>;
  Identified identify(protocol::EnrolmentRequest& request,
                      const std::optional<std::string>& bearer);
  std::expected<Judged, EnrolmentAnswer> judge(const Waiting& waiting);
  void give(Waiting waiting, EnrolmentAnswer answer, RegistrarObserver::Outcome outcome);

  const Options options_;
  const std::shared_ptr<ElectionRecord> record_;
  const protocol::Registrar keys_;
  const std::optional<SignIn> sign_in_;
  RegistrarObserver& observer_;

  // Under the ledger's lock; the sequencer alone changes them.
  std::optional<protocol::IssuanceState> state_;
  std::optional<protocol::Log> log_;
  std::unique_ptr<Ledger> ledger_;
  std::mutex import_mutex_;
  BatchQueue<Waiting> incoming_;
  BatchQueue<Signed> signed_;
  std::atomic<bool> finished_ = false;
  std::vector<std::jthread> signers_;
  std::jthread sequencer_;
};

}  // namespace psephos::server
