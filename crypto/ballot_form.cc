#include "psephos/crypto/ballot_form.h"

#include <bit>
#include <string>

namespace psephos::crypto {

namespace {

constexpr std::uint64_t kMaxSum = 0xffffffff;

// The sum of a contest's options at most; below 2^64 whatever the rule.
std::uint64_t largest_sum(const ContestRule& rule) {
  return std::uint64_t{rule.options} * rule.range;
}

std::string fault(const ContestRule& rule) {
  if (rule.options == 0) {
    return "has no option";
  }
  if (rule.range == 0) {
    return "has a range of 0";
  }
  if (rule.min > rule.max) {
    return "has a minimum above its maximum";
  }
  if (rule.max > largest_sum(rule)) {
    return "has a maximum above its largest possible sum";
  }
  if (largest_sum(rule) > kMaxSum) {
    return "has a largest possible sum of 2^32 or more";
  }
  return {};
}

}  // namespace

bool ContestRule::is_constrained() const { return min != 0 || max != largest_sum(*this); }

std::vector<std::uint32_t> cover(std::uint32_t top) {
  std::vector<std::uint32_t> weights;
  if (top == 0) {
    return weights;
  }
  const auto length = static_cast<unsigned>(std::bit_width(top));
  for (unsigned i = 0; i + 1 < length; ++i) {
    weights.push_back(std::uint32_t{1} << i);
  }
  weights.push_back(top - (std::uint32_t{1} << (length - 1)) + 1);
  return weights;
}

Result<BallotForm> BallotForm::compile(std::span<const ContestRule> contests) {
  if (contests.empty()) {
    return fail(Errc::malformed, "a ballot needs at least one contest");
  }

  // The size is known before anything is allocated for it.
  std::uint64_t num_bytes = std::uint64_t{32} * 11;
  for (std::size_t i = 0; i < contests.size(); ++i) {
    const ContestRule& rule = contests[i];
    const std::string place = "contest " + std::to_string(i + 1);
    if (const std::string why = fault(rule); !why.empty()) {
      return fail(Errc::malformed, place + " " + why);
    }
    const auto bits_per_option = static_cast<std::uint64_t>(std::bit_width(rule.range));
    num_bytes += rule.options * (64 + 32 * bits_per_option);
    if (rule.is_constrained()) {
      num_bytes += 32 * static_cast<std::uint64_t>(std::bit_width(rule.max - rule.min));
    }
    if (num_bytes > kMaxBytes) {
      return fail(Errc::malformed,
                  place + " makes the ballot longer than " + std::to_string(kMaxBytes) + " bytes");
    }
  }

  BallotForm form;
  form.contests_.assign(contests.begin(), contests.end());
  std::uint32_t next_bit = 0;
  const auto take_bits = [&next_bit](std::uint32_t top) {
    std::vector<Entry> entries;
    for (const std::uint32_t weight : cover(top)) {
      entries.push_back({.bit = next_bit++, .weight = weight});
    }
    return entries;
  };
  for (const ContestRule& rule : contests) {
    Constraint constraint{.entries = {}, .target = rule.max};
    for (std::uint32_t j = 0; j < rule.options; ++j) {
      const std::vector<Entry>& row = form.rows_.emplace_back(take_bits(rule.range));
      constraint.entries.insert(constraint.entries.end(), row.begin(), row.end());
    }
    if (rule.is_constrained()) {
      const std::vector<Entry> slack = take_bits(rule.max - rule.min);
      constraint.entries.insert(constraint.entries.end(), slack.begin(), slack.end());
      form.constraints_.push_back(std::move(constraint));
    }
  }
  form.num_bits_ = next_bit;
  return form;
}

}  // namespace psephos::crypto
