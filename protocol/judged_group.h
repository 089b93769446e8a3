// What a verifier finds in some consecutive bundles of one log by looking at nothing else: the part
// of a verification that can be done anywhere and in any order. What is left is a fold over all
// groups, which does not need the bundles again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "psephos/crypto/relation.h"
#include "psephos/protocol/box_state.h"
#include "psephos/protocol/issuance.h"
#include "psephos/protocol/log_reader.h"

namespace psephos::protocol {

// Of ballots of one style: how many, and their sums option by option.
struct BallotSums {
  std::uint64_t ballots = 0;
  std::vector<crypto::Ciphertext> sums;
};
using SumsPerStyle = std::map<std::uint32_t, BallotSums>;

enum class LogKind : std::uint8_t { roll, box };

struct JudgedGroup {
  std::vector<BundleAudit> bundles;
  std::optional<Error> unreadable;  // of the bundle after these; the group ends there

  // Of a box log, for each entry:
  struct Entry {
    std::optional<CredentialUse> use;  // nothing if it does not decode
    std::vector<Fault> faults;         // V6, V7, V8, V11; without place
  };
  std::vector<Entry> entries;
  SumsPerStyle sums;  // of all ballots that decoded

  // Of a roll log, for each entry:
  std::vector<Result<Issuance>> issuances;

  // The encoding (docs/spec.md §2.1; an optional field is a u8 0, or 1 and the field):
  //   u32 number of bundles ‖ for each: optional hash before its first entry ‖ SHA-256 of its last
  //   entry ‖ root ‖ optional var message of its first break;
  //   optional var message of the unreadable bundle after them;
  //   box: for each entry: optional (pk ‖ u32 style ‖ u32 sequence ‖ u8 is a ballot ‖ SHA-256 of
  //   the ciphertexts if the manifest allows challenges) ‖ u32 number of faults ‖ for each: u8
  //   check ‖ var message ‖ var equation; roll: for each entry: u8 1 ‖ issuance (docs/spec.md
  //   §8.6), or u8 0 ‖ var message; u32 number of styles with ballots ‖ for each: u32 style ‖ u64
  //   ballots ‖ sums.

  // encode gives a group as it stands in a verification part; decode refuses what is
  // not the judgement of `num_bundles` bundles of such a log from `first_bundle` on, or of fewer if
  // one was unreadable.
  [[nodiscard]] Bytes encode(const Manifest& manifest) const;
  static Result<JudgedGroup> decode(ByteView bytes, LogKind kind, const Manifest& manifest,
                                    const LogReader& reader, std::uint64_t first_bundle,
                                    std::uint64_t num_bundles);
};

// judge_group reads and judges `num_bundles` bundles.
[[nodiscard]] JudgedGroup judge_group(LogKind kind, const Election& election,
                                      const LogReader& reader, std::uint64_t first_bundle,
                                      std::uint64_t num_bundles,
                                      const crypto::Evaluator& evaluator);

// The number of things found wrong in a group.
[[nodiscard]] std::uint64_t num_faults(const JudgedGroup& group);

// sum_ballots sums the ballots among these entries.
[[nodiscard]] SumsPerStyle sum_ballots(std::span<const BoxEntry* const> entries,
                                       const crypto::Evaluator& evaluator);

}  // namespace psephos::protocol
