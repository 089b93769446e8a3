// The algorithms of a back end, over any field of lanes.
#pragma once

#include "crypto/vartime/backend.h"
#include "crypto/vartime/edwards.h"
#include "crypto/vartime/field_pair.h"
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
void to_niels(const AffinePoint* points, std::size_t size, std::uint64_t* niels) {
  constexpr unsigned kLanes = F::kLanes;
  for (std::size_t at = 0; at < size; at += kLanes) {
    const unsigned count = size - at < kLanes ? static_cast<unsigned>(size - at) : kLanes;
    const std::uint64_t* from[kLanes];
    std::uint64_t* to[kLanes];
    std::uint64_t spare[kLanes][kNielsWords];
    for (unsigned k = 0; k < kLanes; ++k) {
      from[k] = points[at + (k < count ? k : 0)].x.l;
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
    places[k] = parts[k].X.l;
  }
  F::template store<4>(places, lanes.c);
  Extended<PortableField> total = load_extended(parts[0]);
  for (unsigned k = 1; k < F::kLanes; ++k) {
    total = add(total, load_extended(parts[k]));
  }
  store_extended(total, *result);
}

template <class F>
void sum(const AffinePoint* points, std::size_t size, ExtendedPoint* result) {
  constexpr unsigned kLanes = F::kLanes;
  Extended<F> total = Extended<F>::identity();
  const AffinePoint identity = {kZero, kOne};
  for (std::size_t at = 0; at < size; at += kLanes) {
    const std::uint64_t* from[kLanes];
    for (unsigned k = 0; k < kLanes; ++k) {
      from[k] = at + k < size ? points[at + k].x.l : identity.x.l;
    }
    F xy[2];
    F::template load<2>(from, xy);
    total = add(total, to_niels(xy[0], xy[1]), 0);
  }
  add_lanes(total, result);
}

struct Digit {
  std::uint32_t magnitude;
  bool negative;
};
inline Digit digit_of(const WindowedScalar& scalar, unsigned window, unsigned window_bits) {
  const unsigned bit = window_bits * window;
  const unsigned shift = bit % 64;
  const std::uint64_t low = scalar.words[bit / 64] >> shift;
  const std::uint64_t high = shift == 0 ? 0 : scalar.words[bit / 64 + 1] << (64 - shift);
  const std::int32_t half = std::int32_t{1} << (window_bits - 1);
  const std::int32_t value =
      static_cast<std::int32_t>((low | high) & ((std::uint64_t{1} << window_bits) - 1)) - half;
  return {static_cast<std::uint32_t>(value < 0 ? -value : value), value < 0};
}

// sort_by_digit puts the terms of one window in the order of their digits' magnitudes: those of
// bucket v are sorted[starts[v]] … sorted[starts[v + 1] − 1], as term·2 + sign. Terms with digit 0
// are left out.
inline void sort_by_digit(const Terms& terms, unsigned window, const BucketMemory& memory) {
  const std::uint32_t half = std::uint32_t{1} << (terms.window_bits - 1);
  std::uint32_t* const starts = memory.starts;
  for (std::uint32_t v = 0; v < half + 2; ++v) {
    starts[v] = 0;
  }
  for (std::size_t i = 0; i < terms.size; ++i) {
    const Digit digit = digit_of(terms.scalars[i], window, terms.window_bits);
    const bool minus = digit.negative != (terms.negative[i] != 0);
    memory.digits[i] = digit.magnitude << 1 | std::uint32_t{minus};
    ++starts[digit.magnitude];
  }
  // Each becomes the end of its bucket, and, counted down, the start.
  starts[0] = 0;
  for (std::uint32_t v = 1; v < half + 2; ++v) {
    starts[v] += starts[v - 1];
  }
  for (std::size_t i = terms.size; i-- > 0;) {
    const std::uint32_t digit = memory.digits[i];
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

// Lane k works on every kLanes-th bucket in the order of their counts: its sum stays in registers.
template <class F>
void fill_buckets(const Terms& terms, const BucketMemory& memory, std::uint32_t half) {
  constexpr unsigned kLanes = F::kLanes;
  static constexpr std::uint64_t kNothing[kNielsWords] = {1, 0, 0, 0, 0, 1};  // y + x = y − x = 1
  for (std::uint32_t at = 0; at < half; at += kLanes) {
    const std::uint32_t* next[kLanes];
    const std::uint32_t* end[kLanes];
    std::uint64_t* slot[kLanes];
    std::size_t most = 0;
    for (unsigned k = 0; k < kLanes; ++k) {
      const std::uint32_t v = memory.by_count[at + k];
      next[k] = memory.sorted + memory.starts[v];
      end[k] = memory.sorted + memory.starts[v + 1];
      slot[k] = memory.slots + v * kSlotWords;
      const auto count = static_cast<std::size_t>(end[k] - next[k]);
      most = count > most ? count : most;
    }
    Extended<F> bucket = Extended<F>::identity();
    for (std::size_t i = 0; i < most; ++i) {
      const std::uint64_t* from[kLanes];
      Mask minus = 0;
      for (unsigned k = 0; k < kLanes; ++k) {
        from[k] = kNothing;
        if (next[k] < end[k]) {
          const std::uint32_t term = *next[k]++;
          from[k] = terms.points + std::size_t{term >> 1} * kNielsWords;
          minus |= Mask{term & 1} << k;
          if (next[k] < end[k]) {
            const std::uint64_t* const soon =
                terms.points + std::size_t{*next[k] >> 1} * kNielsWords;
            __builtin_prefetch(soon);
            __builtin_prefetch(soon + kNielsWords / 2);
          }
        }
      }
      F fields[3];
      F::template load<3>(from, fields);
      bucket = add(bucket, {fields[0], fields[1], fields[2]}, minus);
    }
    F::template store<4>(slot, bucket.c);
  }
}

// Σ v·bucket[v]: lane k takes the buckets from k·part + 1 on, by running sums from the top.
template <class F>
void reduce_buckets(const std::uint64_t* slots, std::uint32_t half, ExtendedPoint* window_sum) {
  constexpr unsigned kLanes = F::kLanes;
  const std::uint32_t part = half / kLanes;
  Extended<F> running = Extended<F>::identity();
  Extended<F> total = running;
  for (std::uint32_t v = part; v > 0; --v) {
    const std::uint64_t* from[kLanes];
    for (unsigned k = 0; k < kLanes; ++k) {
      from[k] = slots + (std::size_t{k} * part + v) * kSlotWords;
    }
    Extended<F> bucket;
    F::template load<4>(from, bucket.c);
    running = add(running, bucket);
    total = add(total, running);
  }
  // Σ total[k] + part·Σ k·running[k]
  ExtendedPoint runnings[kLanes];
  std::uint64_t* places[kLanes];
  for (unsigned k = 0; k < kLanes; ++k) {
    places[k] = runnings[k].X.l;
  }
  F::template store<4>(places, running.c);
  Extended<PortableField> above = Extended<PortableField>::identity();
  Extended<PortableField> weighted = above;
  for (unsigned k = kLanes; k-- > 1;) {
    above = add(above, load_extended(runnings[k]));
    weighted = add(weighted, above);
  }
  for (std::uint32_t times = part; times > 1; times /= 2) {
    weighted = doubled(weighted);
  }
  ExtendedPoint lanes_sum;
  add_lanes(total, &lanes_sum);
  store_extended(add(weighted, load_extended(lanes_sum)), *window_sum);
}

template <class F>
void bucket_sums(const Terms& terms, const BucketMemory& memory, ExtendedPoint* window_sums) {
  const std::uint32_t half = std::uint32_t{1} << (terms.window_bits - 1);
  for (unsigned window = 0; window < terms.num_windows; ++window) {
    sort_by_digit(terms, window, memory);
    sort_by_count(memory, half);
    fill_buckets<F>(terms, memory, half);
    reduce_buckets<F>(memory.slots, half, &window_sums[window]);
  }
}

// Lane k works on every kLanes-th point: a table of its multiples 0 … 8, then one shared chain of
// doublings.
template <class F>
void straus(const Terms& terms, std::uint64_t* slots, ExtendedPoint* result) {
  constexpr unsigned kLanes = F::kLanes;
  constexpr unsigned kMultiples = 9;
  constexpr std::size_t kTable = kMultiples * kSlotWords;
  const Extended<F> identity = Extended<F>::identity();
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
    Extended<F> multiple = identity;
    for (unsigned m = 0; m < kMultiples; ++m) {
      for (unsigned k = 0; k < kLanes; ++k) {
        places[k] = slots + (at + k) * kTable + m * kSlotWords;
      }
      F::template store<4>(places, multiple.c);
      multiple = add(multiple, point, 0);
    }
  }
  Extended<F> total = identity;
  for (unsigned window = terms.num_windows; window-- > 0;) {
    for (unsigned i = 0; i < terms.window_bits; ++i) {
      total = doubled(total);
    }
    for (std::size_t at = 0; at < terms.size; at += kLanes) {
      Mask minus = 0;
      for (unsigned k = 0; k < kLanes; ++k) {
        places[k] = slots + (at + k) * kTable;
        if (at + k < terms.size) {
          const Digit digit = digit_of(terms.scalars[at + k], window, terms.window_bits);
          places[k] += digit.magnitude * kSlotWords;
          minus |= Mask{digit.negative != (terms.negative[at + k] != 0)} << k;
        }
      }
      Extended<F> term;
      F::template load<4>(places, term.c);
      term.c[0] = F::select(minus, negative(term.c[0]), term.c[0]);
      term.c[3] = F::select(minus, negative(term.c[3]), term.c[3]);
      total = add(total, term);
    }
  }
  add_lanes(total, result);
}

template <class F>
constexpr Backend make_backend(const char* name, bool (*is_supported)()) noexcept {
  return {name,        F::kLanes, is_supported,   field<F>, multiply_repeatedly<F>, decode<Pair<F>>,
          to_niels<F>, sum<F>,    bucket_sums<F>, straus<F>};
}

}  // namespace
}  // namespace psephos::crypto::vartime
