// The file in which one process leaves its share of a verification for the one that combines them.
// It is no part of a record and of no use to another verifier; each version of psephos reads its
// own only:
//   "psephos/v1/verification-part" ‖ var version ‖ u32 part ‖ u32 of ‖ election id ‖ u32 number of
//   logs ‖ for each: u64 size ‖ root; u32 number of groups ‖ for each: u32 log ‖ u64 first bundle ‖
//   u64 end ‖ var JudgedGroup.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "psephos/crypto/merkle.h"
#include "psephos/protocol/verify.h"

namespace psephos::protocol {

// Bundles [from, to) of a log; logs are counted rolls first, then boxes.
struct BundleRange {
  std::uint32_t log = 0;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  friend bool operator==(const BundleRange&, const BundleRange&) = default;
};
// ranges_of cuts the bundles of all rolls, laid end to end, into `share.of` equal runs, and those
// of all boxes likewise, and returns what share.part gets of each log; logs of which it gets
// nothing are left out.
[[nodiscard]] std::vector<BundleRange> ranges_of(Share share,
                                                 std::span<const std::uint64_t> roll_bundles,
                                                 std::span<const std::uint64_t> box_bundles);

struct VerificationPart {
  Share share;
  Digest32 election_id{};               // zero if the record does not lead to an opening
  std::vector<crypto::TreeHead> trees;  // as the checkpoints claim; none if not all could be read
  struct Group {
    BundleRange bundles;
    Bytes judged;  // JudgedGroup::encode
  };
  std::vector<Group> groups;

  [[nodiscard]] Bytes encode() const;
  static Result<VerificationPart> decode(ByteView file);
};

// What is wrong with a file that combine_parts was given, counted from 0 here and from 1 in words.
[[nodiscard]] std::unexpected<Error> bad_part(std::size_t file, const std::string& message);

}  // namespace psephos::protocol
