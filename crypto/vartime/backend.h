// What one CPU's code offers for public points. All back ends compute the same. Plain functions
// over plain memory: their code is compiled for one CPU and must bring nothing of its own into
// another's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "crypto/vartime/coordinates.h"

namespace psephos::crypto::vartime {

// An extended point in working memory takes 24 words, a Niels point 16: whole cache lines.
inline constexpr std::size_t kSlotWords = 24;
inline constexpr std::size_t kNielsWords = 16;

// One digit of one term: its magnitude·2, + 1 if it is to be subtracted.
using Digit = std::uint16_t;

// Terms Σ over w of ± digit(w)·2^(c·w)·point of a sum, for windows of c bits and digits of
// magnitude up to 2^(c−1).
struct Terms {
  const std::uint64_t* points;  // kNielsWords each
  const Digit* digits;          // all terms' of the first window, then of the next, …
  std::size_t size;
  unsigned window_bits;
  unsigned num_windows;
};

// Indices past the end of BucketMemory::sorted that may be looked at, to fetch points in advance.
inline constexpr std::size_t kLookahead = 4;

// Working memory of bucket_sums, for windows of c bits with 2^(c−1) buckets.
struct BucketMemory {
  std::uint64_t* slots;     // 2^(c−1) + 1
  std::uint32_t* sorted;    // terms + kLookahead
  std::uint32_t* starts;    // 2^(c−1) + 2
  std::uint32_t* by_count;  // 2^(c−1)
};

// combined and combined_loose: what an addition of points does with its four products before it
// multiplies them once more. With w = a·b, v = b² (loose: w = a, v = b, limbs below 2^51 + 2^12):
// e = w − v, f = 2w − v, g = 2w + v, h = w + v; ((g·h)² − (f·e)²) + (f·g)·(e·h).
enum class FieldOperation : std::uint8_t {
  sum,
  difference,
  product,
  square,
  combined,
  combined_loose,
};

inline constexpr unsigned kIndependentProducts = 4;

struct Backend {
  const char* name;
  unsigned lanes;
  bool (*is_supported)();
  // field applies an operation to each pair of loose elements; the results are canonical. For
  // tests.
  void (*field)(FieldOperation operation, const Limbs* a, const Limbs* b, std::size_t size,
                Limbs* results);
  // multiply_repeatedly does kIndependentProducts chains of `times` products in each lane, and
  // nothing else. For measurements.
  void (*multiply_repeatedly)(const Limbs& a, std::size_t times, Limbs* result);
  // decode: RFC 9496 §4.3.1 of `size` strings of 32 bytes; valid[i] is 1 or 0. The coordinates are
  // canonical.
  void (*decode)(const std::uint8_t* encodings, std::size_t size, AffinePoint* points,
                 std::uint8_t* valid);
  // to_niels writes kNielsWords per point: y + x, y − x, 2d·x·y, and one word of nothing.
  void (*to_niels)(const Coordinates* points, std::size_t size, std::uint64_t* niels);
  void (*sum)(const Coordinates* points, std::size_t size, ExtendedPoint* result);
  // Pippenger: window_sums[w] = Σ ± digit(w)·point. At most 2^31 terms; 2^(c−1) ≥ lanes.
  void (*bucket_sums)(const Terms& terms, const BucketMemory& memory, ExtendedPoint* window_sums);
  // Straus: the whole sum, for windows of 4 bits. `slots`: 9·(size rounded up to whole lanes).
  void (*straus)(const Terms& terms, std::uint64_t* slots, ExtendedPoint* result);
};

extern const Backend kPortable;
#ifdef __x86_64__
extern const Backend kAvx2;
extern const Backend kIfma;
#endif

}  // namespace psephos::crypto::vartime
