#include "psephos/crypto/multiplier.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"
#include "tests/support/vectors.h"

namespace psephos::crypto {
namespace {

using test::Field;

// One scalar times one base.
Point product(const Multiplier& multiplier, const Bases& bases, std::uint32_t base,
              const Scalar& scalar) {
  const SecretScalar secret = SecretScalar::from_public(scalar);
  const SecretSum sum{.products = {{base, &secret}}, .choices = {}};
  return multiplier.sums(bases, {&sum, 1}).front();
}

// Scalars whose digits are easily got wrong: around 0 and q, powers of two and their neighbours,
// one digit everywhere in radix 16.
std::vector<Scalar> edge_scalars() {
  std::vector<Scalar> scalars = {Scalar(), Scalar::one(), -Scalar::one(),
                                 Scalar::from_u64(2).inverse()};
  Scalar power = Scalar::one();
  for (unsigned k = 0; k < 253; ++k) {
    for (const Scalar& s : {power, power - Scalar::one(), -power}) {
      scalars.push_back(s);
    }
    power = power + power;
  }
  for (std::uint8_t digit = 0; digit < 16; ++digit) {
    std::array<std::uint8_t, 32> bytes;
    bytes.fill(static_cast<std::uint8_t>(digit * 17));
    bytes[31] = digit % 2 == 0 ? 0x0f : 0x00;
    scalars.push_back(scalar(bytes));
    std::array<std::uint8_t, 64> wide;  // what reduction makes of them
    wide.fill(static_cast<std::uint8_t>(digit * 17));
    scalars.push_back(Scalar::reduce(wide));
  }
  return scalars;
}

TEST(Multiplier, TablesGiveTheMultiplesOfRfc9496) {
  PSEPHOS_LOAD_VECTORS(vectors, "rfc9496_ristretto255.json", "small_multiples");
  const std::vector<Field> multiples = vectors.root().array();
  const Bases bases(generator(99), 0);
  const TableMultiplier tables(bases);
  for (std::size_t i = 0; i < multiples.size(); ++i) {
    EXPECT_EQ(hex(product(tables, bases, Bases::kG, Scalar::from_u64(i)).bytes()),
              multiples[i].str());
  }
}

TEST(Multiplier, TablesGiveProductsOfLibsodiumAndNoble) {
  PSEPHOS_LOAD_VECTORS(vectors, "rfc9496_ristretto255.json", "arithmetic");
  for (const Field& item : vectors.root().array()) {
    for (const char* other : {"sum", "diff", "neg"}) {
      item.ignore(other, "point_test");
    }
    const Bases bases(point(item["aB"].hex()), 0);
    const TableMultiplier tables(bases);
    EXPECT_EQ(hex(product(tables, bases, Bases::kG, scalar(item["a"].hex())).bytes()),
              item["aB"].str());
    EXPECT_EQ(hex(product(tables, bases, Bases::kK, scalar(item["b"].hex())).bytes()),
              item["abB"].str());
  }
}

TEST(Multiplier, EdgeScalars) {
  test::SeededRandom random;
  const Bases bases(random_point(random), 1);
  const TableMultiplier tables(bases);
  for (const Scalar& scalar : edge_scalars()) {
    for (std::uint32_t base = 0; base < bases.points().size(); ++base) {
      ASSERT_EQ(product(tables, bases, base, scalar), scalar * bases.points()[base])
          << base << " " << hex(scalar.bytes());
    }
  }
}

// Each digit at each place, alone.
TEST(Multiplier, EveryDigitAtEveryPlace) {
  const Bases bases(generator(99), 0);
  const TableMultiplier tables(bases);
  Scalar place = Scalar::one();
  for (unsigned i = 0; i < 63; ++i) {
    for (std::uint64_t digit = 1; digit < 16; ++digit) {
      const Scalar scalar = Scalar::from_u64(digit) * place;
      ASSERT_EQ(product(tables, bases, Bases::kK, scalar), scalar * generator(99)) << i;
    }
    place = Scalar::from_u64(16) * place;
  }
}

// The joint key may be any element that is not the identity; so may a sum be.
TEST(Multiplier, SumsAreTheirDefinition) {
  test::SeededRandom random;
  for (std::size_t i = 0; i < test::iterations(20); ++i) {
    const Bases bases(random_point(random), random.below(4));
    const TableMultiplier tables(bases);
    const SodiumMultiplier sodium;
    const auto num_bases = static_cast<std::uint32_t>(bases.points().size());
    const std::size_t num_terms = 1 + random.below(6);
    std::vector<Scalar> scalars;
    std::vector<SecretScalar> secrets;
    Bytes bits;
    for (std::size_t k = 0; k < num_terms; ++k) {
      scalars.push_back(random.below(4) == 0 ? Scalar() : random_scalar(random));
      secrets.push_back(SecretScalar::from_public(scalars.back()));
      bits.push_back(static_cast<std::uint8_t>(random.below(2)));
    }
    std::vector<SecretSum> sums(random.below(5));
    std::vector<Point> expected;
    for (SecretSum& sum : sums) {
      Point& total = expected.emplace_back();
      for (std::size_t k = 0; k < num_terms; ++k) {
        const auto base = static_cast<std::uint32_t>(random.below(num_bases));
        const auto weight =
            static_cast<std::uint32_t>(random.below(std::uint64_t{1} << random.below(33)));
        if (random.below(2) == 0) {
          sum.products.push_back({base, &secrets[k]});
          total = total + scalars[k] * bases.points()[base];
        } else {
          sum.choices.push_back({.base = base, .weight = weight, .bit = &bits[k]});
          total = total + Scalar::from_u64(std::uint64_t{weight} * bits[k]) * bases.points()[base];
        }
      }
    }
    EXPECT_EQ(tables.sums(bases, sums), expected);
    EXPECT_EQ(sodium.sums(bases, sums), expected);
  }
}

// Terms that cancel or are the same point meet the additions that incomplete formulas get wrong.
TEST(Multiplier, TermsThatCancelOrDouble) {
  test::SeededRandom random;
  const Bases bases(Point::base(), 1);  // K = G
  const TableMultiplier tables(bases);
  const Scalar value = random_scalar(random);
  const SecretScalar plus = SecretScalar::from_public(value);
  const SecretScalar minus = SecretScalar::from_public(-value);
  const std::uint8_t yes = 1;
  const std::vector<SecretSum> sums = {
      {.products = {{Bases::kG, &plus}, {Bases::kK, &minus}}, .choices = {}},
      {.products = {{Bases::kG, &plus}, {Bases::kK, &plus}}, .choices = {}},
      {.products = {}, .choices = {}},
      {.products = {}, .choices = {{Bases::kG, 1, &yes}, {Bases::kK, 1, &yes}}},
      {.products = {}, .choices = {{Bases::kG, 0xffffffff, &yes}, {Bases::kG, 1, &yes}}}};
  const std::vector<Point> points = tables.sums(bases, sums);
  EXPECT_TRUE(points[0].is_identity());
  EXPECT_EQ(points[1], (value + value) * Point::base());
  EXPECT_TRUE(points[2].is_identity());
  EXPECT_EQ(points[3], Scalar::from_u64(2) * Point::base());
  EXPECT_EQ(points[4], Scalar::from_u64(std::uint64_t{1} << 32) * Point::base());
  EXPECT_EQ(SodiumMultiplier().sums(bases, sums), points);
}

TEST(MultiplierDeathTest, OtherBasesAbort) {
  const Bases bases(generator(99), 1);
  const TableMultiplier tables(bases);
  const SecretScalar one = SecretScalar::from_u64(1);
  const SecretSum beyond{.products = {{Bases::g(1), &one}}, .choices = {}};
  EXPECT_DEATH((void)tables.sums(bases, {&beyond, 1}), "broken invariant");
  EXPECT_DEATH((void)SodiumMultiplier().sums(bases, {&beyond, 1}), "broken invariant");
  EXPECT_DEATH((void)tables.sums(Bases(generator(98), 1), {}), "broken invariant");
}

}  // namespace
}  // namespace psephos::crypto
