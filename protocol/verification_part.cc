#include "protocol/verification_part.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "psephos/codec.h"

#include "protocol/labels.h"

namespace psephos::protocol {

namespace {

// total·part/of, rounded down, without overflow.
std::uint64_t cut(std::uint64_t total, std::uint32_t part, std::uint32_t of) {
  return total / of * part + total % of * part / of;
}

void add_ranges(std::vector<BundleRange>& ranges, Share share, std::uint32_t first_log,
                std::span<const std::uint64_t> bundles) {
  const std::uint64_t total = std::accumulate(bundles.begin(), bundles.end(), std::uint64_t{0});
  const std::uint64_t from = cut(total, share.part - 1, share.of);
  const std::uint64_t to = cut(total, share.part, share.of);
  std::uint64_t start = 0;  // of the log
  for (std::size_t i = 0; i < bundles.size(); ++i) {
    const std::uint64_t begin = std::clamp(from, start, start + bundles[i]);
    const std::uint64_t end = std::clamp(to, start, start + bundles[i]);
    if (begin < end) {
      ranges.push_back({first_log + static_cast<std::uint32_t>(i), begin - start, end - start});
    }
    start += bundles[i];
  }
}

}  // namespace

std::vector<BundleRange> ranges_of(Share share, std::span<const std::uint64_t> roll_bundles,
                                   std::span<const std::uint64_t> box_bundles) {
  PSEPHOS_CHECK(share.is_valid());
  std::vector<BundleRange> ranges;
  add_ranges(ranges, share, 0, roll_bundles);
  add_ranges(ranges, share, static_cast<std::uint32_t>(roll_bundles.size()), box_bundles);
  return ranges;
}

Bytes VerificationPart::encode() const {
  Writer out;
  out.raw(as_bytes(labels::kVerificationPart)).u32(share.part).u32(share.of).raw(election_id);
  out.u32(static_cast<std::uint32_t>(trees.size()));
  for (const crypto::TreeHead& tree : trees) {
    out.u64(tree.size).raw(tree.root);
  }
  out.u32(static_cast<std::uint32_t>(groups.size()));
  for (const Group& group : groups) {
    out.u32(group.bundles.log).u64(group.bundles.from).u64(group.bundles.to).var(group.judged);
  }
  return std::move(out).take();
}

Result<VerificationPart> VerificationPart::decode(ByteView file) {
  Reader in(file);
  PSEPHOS_TRY(const ByteView label, in.raw(labels::kVerificationPart.size(), "first bytes"));
  if (as_text(label) != labels::kVerificationPart) {
    return fail(Errc::malformed, "is no part of a verification");
  }
  VerificationPart part;
  PSEPHOS_TRY(part.share.part, in.u32("part"));
  PSEPHOS_TRY(part.share.of, in.u32("number of parts"));
  if (!part.share.is_valid()) {
    return fail(Errc::malformed, "there is no part " + std::to_string(part.share.part) + " of " +
                                     std::to_string(part.share.of));
  }
  PSEPHOS_TRY(part.election_id, in.digest("election id"));
  PSEPHOS_TRY(const std::uint32_t num_trees, in.u32("number of logs"));
  for (std::uint32_t i = 0; i < num_trees; ++i) {
    crypto::TreeHead tree;
    PSEPHOS_TRY(tree.size, in.u64("size"));
    PSEPHOS_TRY(tree.root, in.digest("root"));
    part.trees.push_back(tree);
  }
  PSEPHOS_TRY(const std::uint32_t num_groups, in.u32("number of groups"));
  for (std::uint32_t i = 0; i < num_groups; ++i) {
    Group group;
    PSEPHOS_TRY(group.bundles.log, in.u32("log"));
    PSEPHOS_TRY(group.bundles.from, in.u64("first bundle"));
    PSEPHOS_TRY(group.bundles.to, in.u64("end"));
    PSEPHOS_TRY(const ByteView judged, in.var(in.remaining(), "group"));
    group.judged.assign(judged.begin(), judged.end());
    part.groups.push_back(std::move(group));
  }
  PSEPHOS_CHECK_OK(in.finish("after the last group"));
  return part;
}

}  // namespace psephos::protocol
