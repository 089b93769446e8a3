// Enrolment messages and the registrar's public log, checking half. Spec: docs/spec.md §6.3, §6.4,
// §8.6.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "psephos/protocol/check.h"
#include "psephos/protocol/opening.h"

namespace psephos::protocol {

struct EnrolmentRequest {
  Digest32 election_id{};
  std::uint32_t registrar = 0;
  std::uint32_t style = 0;
  std::string voter;
  std::string code;
  Bytes blinded_message;

  static Result<EnrolmentRequest> decode(ByteView bytes, const Manifest& manifest);
  [[nodiscard]] Bytes encode() const;

  // sign_in_nonce is what the ID token that goes with this request must carry: it is good for one
  // registrar and one blinded message.
  [[nodiscard]] std::string sign_in_nonce() const;
};

struct EnrolmentResponse {
  Digest32 election_id{};
  std::uint32_t registrar = 0;
  std::uint32_t style = 0;
  Bytes blind_signature;

  static Result<EnrolmentResponse> decode(ByteView bytes, const Manifest& manifest);
  [[nodiscard]] Bytes encode() const;
};

// Issuance is an entry of a roll log.
struct Issuance {
  Digest32 pseudonym{};
  std::uint32_t style = 0;
  Digest32 blinded_digest{};

  // decode reads type ‖ body.
  static Result<Issuance> decode(ByteView bytes, const Manifest& manifest);
  [[nodiscard]] Bytes encode() const;
  friend bool operator==(const Issuance&, const Issuance&) = default;
};

// RollImport is the payload of a registrar's roll message: a list of voters it admits from then on.
// Whoever may see list and salt key can check the digest; everyone else, the numbers.
struct RollImport {
  std::uint32_t number = 0;  // of this registrar's imports, from 0
  Digest32 digest{};
  std::vector<std::uint64_t> voters;  // per style

  static Result<RollImport> decode(ByteView payload, const Manifest& manifest);
  [[nodiscard]] Bytes encode() const;
  friend bool operator==(const RollImport&, const RollImport&) = default;
};

// IssuanceState is the fold over a roll log (V10).
class IssuanceState {
 public:
  explicit IssuanceState(const Manifest& manifest);
  // check judges the next issuance: no pseudonym and no blinded message twice, at most `voters` in
  // all. append also takes it; on a fault the state is unchanged.
  [[nodiscard]] std::expected<void, Fault> check(const Issuance& issuance) const;
  std::expected<void, Fault> append(const Issuance& issuance);
  [[nodiscard]] std::uint64_t issued(std::uint32_t style) const { return issued_[style]; }
  [[nodiscard]] std::uint64_t total() const { return by_pseudonym_.size(); }
  // The issuance to a pseudonym, if there was one.
  [[nodiscard]] const Issuance* find(const Digest32& pseudonym) const;

 private:
  const Manifest* manifest_;
  // Ordered: a registrar chooses the digests, and could make hashes collide.
  std::map<Digest32, Issuance> by_pseudonym_;
  std::set<Digest32> blinded_;
  std::vector<std::uint64_t> issued_;
};

}  // namespace psephos::protocol
