#include "crypto/vartime/msm.h"

#include <algorithm>
#include <new>

#include "crypto/vartime/edwards.h"

namespace psephos::crypto::vartime {

namespace {

constexpr unsigned kScalarBits = 252;  // of a magnitude up to q/2, and one more for signed digits
constexpr unsigned kStrausBits = 4;
constexpr unsigned kMinWindowBits = 4;
constexpr unsigned kMaxWindowBits = 14;  // more would not fit into a core's own cache

unsigned num_windows(unsigned window_bits) { return (kScalarBits + 1 + window_bits) / window_bits; }

std::size_t rounded(std::size_t size, std::size_t lanes) {
  return (size + lanes - 1) / lanes * lanes;
}

// Costs in additions of a Niels point, over all lanes at once; other operations weighed by their
// multiplications.
double straus_cost(const Backend& backend, std::size_t size) {
  const auto groups =
      static_cast<double>(rounded(size, backend.lanes)) / static_cast<double>(backend.lanes);
  return groups * (8 + num_windows(kStrausBits) * 9 / 7.0) + kScalarBits * 8 / 7.0;
}
double bucket_cost(const Backend& backend, std::size_t size, unsigned window_bits) {
  const auto lanes = static_cast<double>(backend.lanes);
  const auto buckets = static_cast<double>(std::size_t{1} << (window_bits - 1));
  // The end of each window and the doublings are done one by one, whatever the lanes.
  const double fill = static_cast<double>(size) / lanes;
  const double reduction = 18 / 7.0 * (buckets / lanes + lanes);
  return num_windows(window_bits) * (fill + reduction) + kScalarBits * 8 / 7.0;
}

// Adds 2^(c−1) to each window of c bits, so that every digit is the window's bits less 2^(c−1).
WindowedScalar windowed(const ScalarWords& magnitude, const WindowedScalar& bias) {
  WindowedScalar result{};
  std::uint64_t carry = 0;
  for (unsigned i = 0; i < 6; ++i) {
    const std::uint64_t word = i < 4 ? magnitude[i] : 0;
    const std::uint64_t with_carry = word + carry;
    result.words[i] = with_carry + bias.words[i];
    carry = std::uint64_t{with_carry < word} + std::uint64_t{result.words[i] < with_carry};
  }
  return result;
}

WindowedScalar bias_of(unsigned window_bits) {
  WindowedScalar bias{};
  for (unsigned window = 0; window < num_windows(window_bits); ++window) {
    const unsigned bit = window_bits * window + window_bits - 1;
    bias.words[bit / 64] |= std::uint64_t{1} << (bit % 64);
  }
  return bias;
}

}  // namespace

MsmPlan plan_msm(const Backend& backend, std::size_t size) {
  MsmPlan best = {.straus = true, .window_bits = kStrausBits};
  double best_cost = straus_cost(backend, size);
  for (unsigned bits = kMinWindowBits; bits <= kMaxWindowBits; ++bits) {
    const double cost = bucket_cost(backend, size, bits);
    if (cost < best_cost) {
      best_cost = cost;
      best = {.straus = false, .window_bits = bits};
    }
  }
  return best;
}

void Msm::clear() {
  scalars_.clear();
  points_.clear();
}

void Msm::add(const SignedScalar& scalar, const AffinePoint& point) {
  scalars_.push_back(scalar);
  points_.push_back(point);
}

ExtendedPoint Msm::sum_vartime() { return sum_vartime(plan_msm(*backend_, size())); }

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
  windowed_.resize(size);
  negative_.resize(size);
  const WindowedScalar bias = bias_of(plan.window_bits);
  for (std::size_t i = 0; i < size; ++i) {
    windowed_[i] = windowed(scalars_[i].magnitude, bias);
    negative_[i] = scalars_[i].negative ? 1 : 0;
  }
  const Terms terms = {.points = points,
                       .scalars = windowed_.data(),
                       .negative = negative_.data(),
                       .size = size,
                       .window_bits = plan.window_bits,
                       .num_windows = windows};
  ExtendedPoint result;
  if (plan.straus) {
    backend_->straus(terms, slots, &result);
    return result;
  }
  std::vector<ExtendedPoint> sums(windows);
  indices_.resize(2 * size + 2 * buckets + 2);
  std::uint32_t* const digits = indices_.data();
  backend_->bucket_sums(terms,
                        {.slots = slots,
                         .digits = digits,
                         .sorted = digits + size,
                         .starts = digits + 2 * size,
                         .by_count = digits + 2 * size + buckets + 2},
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
  Extended<PortableField> minus_b = load_extended(b);
  minus_b.c[0] = negative(minus_b.c[0]);
  minus_b.c[3] = negative(minus_b.c[3]);
  ExtendedPoint result;
  store_extended(vartime::add(load_extended(a), minus_b), result);
  return result;
}

std::array<std::uint8_t, 32> encode_vartime(const ExtendedPoint& point) {
  std::array<std::uint8_t, 32> bytes;
  ristretto_encode(load_extended(point), bytes.data());
  return bytes;
}

}  // namespace psephos::crypto::vartime
