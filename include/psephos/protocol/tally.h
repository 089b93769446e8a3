// Sums, units, and the messages that open them, checking half. Spec: docs/spec.md §8.7, §8.8.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "psephos/crypto/discrete_log_proof.h"
#include "psephos/crypto/elgamal.h"
#include "psephos/protocol/opening.h"

namespace psephos::protocol {

// Aggregate holds, per style, the number of counted ballots and the sums of their ciphertexts. Sums
// of parts may be made in any order and merged.
class Aggregate {
 public:
  explicit Aggregate(const Manifest& manifest);
  // add counts `ballots` ballots whose ciphertexts, option by option, sum to `sums`; subtract takes
  // as many out again.
  void add(std::uint32_t style, std::span<const crypto::Ciphertext> sums,
           std::uint64_t ballots = 1);
  void subtract(std::uint32_t style, std::span<const crypto::Ciphertext> sums,
                std::uint64_t ballots = 1);
  void merge(const Aggregate& other);
  [[nodiscard]] std::uint64_t counted(std::uint32_t style) const { return counted_[style]; }
  [[nodiscard]] const std::vector<std::uint64_t>& counted() const { return counted_; }
  [[nodiscard]] const std::vector<crypto::Ciphertext>& sums(std::uint32_t style) const {
    return sums_[style];
  }

 private:
  std::vector<std::uint64_t> counted_;
  std::vector<std::vector<crypto::Ciphertext>> sums_;
};

// Unit: the styles whose ballots are opened together, and how many ballots were counted in them.
struct Unit {
  std::vector<std::uint32_t> styles;
  std::uint64_t counted = 0;
  friend bool operator==(const Unit&, const Unit&) = default;
};
// units of one contest; none if the contest is withheld.
[[nodiscard]] std::vector<Unit> units(const Manifest& manifest, std::uint32_t contest,
                                      std::span<const std::uint64_t> counted_per_style);

struct Tally {
  std::uint32_t contest = 0;
  std::uint32_t unit = 0;
  std::uint64_t counted = 0;
  std::vector<crypto::Ciphertext> sums;  // one per option of the contest

  static Result<Tally> decode(ByteView payload, const Manifest& manifest);
  [[nodiscard]] Bytes encode() const;
  friend bool operator==(const Tally&, const Tally&) = default;
};
// expected_tallies computes, from an aggregate, the tallies a record must hold, in order.
[[nodiscard]] std::vector<Tally> expected_tallies(const Manifest& manifest,
                                                  const Aggregate& aggregate);

struct Decryption {
  std::uint32_t tally = 0;  // number of the tally
  std::vector<crypto::Point> shares;
  crypto::DiscreteLogProof proof;

  static Result<Decryption> decode(ByteView payload, std::span<const Tally> tallies);
  [[nodiscard]] Bytes encode() const;
};
// What a decryption's proof claims, and its context.
[[nodiscard]] crypto::DiscreteLogStatement decryption_statement(
    const Tally& tally, const crypto::Point& public_share, std::span<const crypto::Point> shares);
[[nodiscard]] crypto::Transcript decryption_transcript(const Digest32& election_id,
                                                       std::uint32_t trustee, std::uint32_t tally);

struct TallyResult {
  std::uint32_t tally = 0;
  std::vector<std::uint64_t> totals;

  static Result<TallyResult> decode(ByteView payload, std::span<const Tally> tallies);
  [[nodiscard]] Bytes encode() const;
};

// OpenedUnit: a unit with its totals; what result files and reports are made of.
struct OpenedUnit {
  std::vector<std::uint32_t> styles;
  std::uint64_t counted = 0;
  std::vector<std::uint64_t> totals;
};
struct ElectionResult {
  Digest32 election_id{};
  std::vector<std::vector<OpenedUnit>> contests;  // [contest][unit]; none: withheld
};
// The exact bytes of result.json and result.csv.
[[nodiscard]] std::string result_json(const Manifest& manifest, const ElectionResult& result);
[[nodiscard]] std::string result_csv(const Manifest& manifest, const ElectionResult& result);

}  // namespace psephos::protocol
