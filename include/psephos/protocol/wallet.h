// A voter's wallet: makes the credential, encrypts, shows the tracking code, then casts or
// challenges. Spec: docs/spec.md §6, §8.5.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "psephos/crypto/ballot_prover.h"
#include "psephos/crypto/secret_scalar.h"
#include "psephos/protocol/ballot.h"
#include "psephos/protocol/issuance.h"
#include "psephos/random.h"
#include "psephos/secret.h"

namespace psephos::protocol {

class SecretReader;

class Wallet {
 public:
  // create makes a credential key for one election and ballot style.
  static Result<Wallet> create(const Election& election, std::uint32_t style, Random& random);
  // load: Errc::misuse if it was saved for another election.
  static Result<Wallet> load(const SecretBuffer& content, const Election& election);
  [[nodiscard]] SecretBuffer save() const;

  [[nodiscard]] std::uint32_t style() const { return style_; }
  [[nodiscard]] const crypto::Point& credential() const { return pk_; }

  // request blinds the credential for a registrar. Asked again, it returns the same request: a
  // registrar answers a voter once. Save the wallet before the request leaves.
  [[nodiscard]] Result<EnrolmentRequest> request(const Election& election, std::uint32_t registrar,
                                                 std::string voter, std::string code,
                                                 Random& random);
  // receive unblinds and verifies a registrar's answer; Errc::rejected if it is not a signature.
  [[nodiscard]] Result<void> receive(const Election& election, const EnrolmentResponse& response);
  // Registrars whose signature is still missing.
  [[nodiscard]] std::vector<std::uint32_t> missing(const Election& election) const;

  // prepare encrypts a vote (one value per option of the style) and returns its tracking code, to
  // be shown before the voter decides. A vote prepared before and not used is discarded.
  // Errc::misuse: the vote breaks the contest's rules, or the credential is not complete.
  [[nodiscard]] Result<TrackingCode> prepare(const Election& election, crypto::SecretVotes votes,
                                             Random& random);
  [[nodiscard]] bool has_prepared() const { return prepared_.has_value(); }

  // cast proves the prepared ballot and returns it as a box entry (type ‖ body). The encryption's
  // randomness is wiped: a cast ballot cannot be opened by this wallet any more.
  [[nodiscard]] Result<Bytes> cast(const Election& election, Random& random);
  // challenge opens the prepared ballot instead and returns the challenge entry. What it encrypted
  // is public then and is never cast.
  [[nodiscard]] Result<Bytes> challenge(const Election& election, Random& random);

  // The tracking codes of what was cast and challenged, with the exact entries (public data),
  // oldest first, so that a lost file can be written again and a record can be searched; and what
  // the box answered, word for word, if it did.
  enum class Answer : std::uint8_t { none, receipt, refusal };
  struct Sent {
    bool challenged = false;
    TrackingCode code{};
    Bytes entry;
    Answer answer = Answer::none;
    std::string text;  // of the answer
  };
  [[nodiscard]] const std::vector<Sent>& sent() const { return sent_; }
  // answered keeps the box's answer to what was sent at a position; whether it is a good one is for
  // the caller to know. Errc::misuse: no such position, or answered already; Errc::malformed:
  // neither receipt nor refusal by its form.
  [[nodiscard]] Result<void> answered(std::size_t position, Answer answer, std::string text);

  // The newest checkpoint of its credential's box log that this wallet has seen, a signed note:
  // every later one must continue it. Empty: none yet. saw: Errc::malformed if it is none.
  [[nodiscard]] const std::string& seen() const { return seen_; }
  [[nodiscard]] Result<void> saw(std::string checkpoint);

 private:
  Wallet() = default;
  struct Pending {
    Bytes input_message;  // prefix ‖ M
    Bytes blinded_message;
    SecretBuffer inverse;
  };
  [[nodiscard]] Result<void> belongs_to(const Election& election) const;
  // can_send: the prepared ballot is there, for this election.
  [[nodiscard]] Result<void> can_send(const Election& election) const;
  [[nodiscard]] Credential complete_credential() const;
  // record keeps what is sent, returns its entry and forgets the prepared ballot.
  Bytes record(Sent sent);
  // Whether a box has answered, or a checkpoint was seen.
  [[nodiscard]] bool has_answers() const;
  [[nodiscard]] Result<void> load_answers(SecretReader& in);

  Digest32 election_id_{};
  std::uint32_t style_ = 0;
  crypto::SecretScalar sk_;
  crypto::Point pk_;
  std::map<std::uint32_t, Pending> pending_;                   // by registrar
  std::map<std::uint32_t, Credential::Signature> signatures_;  // by registrar
  std::uint32_t next_sequence_ = 0;
  std::optional<crypto::BallotOpening> prepared_;
  std::vector<Sent> sent_;
  std::string seen_;
};

// parse_votes reads a voter's choices for a style from ballot cells in the order of its contests
// (docs/wire.md): "7", "1|4|9", "3:5|8:2", "" for none. Errc::malformed names the contest whose
// cell cannot be read or whose rule (range, min, max) it breaks.
[[nodiscard]] Result<crypto::SecretVotes> parse_votes(const Manifest& manifest, std::uint32_t style,
                                                      std::span<const std::string> cells);

}  // namespace psephos::protocol
