// Multiples of fixed points from tables, constant time in the scalars. A scalar is written with 64
// signed digits of radix 16, −8 … 8; the table of a base has 1 … 8 times 16^i times the base for
// each place i. A digit's multiple is found by reading all eight, and negated or not by a mask.
#include <algorithm>
#include <array>
#include <bit>

#include "psephos/crypto/multiplier.h"

#include "crypto/ct/edwards.h"
#include "crypto/declassify.h"
#include "crypto/point_access.h"

namespace psephos::crypto {

namespace {

using ct::Extended;
using ct::Field;
using ct::Mask;
using ct::Niels;

constexpr std::size_t kPlaces = 64;
constexpr std::size_t kMultiples = 8;

// The words of a point as additions want it (ct::Niels), read two at a time; the last is not used.
using Words = std::uint64_t __attribute__((vector_size(16)));
constexpr std::size_t kWords = 8;
using Entry = std::array<Words, kWords>;
using Window = std::array<Entry, kMultiples>;
using Table = std::array<Window, kPlaces>;

constexpr std::size_t kLimbs = 5;

Entry to_entry(const Niels& point) {
  std::array<std::uint64_t, 2 * kWords> words{};
  auto next = words.begin();
  for (const Field* field : {&point.y_plus_x, &point.y_minus_x, &point.xy2d}) {
    next = std::ranges::copy(field->canonical().limbs(), next).out;
  }
  return std::bit_cast<Entry>(words);
}
Niels from_entry(const Entry& entry) {
  const auto words = std::bit_cast<std::array<std::uint64_t, 2 * kWords>>(entry);
  const auto field = [&](std::size_t k) {
    return Field(std::span(words).subspan(kLimbs * k).first<kLimbs>());
  };
  return {field(0), field(1), field(2)};
}

Table make_table(const Point& point) {
  std::vector<Extended> multiples;
  multiples.reserve(kPlaces * kMultiples);
  Extended step = ct::decode(point.bytes());
  for (std::size_t i = 0; i < kPlaces; ++i) {
    Extended next = step;
    for (std::size_t k = 0; k < kMultiples; ++k) {
      multiples.push_back(next);
      next = next + step;
    }
    step = multiples.back() + multiples.back();
  }
  std::vector<Field> z_inverses;
  z_inverses.reserve(multiples.size());
  for (const Extended& p : multiples) {
    z_inverses.push_back(p.Z);
  }
  ct::inverses(z_inverses);
  Table table;
  for (std::size_t n = 0; n < multiples.size(); ++n) {
    const Field x = multiples[n].X * z_inverses[n];
    const Field y = multiples[n].Y * z_inverses[n];
    table[n / kMultiples][n % kMultiples] = to_entry({y + x, y - x, x * y * ct::k2D});
  }
  return table;
}

// Digits −8 … 7 of a number, least first; the last takes what is left, and must not be above 8.
// bytes: two digits each.
void to_digits(ByteView bytes, std::span<std::int8_t> digits) {
  int carry = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const int digit = (bytes[i / 2] >> (4 * (i % 2)) & 15) + carry;
    carry = i + 1 < digits.size() ? (digit + 8) >> 4 : 0;
    digits[i] = static_cast<std::int8_t>(digit - carry * 16);
  }
}

// The multiple for a digit; the identity for 0.
Niels look_up(const Window& window, std::int8_t digit) {
  const auto value = static_cast<std::uint64_t>(std::int64_t{digit});
  const Mask minus = ct::mask_of(value >> 63);
  const std::uint64_t magnitude = (value ^ minus) - minus;
  Entry found{};
  const std::uint64_t zero = ct::is_zero(magnitude) & 1;  // the identity: y + x = y − x = 1
  found[0][0] = zero;
  found[kLimbs / 2][kLimbs % 2] = zero;
  for (std::size_t k = 0; k < kMultiples; ++k) {
    const Mask mask = ct::is_zero(magnitude ^ (k + 1));
#pragma GCC unroll 8
    for (std::size_t w = 0; w < kWords; ++w) {
      found[w] |= window[k][w] & Words{mask, mask};
    }
  }
  const Niels sum = from_entry(found);
  return {Field::select(minus, sum.y_minus_x, sum.y_plus_x),
          Field::select(minus, sum.y_plus_x, sum.y_minus_x),
          Field::select(minus, ct::negative(sum.xy2d), sum.xy2d)};
}

Extended add_multiple(Extended sum, const Table& table, std::span<const std::int8_t> digits) {
  for (std::size_t i = 0; i < digits.size(); ++i) {
    sum = sum + look_up(table[i], digits[i]);
  }
  return sum;
}

}  // namespace

struct TableMultiplier::Tables {
  std::vector<Point> bases;
  std::vector<Table> halves;  // of half of each base: sums are doubled when they are encoded
};

TableMultiplier::TableMultiplier(const Bases& bases) {
  auto tables = std::make_unique<Tables>();
  tables->bases.assign(bases.points().begin(), bases.points().end());
  const Scalar half = Scalar::from_u64(2).inverse();
  tables->halves.reserve(tables->bases.size());
  for (const Point& base : tables->bases) {
    tables->halves.push_back(make_table(half * base));
  }
  tables_ = std::move(tables);
}

TableMultiplier::~TableMultiplier() = default;

std::vector<Point> TableMultiplier::sums(const Bases& bases,
                                         std::span<const SecretSum> sums) const {
  PSEPHOS_CHECK(std::ranges::equal(bases.points(), tables_->bases));
  const auto table = [&](std::uint32_t base) -> const Table& {
    PSEPHOS_CHECK(base < tables_->halves.size());
    return tables_->halves[base];
  };
  std::array<std::int8_t, kPlaces> digits;
  std::array<std::uint8_t, 5> value{};  // up to nine digits
  std::vector<Extended> totals(sums.size(), Extended::identity());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    for (const auto& [base, scalar] : sums[i].products) {
      to_digits(scalar->expose_secret(), digits);
      totals[i] = add_multiple(totals[i], table(base), digits);
    }
    for (const auto& [base, weight, bit] : sums[i].choices) {
      // weight or 0, in as many digits as the weight has.
      for (std::size_t k = 0; k < 4; ++k) {
        value[k] = static_cast<std::uint8_t>((weight >> (8 * k)) & ct::mask_of(*bit));
      }
      const auto num_digits = static_cast<std::size_t>(std::bit_width(weight)) / 4 + 1;
      to_digits(value, std::span(digits).first(num_digits));
      totals[i] = add_multiple(totals[i], table(base), std::span(digits).first(num_digits));
    }
  }
  std::vector<Point> results;
  results.reserve(sums.size());
  for (const auto& encoding : ct::encode_doubled(totals)) {
    results.push_back(PointAccess::from_valid(declassified(std::span(encoding))));
  }
  wipe({reinterpret_cast<std::uint8_t*>(totals.data()), totals.size() * sizeof(Extended)});
  wipe({reinterpret_cast<std::uint8_t*>(digits.data()), digits.size()});
  wipe(value);
  return results;
}

}  // namespace psephos::crypto
