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
  // oldest first, so that a lost file can be written again and a record can be searched.
  struct Sent {
    bool challenged = false;
    TrackingCode code{};
    Bytes entry;
  };
  [[nodiscard]] const std::vector<Sent>& sent() const { return sent_; }

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

  Digest32 election_id_{};
  std::uint32_t style_ = 0;
  crypto::SecretScalar sk_;
  crypto::Point pk_;
  std::map<std::uint32_t, Pending> pending_;                   // by registrar
  std::map<std::uint32_t, Credential::Signature> signatures_;  // by registrar
  std::uint32_t next_sequence_ = 0;
  std::optional<crypto::BallotOpening> prepared_;
  std::vector<Sent> sent_;
};

// parse_votes reads a voter's choices for a style from ballot cells in the order of its contests
// (docs/wire.md): "7", "1|4|9", "3:5|8:2", "" for none. Errc::malformed names the contest whose
// cell cannot be read or whose rule (range, min, max) it breaks.
[[nodiscard]] Result<crypto::SecretVotes> parse_votes(const Manifest& manifest, std::uint32_t style,
                                                      std::span<const std::string> cells);

}  // namespace psephos::protocol
