#include "psephos/crypto/elgamal.h"

#include <gtest/gtest.h>

#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"

namespace psephos::crypto {
namespace {

Ciphertext encryption(const Point& key, std::uint64_t v, const Scalar& r) {
  return {.alpha = r * Point::base(), .beta = r * key + Scalar::from_u64(v) * Point::base()};
}

TEST(Ciphertext, SumsEncryptSums) {
  test::SeededRandom random;
  const Scalar secret_key = random_scalar(random);
  const Point key = secret_key * Point::base();
  for (std::size_t i = 0; i < test::iterations(10); ++i) {
    const Scalar r1 = random_scalar(random);
    const Scalar r2 = random_scalar(random);
    const std::uint64_t v1 = random.below(1000);
    const std::uint64_t v2 = random.below(1000);
    const Ciphertext a = encryption(key, v1, r1);
    const Ciphertext b = encryption(key, v2, r2);
    EXPECT_EQ(a + b, encryption(key, v1 + v2, r1 + r2));
    EXPECT_EQ(a + b - b, a);
    const Ciphertext sum = a + b;
    EXPECT_EQ(sum.beta - secret_key * sum.alpha, Scalar::from_u64(v1 + v2) * Point::base());
  }
}

TEST(Ciphertext, CodecIsCanonical) {
  test::SeededRandom random;
  const Ciphertext c{.alpha = random_point(random), .beta = random_point(random)};
  const Bytes bytes = encoded(c);
  ASSERT_EQ(bytes.size(), Ciphertext::kSize);
  Reader in(bytes);
  EXPECT_EQ(Ciphertext::decode(in, Identity::refused, "c").value(), c);
  EXPECT_EQ(in.remaining(), 0U);
  EXPECT_EQ(encode_all({c, c}).size(), 2 * Ciphertext::kSize);
  EXPECT_TRUE(encode_all({}).empty());
}

TEST(Ciphertext, IdentityAsAlphaIsRefusedWhereAsked) {
  const Bytes zeros(64);
  Reader accepting(zeros);
  EXPECT_TRUE(Ciphertext::decode(accepting, Identity::accepted, "sum").has_value());
  Reader refusing(zeros);
  EXPECT_FALSE(Ciphertext::decode(refusing, Identity::refused, "option 1").has_value());
  // The identity as β is a ciphertext like another.
  const Bytes beta_zero = encoded(Ciphertext{.alpha = Point::base(), .beta = {}});
  Reader in(beta_zero);
  EXPECT_TRUE(Ciphertext::decode(in, Identity::refused, "option 1").has_value());
}

TEST(Ciphertext, TruncatedOrInvalidBytesAreRefused) {
  const Bytes good = encoded(Ciphertext{.alpha = Point::base(), .beta = Point::base()});
  for (std::size_t size = 0; size < good.size(); ++size) {
    Reader in(ByteView(good).first(size));
    EXPECT_FALSE(Ciphertext::decode(in, Identity::refused, "c").has_value()) << size;
  }
  for (const std::size_t at : {31U, 63U}) {
    Bytes bad = good;
    bad[at] |= 0x80;
    Reader in(bad);
    EXPECT_FALSE(Ciphertext::decode(in, Identity::refused, "c").has_value()) << at;
  }
}

}  // namespace
}  // namespace psephos::crypto
