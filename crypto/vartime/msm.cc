#include "crypto/vartime/msm.h"

#include <algorithm>
#include <array>
#include <bit>
#include <new>

#include "crypto/vartime/edwards.h"

namespace psephos::crypto::vartime {

namespace {

constexpr unsigned kStrausBits = 4;
constexpr unsigned kMinWindowBits = 4;
constexpr unsigned kMaxWindowBits = 14;  // more would not fit into a core's own cache

std::size_t rounded(std::size_t size, std::size_t lanes) {
  return (size + lanes - 1) / lanes * lanes;
}

constexpr double kSortCost = 0.02;    // of a digit
constexpr double kWindowEndCost = 6;  // the lanes of a window, added up

// Costs in additions of a Niels point, over all lanes at once; other operations weighed by their
// multiplications.
double straus_cost(const Backend& backend, std::size_t size) {
  const auto groups =
      static_cast<double>(rounded(size, backend.lanes)) / static_cast<double>(backend.lanes);
  return groups * (8 + num_windows(kStrausBits) * 9 / 7.0) + kMagnitudeBits * 8 / 7.0;
}
double bucket_cost(const Backend& backend, std::size_t size, std::size_t bits,
                   unsigned window_bits) {
  const auto lanes = static_cast<double>(backend.lanes);
  const auto buckets = static_cast<double>(std::size_t{1} << (window_bits - 1));
  // Digits above a scalar's end are sorted, but nothing is added for them.
  const double fill = static_cast<double>(bits) / window_bits / lanes;
  const double sort = kSortCost * static_cast<double>(size);
  const double reduction = 18 / 7.0 * buckets / lanes + kWindowEndCost;
  return num_windows(window_bits) * (sort + reduction) + fill + kMagnitudeBits * 8 / 7.0;
}

// write_digits writes the signed digits of windows of c bits, all terms' of the first window, then
// of the next: magnitude = Σ digit(w)·2^(c·w), −2^(c−1) ≤ digit(w) < 2^(c−1). Some terms at a time,
// so that a window's digits are written in whole cache lines.
void write_digits(std::span<const SignedScalar> scalars, unsigned window_bits, unsigned windows,
                  Digit* digits) {
  constexpr std::size_t kAtOnce = 64;
  const std::uint64_t mask = (std::uint64_t{1} << window_bits) - 1;
  const std::uint64_t half = std::uint64_t{1} << (window_bits - 1);
  for (std::size_t at = 0; at < scalars.size(); at += kAtOnce) {
    const auto some = scalars.subspan(at, std::min(kAtOnce, scalars.size() - at));
    std::array<std::uint64_t, kAtOnce> carries{};
    for (unsigned window = 0; window < windows; ++window) {
      const unsigned bit = window_bits * window;
      const unsigned word = bit / 64;
      const unsigned shift = bit % 64;
      Digit* const to = digits + window * scalars.size() + at;
      for (std::size_t i = 0; i < some.size(); ++i) {
        const ScalarWords& words = some[i].magnitude;
        const std::uint64_t low = word < 4 ? words[word] >> shift : 0;
        // Shifted twice because a shift by 64 is none.
        const std::uint64_t high = word + 1 < 4 ? words[word + 1] << 1 << (63 - shift) : 0;
        const std::uint64_t value = ((low | high) & mask) + carries[i];
        // No branches: digits are random.
        carries[i] = value >= half ? 1 : 0;
        const std::uint64_t sign = 0 - carries[i];
        const std::uint64_t magnitude = ((value - (carries[i] << window_bits)) ^ sign) - sign;
        to[i] = static_cast<Digit>(magnitude << 1 | (carries[i] ^ std::uint64_t{some[i].negative}));
      }
    }
  }
}

std::size_t bit_width(const ScalarWords& words) {
  for (std::size_t i = words.size(); i-- > 0;) {
    if (words[i] != 0) {
      return 64 * i + static_cast<std::size_t>(std::bit_width(words[i]));
    }
  }
  return 0;
}

}  // namespace

MsmPlan plan_msm(const Backend& backend, std::size_t size, std::size_t bits) {
  MsmPlan best = {.straus = true, .window_bits = kStrausBits};
  double best_cost = straus_cost(backend, size);
  for (unsigned window_bits = kMinWindowBits; window_bits <= kMaxWindowBits; ++window_bits) {
    const double cost = bucket_cost(backend, size, bits, window_bits);
    if (cost < best_cost) {
      best_cost = cost;
      best = {.straus = false, .window_bits = window_bits};
    }
  }
  return best;
}

void Msm::clear(std::size_t terms) {
  scalars_.clear();
  points_.clear();
  bits_ = 0;
  scalars_.reserve(terms);
  points_.reserve(terms);
}

void Msm::add(const SignedScalar& scalar, Coordinates point) {
  scalars_.push_back(scalar);
  points_.push_back(point);
  bits_ += bit_width(scalar.magnitude);
}

ExtendedPoint Msm::sum_vartime() { return sum_vartime(plan_msm(*backend_, size(), bits_)); }

void AlignedWords::reserve(std::size_t words) {
  if (words > size_) {
    words_.reset();
    words_.reset(static_cast<std::uint64_t*>(
        ::operator new(words * sizeof(std::uint64_t), std::align_val_t{kAlignment})));
    size_ = words;
  }
}

ExtendedPoint Msm::sum_vartime(const MsmPlan& plan) {
  const std::size_t size = points_.size();
  const unsigned windows = num_windows(plan.window_bits);
  const std::size_t buckets = std::size_t{1} << (plan.window_bits - 1);
  const std::size_t num_slots = plan.straus ? 9 * rounded(size, backend_->lanes) : buckets + 1;
  memory_.reserve(size * kNielsWords + num_slots * kSlotWords);
  std::uint64_t* const points = memory_.data();
  std::uint64_t* const slots = points + size * kNielsWords;
  backend_->to_niels(points_.data(), size, points);
  digits_.resize(windows * size);
  write_digits(scalars_, plan.window_bits, windows, digits_.data());
  const Terms terms = {.points = points,
                       .digits = digits_.data(),
                       .size = size,
                       .window_bits = plan.window_bits,
                       .num_windows = windows};
  ExtendedPoint result;
  if (plan.straus) {
    backend_->straus(terms, slots, &result);
    return result;
  }
  std::vector<ExtendedPoint> sums(windows);
  indices_.resize(size + kLookahead + 2 * buckets + 2);
  std::uint32_t* const sorted = indices_.data();
  std::uint32_t* const starts = sorted + size + kLookahead;
  backend_->bucket_sums(
      terms, {.slots = slots, .sorted = sorted, .starts = starts, .by_count = starts + buckets + 2},
      sums.data());
  Extended<PortableField> total = Extended<PortableField>::identity();
  for (std::size_t window = windows; window-- > 0;) {
    for (unsigned i = 0; i < plan.window_bits; ++i) {
      total = doubled(total);
    }
    total = vartime::add(total, load_extended(sums[window]));
  }
  store_extended(total, result);
  return result;
}

bool is_identity_vartime(const ExtendedPoint& point) { return is_identity(load_extended(point)); }

ExtendedPoint difference_vartime(const ExtendedPoint& a, const ExtendedPoint& b) {
  ExtendedPoint result;
  store_extended(vartime::add(load_extended(a), negative_where(1, load_extended(b))), result);
  return result;
}

std::array<std::uint8_t, 32> encode_vartime(const ExtendedPoint& point) {
  std::array<std::uint8_t, 32> bytes;
  ristretto_encode(load_extended(point), bytes.data());
  return bytes;
}

}  // namespace psephos::crypto::vartime
