#include <algorithm>
#include <utility>

#include "protocol/verification.h"

namespace psephos::protocol {

namespace {

// A group of bundles is judged by one task: enough ballots for their equations to gain from being
// judged together, few enough to be held in memory for each core several times over.
constexpr std::uint64_t kGroupBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kRollGroup = 16;

// The number of bundles in a group of ballots of the longest style.
std::uint64_t group_size(const Manifest& manifest) {
  std::uint64_t points_and_scalars = 1;
  for (const BallotStyle& style : manifest.styles) {
    points_and_scalars = std::max<std::uint64_t>(
        points_and_scalars, 2 * style.form.num_options() + style.form.num_bits());
  }
  return std::max<std::uint64_t>(
      kGroupBytes / (points_and_scalars * crypto::Point::kSize * crypto::kTileWidth), 1);
}

}  // namespace

LogKind Verification::kind_of(std::uint32_t log) const {
  return log < manifest_->num_registrars() ? LogKind::roll : LogKind::box;
}

std::string Verification::name_of(std::uint32_t log) const {
  const std::uint32_t registrars = manifest_->num_registrars();
  return log < registrars ? Manifest::roll_log(log) : Manifest::box_log(log - registrars);
}

std::vector<BundleRange> Verification::ranges_of(Share share) const {
  std::vector<std::uint64_t> rolls;
  std::vector<std::uint64_t> boxes;
  for (std::uint32_t log = 0; log < num_logs(); ++log) {
    (kind_of(log) == LogKind::roll ? rolls : boxes).push_back(reader_of(log).num_bundles());
  }
  return protocol::ranges_of(share, rolls, boxes);
}

NextGroup Verification::groups_of(std::vector<BundleRange> ranges) const {
  // Groups are made as they are asked for: how many there are is the checkpoints' claim.
  const std::uint64_t per_box_group = group_size(*manifest_);
  std::uint64_t box_bundles = 0;
  for (const BundleRange& range : ranges) {
    box_bundles += kind_of(range.log) == LogKind::box ? range.to - range.from : 0;
  }
  // Few bundles are shared out evenly.
  const std::uint64_t per_core =
      std::max<std::uint64_t>(box_bundles / (2 * std::uint64_t{input_.executor.concurrency()}), 1);
  return [this, ranges = std::move(ranges), per_group = std::min(per_box_group, per_core),
          range = std::size_t{0}]() mutable -> std::optional<GroupPlan> {
    while (range < ranges.size() &&
           (ranges[range].from == ranges[range].to || stopped_.contains(ranges[range].log))) {
      ++range;
    }
    if (range == ranges.size()) {
      return std::nullopt;
    }
    BundleRange& rest = ranges[range];
    const std::uint64_t size =
        std::min(rest.to - rest.from, kind_of(rest.log) == LogKind::box ? per_group : kRollGroup);
    rest.from += size;
    return GroupPlan{.bundles = {rest.log, rest.from - size, rest.from}, .judged = std::nullopt};
  };
}

void Verification::judge(const NextGroup& next, const Take& take) {
  struct Group {
    GroupPlan plan;
    Result<JudgedGroup> judged;
  };
  const auto judge_one = [this](Group& group) {
    const BundleRange& bundles = group.plan.bundles;
    const LogKind kind = kind_of(bundles.log);
    const LogReader& reader = reader_of(bundles.log);
    group.judged = group.plan.judged.has_value()
                       ? JudgedGroup::decode(*group.plan.judged, kind, *manifest_, reader,
                                             bundles.from, bundles.to - bundles.from)
                       : judge_group(kind, election(), reader, bundles.from,
                                     bundles.to - bundles.from, input_.evaluator);
  };
  const auto take_one = [&](Group& group) {
    const std::uint32_t log = group.plan.bundles.log;
    if (stopped_.contains(log)) {
      return;
    }
    if (!group.judged.has_value()) {
      bad_part_ =
          bad_part(group.plan.file, name_of(log) + ": " + group.judged.error().message).error();
      stopped_.insert(log);
      return;
    }
    for (const BundleAudit& bundle : group.judged->bundles) {
      entries_done_ += bundle.size;
    }
    take(group.plan, *group.judged);
    if (group.judged->unreadable.has_value()) {
      stopped_.insert(log);
    } else if (group.plan.must_end) {
      bad_part_ = bad_part(group.plan.file, name_of(log) + ": bundles are missing").error();
      stopped_.insert(log);
    }
    if (input_.progress) {
      input_.progress(entries_done_, entries_all_);
    }
  };
  // While a window of groups is judged, one task takes the groups of the window before.
  const std::size_t at_once = 2 * input_.executor.concurrency();
  std::vector<Group> judged;
  do {
    std::vector<Group> window;
    while (window.size() < at_once) {
      std::optional<GroupPlan> plan = next();
      if (!plan.has_value()) {
        break;
      }
      window.push_back({*plan, JudgedGroup()});
    }
    input_.executor.run(window.size() + 1, [&](std::size_t task) {
      if (task > 0) {
        judge_one(window[task - 1]);
        return;
      }
      std::ranges::for_each(judged, take_one);
    });
    judged = std::move(window);
  } while (!judged.empty());
}

void Verification::follow(LogFollower& follower, const BundleAudit& bundle) {
  // After the first break of chain or tiles the audit has nothing more to say, but the entries
  // have.
  if (follower.sound) {
    if (auto audited = follower.audit.append(bundle); !audited.has_value()) {
      add_fault(Check::logs, follower.log, audited.error().message);
      follower.sound = false;
    }
  }
}

void Verification::finish(LogFollower& follower) {
  if (follower.sound) {
    if (auto finished = follower.audit.finish(); !finished.has_value()) {
      add_fault(Check::logs, follower.log, finished.error().message);
    }
  }
}

bool Verification::fold_logs(const NextGroup& next) {
  std::uint32_t log = 0;
  std::optional<LogFold> fold;
  const auto start = [&] {
    const LogKind kind = kind_of(log);
    fold.emplace(reader_of(log), *manifest_, kind,
                 kind == LogKind::roll ? log : log - manifest_->num_registrars());
  };
  const auto finish_one = [&] {
    finish_log(log, *fold);
    if (++log < num_logs()) {
      start();
    }
  };
  start();
  judge(next, [&](const GroupPlan& plan, JudgedGroup& group) {
    while (log < plan.bundles.log) {
      finish_one();
    }
    for (const BundleAudit& bundle : group.bundles) {
      follow(fold->follower, bundle);
      fold->uncounted.roots.push_back(bundle.root);
    }
    const std::uint64_t first = plan.bundles.from * crypto::kTileWidth;
    if (fold->box.has_value()) {
      take_ballots(first, group, *fold);
    } else {
      take_issuances(first, group, *fold);
    }
    if (group.unreadable.has_value()) {
      add_fault(Check::logs, fold->follower.log, group.unreadable->message);
    }
  });
  while (log < num_logs()) {
    finish_one();
  }
  std::ranges::for_each(uncounted_, [this](const Uncounted& of_box) { leave_out(of_box); });
  return stopped_.empty();
}

// One credential, one ballot: entry after entry, in the log's order.
void Verification::take_ballots(std::uint64_t first, JudgedGroup& group, LogFold& fold) {
  for (const auto& [style, sums] : group.sums) {
    aggregate_->add(style, sums.sums, sums.ballots);
  }
  for (std::size_t i = 0; i < group.entries.size(); ++i) {
    const std::uint64_t index = first + i;
    const auto place = [&] { return entry_place(fold.follower.log, index); };
    for (Fault& fault : group.entries[i].faults) {
      fault.place = place();
      add_fault(std::move(fault));
    }
    const std::optional<CredentialUse>& use = group.entries[i].use;
    if (!use.has_value()) {
      continue;
    }
    did(Check::ballots, 1);
    did(Check::credentials, 1);
    ++(use->is_ballot ? report_.num_ballots : report_.num_challenges);
    auto taken = fold.box->append(index, *use);
    if (!taken.has_value()) {
      Fault fault = taken.error();
      fault.place = place();
      add_fault(std::move(fault));
      if (use->is_ballot) {
        fold.uncounted.ballots.push_back({index, use->style});
      }
      continue;
    }
    if (const auto replaced = taken->superseded; replaced.has_value()) {
      fold.uncounted.ballots.push_back({*replaced, use->style});
    }
  }
}

void Verification::take_issuances(std::uint64_t first, const JudgedGroup& group, LogFold& fold) {
  for (std::size_t i = 0; i < group.issuances.size(); ++i) {
    const Result<Issuance>& issuance = group.issuances[i];
    const auto place = [&] { return entry_place(fold.follower.log, first + i); };
    if (!issuance.has_value()) {
      add_fault(Check::issuance, place(), issuance.error().message);
      continue;
    }
    if (auto taken = fold.roll->append(*issuance); !taken.has_value()) {
      Fault fault = taken.error();
      fault.place = place();
      add_fault(std::move(fault));
    }
  }
}

void Verification::finish_log(std::uint32_t log, LogFold& fold) {
  if (!stopped_.contains(log)) {
    finish(fold.follower);
  }
  if (fold.roll.has_value()) {
    const IssuanceState& roll = *fold.roll;
    if (roll.total() > manifest_->voters) {
      add_fault(Check::issuance, fold.follower.log,
                std::to_string(roll.total()) + " issuances; the manifest names at most " +
                    std::to_string(manifest_->voters) + " voters");
    }
    for (std::uint32_t style = 0; style < manifest_->num_styles(); ++style) {
      issued_[log][style] = roll.issued(style);
    }
    report_.num_issued += roll.total();
    report_[Check::issuance].checked += roll.total();
    return;
  }
  if (!fold.uncounted.ballots.empty()) {
    uncounted_.push_back(std::move(fold.uncounted));
  }
  for (std::uint32_t style = 0; style < manifest_->num_styles(); ++style) {
    used_[style] += fold.box->credentials_used(style);
  }
}

// Reads ballots of one bundle again and sums them.
Result<SumsPerStyle> Verification::sums_again(const Uncounted& uncounted, std::uint64_t number,
                                              std::span<const Uncounted::Ballot> ballots) const {
  PSEPHOS_TRY(const LogReader::Bundle bundle, uncounted.reader->bundle(number));
  const auto changed = [](const Uncounted::Ballot& ballot) {
    return fail(Errc::rejected, "entry " + std::to_string(ballot.index) +
                                    ": is not what it was when it was judged");
  };
  if (uncounted.reader->audit(bundle).root != uncounted.roots[number]) {
    return changed(ballots.front());
  }
  std::vector<ByteView> payloads;
  for (const Uncounted::Ballot& ballot : ballots) {
    PSEPHOS_TRY(const ByteView payload,
                payload_of(bundle.entries[ballot.index % crypto::kTileWidth]));
    payloads.push_back(payload);
  }
  const auto decoded = decode_box_entries(election(), payloads, input_.evaluator);
  std::vector<const BoxEntry*> entries;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    if (!decoded[i].has_value() || style_of(*decoded[i]) != ballots[i].style) {
      return changed(ballots[i]);
    }
    entries.push_back(&*decoded[i]);
  }
  return sum_ballots(entries, input_.evaluator);
}

// Ballots that do not count, because a later one of the same credential replaced them or the log's
// rules refuse them, were added with all others; they are read again and taken out.
void Verification::leave_out(const Uncounted& uncounted) {
  std::map<std::uint64_t, std::vector<Uncounted::Ballot>> bundles;
  for (const Uncounted::Ballot& ballot : uncounted.ballots) {
    bundles[ballot.index / crypto::kTileWidth].push_back(ballot);
  }
  // A few bundles at a time: their sums may be as large as the ballots.
  const std::size_t at_once = 2 * input_.executor.concurrency();
  for (auto next = bundles.begin(); next != bundles.end();) {
    std::vector<decltype(next)> window;
    while (window.size() < at_once && next != bundles.end()) {
      window.push_back(next++);
    }
    std::vector<Result<SumsPerStyle>> sums(window.size());
    input_.executor.run(window.size(), [&](std::size_t task) {
      sums[task] = sums_again(uncounted, window[task]->first, window[task]->second);
    });
    for (const Result<SumsPerStyle>& of_bundle : sums) {
      if (!of_bundle.has_value()) {
        add_fault(Check::logs, uncounted.reader->log(), of_bundle.error().message);
        return;
      }
      for (const auto& [style, of_style] : *of_bundle) {
        aggregate_->subtract(style, of_style.sums, of_style.ballots);
      }
    }
  }
}

}  // namespace psephos::protocol
