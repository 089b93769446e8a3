// The algorithms of a back end, over any field of lanes.
#pragma once

#include "crypto/vartime/backend.h"
#include "crypto/vartime/edwards.h"
#include "crypto/vartime/field_portable.h"

namespace psephos::crypto::vartime {
namespace {

// Reads 32 little-endian bytes as limbs and says whether they are canonical, nonnegative and below
// 2^255.
inline bool read_canonical(const std::uint8_t* bytes, Limbs& out) {
  std::uint64_t w[4];
  for (unsigned k = 0; k < 4; ++k) {
    w[k] = 0;
    for (unsigned i = 8; i > 0; --i) {
      w[k] = w[k] << 8 | bytes[8 * k + i - 1];
    }
  }
  constexpr std::uint64_t kMask = (std::uint64_t{1} << 51) - 1;
  out.l[0] = w[0] & kMask;
  out.l[1] = (w[0] >> 51 | w[1] << 13) & kMask;
  out.l[2] = (w[1] >> 38 | w[2] << 26) & kMask;
  out.l[3] = (w[2] >> 25 | w[3] << 39) & kMask;
  out.l[4] = (w[3] >> 12) & kMask;
  constexpr std::uint64_t kTop = ~std::uint64_t{0} >> 1;
  const bool at_least_p = w[3] == kTop && w[2] == ~std::uint64_t{0} && w[1] == ~std::uint64_t{0} &&
                          w[0] >= ~std::uint64_t{0} - 18;
  return w[3] <= kTop && !at_least_p && (w[0] & 1) == 0;
}

template <class F>
F combined(const typename F::Wide& w, const typename F::Wide& v) {
  const Extended<F> p = completed<F>((w - v).reduced(), (w + w - v).reduced(),
                                     (w + w + v).reduced(), (w + v).reduced());
  return p.y_plus_x * p.y_minus_x + p.z.reduced() * p.t;
}

template <class F>
void field(FieldOperation operation, const Limbs* a, const Limbs* b, std::size_t size,
           Limbs* results) {
  constexpr unsigned kLanes = F::kLanes;
  for (std::size_t at = 0; at < size; at += kLanes) {
    const std::uint64_t* from_a[kLanes];
    const std::uint64_t* from_b[kLanes];
    std::uint64_t* to[kLanes];
    Limbs spare[kLanes];
    for (unsigned k = 0; k < kLanes; ++k) {
      const bool is_there = at + k < size;
      from_a[k] = a[is_there ? at + k : at].l;
      from_b[k] = b[is_there ? at + k : at].l;
      to[k] = is_there ? results[at + k].l : spare[k].l;
    }
    F x;
    F y;
    F::template load<1>(from_a, &x);
    F::template load<1>(from_b, &y);
    F result;
    switch (operation) {
      case FieldOperation::sum:
        result = x + y;
        break;
      case FieldOperation::difference:
        result = x - y;
        break;
      case FieldOperation::product:
        result = x * y;
        break;
      case FieldOperation::square:
        result = x.squared();
        break;
      case FieldOperation::combined:
        result = combined<F>(F::product(x, y), F::square(y));
        break;
      case FieldOperation::combined_loose:
        result = combined<F>(typename F::Wide(x), typename F::Wide(y));
        break;
    }
    result = result.canonical();
    F::template store<1>(to, &result);
  }
}

template <class F>
void multiply_repeatedly(const Limbs& a, std::size_t times, Limbs* result) {
  const F factor = F::constant(a);
  F chains[kIndependentProducts] = {factor, factor, factor, factor};
  for (std::size_t i = 0; i < times; ++i) {
    for (F& chain : chains) {
      chain = chain * factor;
    }
  }
  const F total = ((chains[0] + chains[1]) + (chains[2] + chains[3])).canonical();
  Limbs lanes[F::kLanes];
  std::uint64_t* to[F::kLanes];
  for (unsigned k = 0; k < F::kLanes; ++k) {
    to[k] = lanes[k].l;
  }
  F::template store<1>(to, &total);
  *result = lanes[0];
}

template <class F>
void decode(const std::uint8_t* encodings, std::size_t size, AffinePoint* points,
            std::uint8_t* valid) {
  constexpr unsigned kLanes = F::kLanes;
  for (std::size_t at = 0; at < size; at += kLanes) {
    const unsigned count = size - at < kLanes ? static_cast<unsigned>(size - at) : kLanes;
    Limbs in[kLanes];
    AffinePoint out[kLanes];
    bool canonical[kLanes];
    const std::uint64_t* from[kLanes];
    std::uint64_t* to[kLanes];
    for (unsigned k = 0; k < kLanes; ++k) {
      canonical[k] = read_canonical(encodings + 32 * (at + (k < count ? k : 0)), in[k]);
      from[k] = in[k].l;
      to[k] = out[k].x.l;
    }
    F s;
    F::template load<1>(from, &s);
    const Decoded<F> decoded = ristretto_decode(s);
    const F coordinates[2] = {decoded.x.canonical(), decoded.y.canonical()};
    F::template store<2>(to, coordinates);
    for (unsigned k = 0; k < count; ++k) {
      points[at + k] = out[k];
      valid[at + k] = canonical[k] && (decoded.valid >> k & 1) != 0 ? 1 : 0;
    }
  }
}

template <class F>
void to_niels(const Coordinates* points, std::size_t size, std::uint64_t* niels) {
  constexpr unsigned kLanes = F::kLanes;
  for (std::size_t at = 0; at < size; at += kLanes) {
    const unsigned count = size - at < kLanes ? static_cast<unsigned>(size - at) : kLanes;
    const std::uint64_t* from[kLanes];
    std::uint64_t* to[kLanes];
    std::uint64_t spare[kLanes][kNielsWords];
    for (unsigned k = 0; k < kLanes; ++k) {
      from[k] = points[at + (k < count ? k : 0)];
      to[k] = k < count ? niels + (at + k) * kNielsWords : spare[k];
    }
    F xy[2];
    F::template load<2>(from, xy);
    const Niels<F> result = to_niels(xy[0], xy[1]);
    const F fields[3] = {result.y_plus_x, result.y_minus_x, result.xy2d};
    F::template store<3>(to, fields);
  }
}

// add_lanes sums the lanes of one accumulator.
template <class F>
void add_lanes(const Extended<F>& lanes, ExtendedPoint* result) {
  ExtendedPoint parts[F::kLanes];
  std::uint64_t* places[F::kLanes];
  for (unsigned k = 0; k < F::kLanes; ++k) {
    places[k] = parts[k].y_minus_x.l;
  }
  store_points(lanes, places);
  Extended<PortableField> total = load_extended(parts[0]);
  for (unsigned k = 1; k < F::kLanes; ++k) {
    total = add(total, load_extended(parts[k]));
  }
  store_extended(total, *result);
}

template <class F>
void sum(const Coordinates* points, std::size_t size, ExtendedPoint* result) {
  constexpr unsigned kLanes = F::kLanes;
  Extended<F> total = Extended<F>::identity();
  const AffinePoint identity = {kZero, kOne};
  for (std::size_t at = 0; at < size; at += kLanes) {
    const std::uint64_t* from[kLanes];
    for (unsigned k = 0; k < kLanes; ++k) {
      from[k] = at + k < size ? points[at + k] : identity.x.l;
    }
    F xy[2];
    F::template load<2>(from, xy);
    total = add(total, to_niels(xy[0], xy[1]));
  }
  add_lanes(total, result);
}

// sort_by_digit puts the terms of one window in the order of their digits' magnitudes: those of
// bucket v are sorted[starts[v]] … sorted[starts[v + 1] − 1], as term·2 + sign. Terms with digit 0
// are left out.
inline void sort_by_digit(const Digit* digits, std::size_t size, std::uint32_t half,
                          const BucketMemory& memory) {
  std::uint32_t* const starts = memory.starts;
  for (std::uint32_t v = 0; v < half + 2; ++v) {
    starts[v] = 0;
  }
  for (std::size_t i = 0; i < size; ++i) {
    ++starts[digits[i] >> 1];
  }
  // Each becomes the end of its bucket, and, counted down, the start.
  starts[0] = 0;
  for (std::uint32_t v = 1; v < half + 2; ++v) {
    starts[v] += starts[v - 1];
  }
  for (std::size_t k = 0; k < kLookahead; ++k) {
    memory.sorted[starts[half] + k] = 0;
  }
  for (std::size_t i = size; i-- > 0;) {
    const std::uint32_t digit = digits[i];
    if (digit >> 1 != 0) {
      memory.sorted[--starts[digit >> 1]] = static_cast<std::uint32_t>(i) << 1 | (digit & 1);
    }
  }
}

// sort_by_count orders the buckets roughly by their number of terms, the fullest first, so that
// buckets worked on together end together.
inline void sort_by_count(const BucketMemory& memory, std::uint32_t half) {
  constexpr std::uint32_t kClasses = 256;
  const std::uint32_t* const starts = memory.starts;
  // Four times the average falls into the last class.
  const std::uint32_t average = (starts[half + 1] - starts[1]) / half + 1;
  const auto class_of = [&](std::uint32_t v) {
    const std::uint64_t count = starts[v + 1] - starts[v];
    const std::uint64_t scaled = count * (kClasses / 4) / average;
    return kClasses - 1 - static_cast<std::uint32_t>(scaled < kClasses ? scaled : kClasses - 1);
  };
  std::uint32_t ends[kClasses + 1] = {};
  for (std::uint32_t v = 1; v <= half; ++v) {
    ++ends[class_of(v) + 1];
  }
  for (std::uint32_t k = 1; k <= kClasses; ++k) {
    ends[k] += ends[k - 1];
  }
  for (std::uint32_t v = 1; v <= half; ++v) {
    memory.by_count[ends[class_of(v)]++] = v;
  }
}

// One bucket in each lane.
template <class F>
class Buckets {
 public:
  static constexpr unsigned kLanes = F::kLanes;

  Buckets(const Terms& terms, const BucketMemory& memory, const std::uint32_t* buckets)
      : points_(terms.points) {
    for (unsigned k = 0; k < kLanes; ++k) {
      const std::uint32_t v = buckets[k];
      next_[k] = memory.sorted + memory.starts[v];
      end_[k] = memory.sorted + memory.starts[v + 1];
      const auto count = static_cast<std::size_t>(end_[k] - next_[k]);
      most_ = count > most_ ? count : most_;
    }
  }
  [[nodiscard]] std::size_t most() const { return most_; }
  // next is the next point of each bucket, nothing where there is none left.
  PSEPHOS_LANES Niels<F> next() {
    static constexpr std::uint64_t kNothing[kNielsWords] = {1, 0, 0, 0, 0, 1};  // y + x = y − x = 1
    const std::uint64_t* from[kLanes];
    Mask minus = 0;
#pragma GCC unroll 8
    for (unsigned k = 0; k < kLanes; ++k) {
      const bool is_there = next_[k] < end_[k];
      const std::uint32_t term = *next_[k];
      const std::uint64_t* const soon =
          points_ + std::size_t{next_[k][kLookahead - 1] >> 1} * kNielsWords;
      from[k] = is_there ? points_ + std::size_t{term >> 1} * kNielsWords : kNothing;
      minus |= (term & std::uint32_t{is_there}) << k;
      next_[k] += std::size_t{is_there};
      __builtin_prefetch(soon);
      __builtin_prefetch(soon + kNielsWords / 2);
    }
    F fields[3];
    F::template load<3>(from, fields);
    return negative_where(minus, Niels<F>{fields[0], fields[1], fields[2]});
  }

 private:
  const std::uint64_t* points_;
  const std::uint32_t* next_[kLanes];
  const std::uint32_t* end_[kLanes];
  std::size_t most_ = 0;
};

// Lane k works on every kLanes-th bucket in the order of their counts: its sum stays in registers.
template <class F>
void fill_buckets(const Terms& terms, const BucketMemory& memory, std::uint32_t half) {
  constexpr unsigned kLanes = F::kLanes;
  for (std::uint32_t at = 0; at < half; at += kLanes) {
    Buckets<F> buckets(terms, memory, memory.by_count + at);
    Extended<F> sums = to_extended(buckets.next());
    for (std::size_t i = 1; i < buckets.most(); ++i) {
      sums = add(sums, buckets.next());
    }
    std::uint64_t* slots[kLanes];
    for (unsigned k = 0; k < kLanes; ++k) {
      slots[k] = memory.slots + memory.by_count[at + k] * kSlotWords;
    }
    store_points(sums, slots);
  }
}

// What a window's buckets come to: lane k takes those from k·part + 1 on, by running sums from the
// top. Σ v·bucket[v] = Σ total[k] + part·Σ k·running[k].
template <unsigned kLanes>
struct WindowParts {
  ExtendedPoint total[kLanes];
  ExtendedPoint running[kLanes];
};
template <class F>
void reduce_buckets(const std::uint64_t* slots, std::uint32_t part,
                    WindowParts<F::kLanes>* result) {
  constexpr unsigned kLanes = F::kLanes;
  Extended<F> running = Extended<F>::identity();
  Extended<F> total = running;
  for (std::uint32_t v = part; v > 0; --v) {
    const std::uint64_t* from[kLanes];
    for (unsigned k = 0; k < kLanes; ++k) {
      from[k] = slots + (std::size_t{k} * part + v) * kSlotWords;
    }
    running = add(running, load_points<F>(from));
    total = add(total, running);
  }
  std::uint64_t* totals[kLanes];
  std::uint64_t* runnings[kLanes];
  for (unsigned k = 0; k < kLanes; ++k) {
    totals[k] = result->total[k].y_minus_x.l;
    runnings[k] = result->running[k].y_minus_x.l;
  }
  store_points(total, totals);
  store_points(running, runnings);
}
// combine_parts ends as many windows at once as there are lanes.
template <class F>
void combine_parts(const WindowParts<F::kLanes>* parts, std::uint32_t part, unsigned count,
                   ExtendedPoint* window_sums) {
  constexpr unsigned kLanes = F::kLanes;
  const auto gathered = [&](const ExtendedPoint* first) {
    const std::uint64_t* from[kLanes];
    for (unsigned w = 0; w < kLanes; ++w) {
      constexpr std::size_t kStride = sizeof(WindowParts<kLanes>) / sizeof(std::uint64_t);
      from[w] = first->y_minus_x.l + (w < count ? w : 0) * kStride;
    }
    return load_points<F>(from);
  };
  Extended<F> above = Extended<F>::identity();
  Extended<F> sums = above;
  for (unsigned k = kLanes; k-- > 1;) {
    above = add(above, gathered(&parts->running[k]));
    sums = add(sums, above);
  }
  for (std::uint32_t times = part; times > 1; times /= 2) {
    sums = doubled(sums);
  }
  for (unsigned k = 0; k < kLanes; ++k) {
    sums = add(sums, gathered(&parts->total[k]));
  }
  ExtendedPoint spare[kLanes];
  std::uint64_t* to[kLanes];
  for (unsigned w = 0; w < kLanes; ++w) {
    to[w] = (w < count ? window_sums : spare)[w].y_minus_x.l;
  }
  store_points(sums, to);
}

template <class F>
void bucket_sums(const Terms& terms, const BucketMemory& memory, ExtendedPoint* window_sums) {
  constexpr unsigned kLanes = F::kLanes;
  const std::uint32_t half = std::uint32_t{1} << (terms.window_bits - 1);
  const std::uint32_t part = half / kLanes;
  WindowParts<kLanes> parts[kLanes];
  for (unsigned first = 0; first < terms.num_windows; first += kLanes) {
    const unsigned left = terms.num_windows - first;
    const unsigned count = left < kLanes ? left : kLanes;
    for (unsigned w = 0; w < count; ++w) {
      sort_by_digit(terms.digits + (first + w) * terms.size, terms.size, half, memory);
      sort_by_count(memory, half);
      fill_buckets<F>(terms, memory, half);
      reduce_buckets<F>(memory.slots, part, &parts[w]);
    }
    combine_parts<F>(parts, part, count, window_sums + first);
  }
}

// Lane k works on every kLanes-th point: a table of its multiples 0 … 8, then one shared chain of
// doublings.
template <class F>
void straus(const Terms& terms, std::uint64_t* slots, ExtendedPoint* result) {
  constexpr unsigned kLanes = F::kLanes;
  constexpr unsigned kMultiples = 9;
  constexpr std::size_t kTable = kMultiples * kSlotWords;
  static constexpr std::uint64_t kNothing[kNielsWords] = {1, 0, 0, 0, 0, 1};
  std::uint64_t* places[kLanes];
  for (std::size_t at = 0; at < terms.size; at += kLanes) {
    const std::uint64_t* from[kLanes];
    for (unsigned k = 0; k < kLanes; ++k) {
      from[k] = at + k < terms.size ? terms.points + (at + k) * kNielsWords : kNothing;
    }
    F fields[3];
    F::template load<3>(from, fields);
    const Niels<F> point = {fields[0], fields[1], fields[2]};
    Extended<F> multiple = Extended<F>::identity();
    for (unsigned m = 0; m < kMultiples; ++m) {
      for (unsigned k = 0; k < kLanes; ++k) {
        places[k] = slots + (at + k) * kTable + m * kSlotWords;
      }
      store_points(multiple, places);
      multiple = m == 0 ? to_extended(point) : add(multiple, point);
    }
  }
  Extended<F> total = Extended<F>::identity();
  for (unsigned window = terms.num_windows; window-- > 0;) {
    const Digit* const digits = terms.digits + window * terms.size;
    for (unsigned i = 0; i < terms.window_bits; ++i) {
      total = doubled(total);
    }
    for (std::size_t at = 0; at < terms.size; at += kLanes) {
      Mask minus = 0;
      for (unsigned k = 0; k < kLanes; ++k) {
        const Digit digit = at + k < terms.size ? digits[at + k] : 0;
        places[k] = slots + (at + k) * kTable + (digit >> 1) * kSlotWords;
        minus |= Mask{digit & 1U} << k;
      }
      total = add(total, negative_where(minus, load_points<F>(places)));
    }
  }
  add_lanes(total, result);
}

// Decoding is done by D: one element in each lane, or a pair of them.
template <class F, class D>
constexpr Backend make_backend(const char* name, bool (*is_supported)()) noexcept {
  return {name,      F::kLanes,   is_supported, field<F>,       multiply_repeatedly<F>,
          decode<D>, to_niels<F>, sum<F>,       bucket_sums<F>, straus<F>};
}

}  // namespace
}  // namespace psephos::crypto::vartime
