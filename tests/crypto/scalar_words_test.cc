#include "crypto/scalar_words.h"

#include <algorithm>

#include "crypto/sodium.h"
#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"

namespace psephos::crypto {
namespace {

using Binary = void (*)(unsigned char*, const unsigned char*, const unsigned char*);

// The same by libsodium.
Scalar libsodium(Binary operation, const Scalar& a, const Scalar& b) {
  std::array<std::uint8_t, 32> bytes;
  operation(bytes.data(), a.bytes().data(), b.bytes().data());
  return scalar(bytes);
}

// What decode refuses is not below the order.
Scalar scalar_of(const ScalarWords& words) { return scalar(ScalarAccess::scalar(words).bytes()); }

std::vector<Scalar> scalars(Random& random) {
  const Scalar one = Scalar::one();
  const Scalar half = Scalar::from_u64(2).inverse();  // (q + 1)/2
  std::vector<Scalar> result = {Scalar(),   one,  one + one,  -one,
                                -one - one, half, half - one, half + one};
  Scalar power = one;
  for (int i = 0; i < 252; ++i) {
    if (i % 16 < 2) {
      result.push_back(power);
      result.push_back(power - one);
    }
    power = power + power;
  }
  for (std::size_t i = 0; i < test::iterations(40); ++i) {
    result.push_back(random_scalar(random));
  }
  return result;
}

TEST(ScalarWords, AgreesWithLibsodium) {
  test::SeededRandom random;
  const std::vector<Scalar> all = scalars(random);
  for (const Scalar& a : all) {
    const ScalarWords x = ScalarAccess::words(a);
    EXPECT_EQ(scalar_of(x), a);
    for (const Scalar& b : all) {
      const ScalarWords y = ScalarAccess::words(b);
      EXPECT_EQ(scalar_of(add_scalars(x, y)), libsodium(crypto_core_ristretto255_scalar_add, a, b));
      EXPECT_EQ(scalar_of(subtract_scalars(x, y)),
                libsodium(crypto_core_ristretto255_scalar_sub, a, b));
      EXPECT_EQ(scalar_of(montgomery_product(to_montgomery(x), y)),
                libsodium(crypto_core_ristretto255_scalar_mul, a, b));
      EXPECT_EQ(a + b, scalar_of(add_scalars(x, y)));
      EXPECT_EQ(a - b, scalar_of(subtract_scalars(x, y)));
      EXPECT_EQ(a * b, scalar_of(montgomery_product(to_montgomery(x), y)));
    }
  }
}

TEST(ScalarWords, SignedHasTheLeastMagnitude) {
  test::SeededRandom random;
  for (const Scalar& a : scalars(random)) {
    const SignedScalar value = to_signed_vartime(ScalarAccess::words(a));
    const Scalar magnitude = scalar_of(value.magnitude);
    EXPECT_EQ(value.negative ? -magnitude : magnitude, a);
    // Twice the magnitude does not wrap around.
    EXPECT_EQ(value.magnitude[3] >> 60, 0U);
    EXPECT_LE(value.magnitude[3], std::uint64_t{0x0800000000000000});
  }
  const Scalar half = Scalar::from_u64(2).inverse();
  EXPECT_TRUE(to_signed_vartime(ScalarAccess::words(half)).negative);
  EXPECT_FALSE(to_signed_vartime(ScalarAccess::words(half - Scalar::one())).negative);
}

// The first factor may be any 256-bit number.
TEST(ScalarWords, ProductReducesItsFirstFactor) {
  test::SeededRandom random;
  for (std::size_t i = 0; i < test::iterations(50); ++i) {
    std::array<std::uint8_t, 64> bytes{};
    random.fill(std::span(bytes).first(32));
    if (i == 0) {
      std::ranges::fill(std::span(bytes).first(32), std::uint8_t{0xff});
    }
    ScalarWords words{};
    for (std::size_t k = 0; k < 32; ++k) {
      words[k / 8] |= std::uint64_t{bytes[k]} << (8 * (k % 8));
    }
    EXPECT_EQ(
        scalar_of(montgomery_product(words, to_montgomery(ScalarAccess::words(Scalar::one())))),
        Scalar::reduce(bytes));
  }
}

}  // namespace
}  // namespace psephos::crypto
