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
void to_niels(const AffinePoint* points, std::size_t size, NielsPoint* niels) {
  constexpr unsigned kLanes = F::kLanes;
  for (std::size_t at = 0; at < size; at += kLanes) {
    const unsigned count = size - at < kLanes ? static_cast<unsigned>(size - at) : kLanes;
    const std::uint64_t* from[kLanes];
    std::uint64_t* to[kLanes];
    NielsPoint spare[kLanes];
    for (unsigned k = 0; k < kLanes; ++k) {
      from[k] = points[at + (k < count ? k : 0)].x.l;
      to[k] = k < count ? niels[at + k].y_plus_x.l : spare[k].y_plus_x.l;
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

// Lane k works on window first + k with buckets of its own, so lanes never meet in a bucket. Bucket
// 0 takes what has digit 0, and is never read.
template <class F>
void bucket_sums(const Terms& terms, std::uint64_t* slots, ExtendedPoint* window_sums) {
  constexpr unsigned kLanes = F::kLanes;
  const unsigned c = terms.window_bits;
  const std::size_t half = std::size_t{1} << (c - 1);
  const std::size_t stride = (half + 1) * kSlotWords;
  const Extended<F> identity = Extended<F>::identity();
  for (unsigned first = 0; first < terms.num_windows; first += kLanes) {
    const unsigned active = terms.num_windows - first < kLanes ? terms.num_windows - first : kLanes;
    std::uint64_t* places[kLanes];
    const auto all_at = [&](std::size_t value) {
      for (unsigned k = 0; k < kLanes; ++k) {
        places[k] = slots + k * stride + value * kSlotWords;
      }
    };
    for (std::size_t value = 0; value <= half; ++value) {
      all_at(value);
      F::template store<4>(places, identity.c);
    }
    for (std::size_t i = 0; i < terms.size; ++i) {
      const bool term_negative = terms.negative[i] != 0;
      Mask minus = 0;
      std::uint32_t any = 0;
      all_at(0);
      for (unsigned k = 0; k < active; ++k) {
        const Digit digit = digit_of(terms.scalars[i], first + k, c);
        any |= digit.magnitude;
        places[k] += digit.magnitude * kSlotWords;
        minus |= Mask{digit.negative != term_negative} << k;
      }
      if (any == 0) {
        continue;
      }
      const NielsPoint& point = terms.points[i];
      const Niels<F> term = {F::constant(point.y_plus_x), F::constant(point.y_minus_x),
                             F::constant(point.xy2d)};
      Extended<F> bucket;
      F::template load<4>(places, bucket.c);
      const Extended<F> result = add(bucket, term, minus);
      F::template store<4>(places, result.c);
    }
    // Σ value·bucket[value], by running sums from the top.
    Extended<F> running = identity;
    Extended<F> total = identity;
    for (std::size_t value = half; value > 0; --value) {
      all_at(value);
      Extended<F> bucket;
      F::template load<4>(places, bucket.c);
      running = add(running, bucket);
      total = add(total, running);
    }
    ExtendedPoint spare[kLanes];
    for (unsigned k = 0; k < kLanes; ++k) {
      places[k] = k < active ? window_sums[first + k].X.l : spare[k].X.l;
    }
    F::template store<4>(places, total.c);
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
  const NielsPoint nothing = {kOne, kOne, kZero};
  std::uint64_t* places[kLanes];
  for (std::size_t at = 0; at < terms.size; at += kLanes) {
    const std::uint64_t* from[kLanes];
    for (unsigned k = 0; k < kLanes; ++k) {
      from[k] = at + k < terms.size ? terms.points[at + k].y_plus_x.l : nothing.y_plus_x.l;
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
      const Mask mask = minus;
      term.c[0] = F::select(mask, negative(term.c[0]), term.c[0]);
      term.c[3] = F::select(mask, negative(term.c[3]), term.c[3]);
      total = add(total, term);
    }
  }
  add_lanes(total, result);
}

template <class F>
constexpr Backend make_backend(const char* name, bool (*is_supported)()) {
  return {name,        F::kLanes, is_supported,   field<F>, multiply_repeatedly<F>, decode<Pair<F>>,
          to_niels<F>, sum<F>,    bucket_sums<F>, straus<F>};
}

}  // namespace
}  // namespace psephos::crypto::vartime
