#include "protocol/verification_part.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "psephos/codec.h"
#include "psephos/version.h"

#include "protocol/labels.h"
#include "protocol/verification.h"

namespace psephos::protocol {

namespace {

constexpr std::size_t kMaxVersionBytes = 64;

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
  out.raw(as_bytes(labels::kVerificationPart))
      .var(kVersion)
      .u32(share.part)
      .u32(share.of)
      .raw(election_id);
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
  const auto label = in.raw(labels::kVerificationPart.size(), "first bytes");
  if (!label.has_value() || as_text(*label) != labels::kVerificationPart) {
    return fail(Errc::malformed, file.empty() ? "is empty" : "is no part of a verification");
  }
  PSEPHOS_TRY(const std::string version, in.text(kMaxVersionBytes, "version"));
  if (version != kVersion) {
    return fail(Errc::rejected,
                "was made by psephos " + version + "; this is " + std::string(kVersion));
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

std::unexpected<Error> bad_part(std::size_t file, const std::string& message) {
  return fail(Errc::rejected, "part file " + std::to_string(file + 1) + ": " + message);
}

std::vector<crypto::TreeHead> Verification::trees() const {
  std::vector<crypto::TreeHead> trees;
  trees.reserve(num_logs());
  for (std::uint32_t log = 0; log < num_logs(); ++log) {
    trees.push_back(reader_of(log).tree());
  }
  return trees;
}

PartOutcome Verification::run_part(Share share) {
  VerificationPart part;
  part.share = share;
  PartOutcome outcome;
  if (start()) {
    part.election_id = election().id();
    part.trees = trees();
    std::vector<BundleRange> ranges = ranges_of(share);
    entries_done_ = 0;
    entries_all_ = 0;
    for (const BundleRange& range : ranges) {
      entries_all_ += (range.to - range.from) * crypto::kTileWidth;
    }
    judge(groups_of(std::move(ranges)), [&](const GroupPlan& plan, JudgedGroup& group) {
      outcome.num_faults += num_faults(group);
      part.groups.push_back({plan.bundles, group.encode(*manifest_)});
    });
    outcome.num_entries = entries_done_;
  }
  // What is wrong with the record as a whole; combining looks at that again, and says it.
  for (const CheckReport& check : report_.checks) {
    outcome.num_faults += check.num_faults;
  }
  outcome.file = part.encode();
  return outcome;
}

Result<std::vector<GroupPlan>> Verification::plan(std::span<const VerificationPart> parts) const {
  if (parts.empty()) {
    return fail(Errc::misuse, "there are no parts");
  }
  std::vector<std::optional<std::size_t>> files(parts.front().share.of);  // of each share
  for (std::size_t file = 0; file < parts.size(); ++file) {
    const VerificationPart& part = parts[file];
    if (part.share.of != files.size()) {
      return bad_part(file, "is one of " + std::to_string(part.share.of) +
                                " parts; the first file is one of " + std::to_string(files.size()));
    }
    if (files[part.share.part - 1].has_value()) {
      return bad_part(file, "part " + std::to_string(part.share.part) + " is here twice");
    }
    files[part.share.part - 1] = file;
    if (part.election_id != election().id() || part.trees != trees()) {
      return bad_part(file, "was made from another record, or from another state of this one");
    }
  }
  if (const auto missing = std::find(files.begin(), files.end(), std::nullopt);
      missing != files.end()) {
    return fail(Errc::rejected, "part " + std::to_string(missing - files.begin() + 1) + " of " +
                                    std::to_string(files.size()) + " is missing");
  }
  std::vector<GroupPlan> plans;
  for (const std::optional<std::size_t> file : files) {
    const VerificationPart& part = parts[*file];
    auto group = part.groups.begin();
    for (const BundleRange& range : ranges_of(part.share)) {
      std::uint64_t next = range.from;
      while (group != part.groups.end() && group->bundles.log == range.log &&
             group->bundles.from == next && next < group->bundles.to &&
             group->bundles.to <= range.to) {
        next = group->bundles.to;
        plans.push_back({.bundles = group->bundles, .judged = group->judged, .file = *file});
        ++group;
      }
      if (next == range.from) {
        return bad_part(*file, "does not begin where it should in " + name_of(range.log));
      }
      plans.back().must_end = next != range.to;
    }
    if (group != part.groups.end()) {
      return bad_part(*file, "holds more than its share");
    }
  }
  std::ranges::sort(plans, {}, [](const GroupPlan& plan) {
    return std::pair(plan.bundles.log, plan.bundles.from);
  });
  return plans;
}

Result<void> Verification::run_combined(std::span<const VerificationPart> parts) {
  if (!start()) {
    return {};
  }
  PSEPHOS_TRY(const std::vector<GroupPlan> plans, plan(parts));
  finish_run([&plans, next = plans.begin()]() mutable -> std::optional<GroupPlan> {
    return next == plans.end() ? std::nullopt : std::optional(*next++);
  });
  if (bad_part_.has_value()) {
    return std::unexpected(*bad_part_);
  }
  return {};
}

PartOutcome verify_part(const VerifyInput& input, Share share) {
  PSEPHOS_CHECK(share.is_valid());
  return Verification(input, Stage::complete).run_part(share);
}

Result<Report> combine_parts(const VerifyInput& input, std::vector<Bytes> parts) {
  std::vector<VerificationPart> decoded;
  decoded.reserve(parts.size());
  for (Bytes& file : parts) {
    auto part = VerificationPart::decode(file);
    if (!part.has_value()) {
      return bad_part(decoded.size(), part.error().message);
    }
    decoded.push_back(std::move(*part));
    file = Bytes();  // what it held is in the part now
  }
  Verification verification(input, Stage::complete);
  PSEPHOS_CHECK_OK(verification.run_combined(decoded));
  return std::move(verification.report());
}

}  // namespace psephos::protocol
