#include "psephos/crypto/secret_scalar.h"

#include <gtest/gtest.h>

#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"

namespace psephos::crypto {
namespace {

TEST(SecretScalar, AgreesWithPublicArithmetic) {
  test::SeededRandom random;
  for (std::size_t i = 0; i < test::iterations(50); ++i) {
    const Scalar a = random_scalar(random);
    const Scalar b = random_scalar(random);
    const SecretScalar sa = SecretScalar::from_public(a);
    const SecretScalar sb = SecretScalar::from_public(b);
    EXPECT_EQ((sa + sb).declassify(), a + b);
    EXPECT_EQ((sa - sb).declassify(), a - b);
    EXPECT_EQ((sa * sb).declassify(), a * b);
    EXPECT_EQ((a * sb).declassify(), a * b);
    EXPECT_EQ(sa.clone().declassify(), a);
    EXPECT_EQ(secret(a.bytes()).declassify(), a);
    const Point p = random_point(random);
    EXPECT_EQ(multiply(sa, p), a * p);
    EXPECT_EQ(multiply_base(sa), a * Point::base());
    EXPECT_TRUE(ct_equal(shared_secret(sa, p).expose_secret(), (a * p).bytes()));
  }
  EXPECT_EQ(SecretScalar().declassify(), Scalar());
  EXPECT_EQ(SecretScalar::from_u64(0xfedcba9876543210).declassify(),
            Scalar::from_u64(0xfedcba9876543210));
}

TEST(SecretScalar, DecodeAgreesWithPublicDecodeAroundTheOrder) {
  // q − 1 + d for small d of either sign, and every limb of q changed by one.
  const Bytes order = *unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  for (std::size_t at = 0; at < 32; ++at) {
    for (const int change : {-1, 1, 0x40, 0x80}) {
      Bytes bytes = order;
      bytes[at] = static_cast<std::uint8_t>(bytes[at] + change);
      EXPECT_EQ(SecretScalar::decode(bytes).has_value(), Scalar::decode(bytes).has_value())
          << hex(bytes);
    }
  }
  EXPECT_FALSE(SecretScalar::decode(order).has_value());
  test::SeededRandom random;
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < test::iterations(500); ++i) {
    std::array<std::uint8_t, 32> bytes;
    random.fill(bytes);
    bytes[31] &= 0x1f;
    const bool ok = Scalar::decode(bytes).has_value();
    EXPECT_EQ(SecretScalar::decode(bytes).has_value(), ok);
    accepted += ok ? 1U : 0U;
  }
  EXPECT_GT(accepted, 0U);
}

TEST(SecretScalar, MovedFromIsZero) {
  SecretScalar a = SecretScalar::from_u64(5);
  const SecretScalar b = std::move(a);
  EXPECT_EQ(a.declassify(), Scalar());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(b.declassify(), Scalar::from_u64(5));
}

TEST(HedgedNonces, FollowTheirDefinition) {
  const Bytes key = {1, 2, 3};
  const Bytes statement = {4, 5};
  test::SeededRandom random(99);
  std::array<std::uint8_t, 64> fresh;
  random.fill(fresh);
  Writer seed_input;
  seed_input.raw(as_bytes("psephos/v1/nonce-seed")).raw(fresh).var(key).var(statement);
  const Digest64 seed = sha512({seed_input.bytes()});

  test::SeededRandom again(99);
  HedgedNonces nonces(again, key, statement);
  for (std::uint64_t i = 0; i < 4; ++i) {
    Writer input;
    input.raw(as_bytes("psephos/v1/nonce")).raw(seed).u64(i);
    EXPECT_EQ(nonces.next().declassify(), Scalar::reduce(sha512({input.bytes()}))) << i;
  }
}

TEST(HedgedNonces, DifferWhereAnyInputDiffers) {
  const auto first = [](std::uint64_t seed, ByteView key, ByteView statement) {
    test::SeededRandom random(seed);
    return HedgedNonces(random, key, statement).next().declassify();
  };
  const Bytes a = {1};
  const Bytes b = {2};
  const Bytes ab = {1, 2};
  const Scalar nonce = first(1, a, b);
  EXPECT_EQ(nonce, first(1, a, b));
  EXPECT_NE(nonce, first(2, a, b));
  EXPECT_NE(nonce, first(1, b, b));
  EXPECT_NE(nonce, first(1, a, a));
  EXPECT_NE(first(1, ab, {}), first(1, a, b));
  EXPECT_NE(first(1, {}, ab), first(1, a, b));
}

}  // namespace
}  // namespace psephos::crypto
