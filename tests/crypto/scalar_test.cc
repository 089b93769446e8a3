#include "psephos/crypto/scalar.h"

#include <algorithm>

#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"
#include "tests/support/vectors.h"

namespace psephos::crypto {
namespace {

using test::Field;

std::array<std::uint8_t, 64> wide(const Field& field) {
  std::array<std::uint8_t, 64> out;
  const Bytes bytes = field.hex();
  EXPECT_EQ(bytes.size(), out.size());
  std::ranges::copy(bytes, out.begin());
  return out;
}

TEST(Scalar, Rfc9496Canonicity) {
  PSEPHOS_LOAD_VECTORS(vectors, "rfc9496_ristretto255.json", "scalars");
  for (const Field& item : vectors.array()) {
    const Bytes bytes = item["scalar"].hex();
    const auto decoded = Scalar::decode(bytes);
    const std::string why = item["why"].str();
    EXPECT_EQ(decoded.has_value(), item["canonical"].boolean()) << why;
    EXPECT_EQ(SecretScalar::decode(bytes).has_value(), decoded.has_value()) << why;
    if (decoded.has_value()) {
      EXPECT_EQ(encoded(*decoded), bytes) << why;
    } else {
      EXPECT_EQ(decoded.error().code, Errc::malformed) << why;
    }
  }
}

TEST(Scalar, Rfc9496WideReduction) {
  PSEPHOS_LOAD_VECTORS(vectors, "rfc9496_ristretto255.json", "wide_reduction");
  for (const Field& item : vectors.array()) {
    EXPECT_EQ(Scalar::reduce(wide(item["uniform"])), scalar(item["scalar"].hex()));
  }
}

TEST(Scalar, PsephosWideReduction) {
  PSEPHOS_LOAD_VECTORS(vectors, "psephos_transcript.json", "wide_reduction");
  for (const Field& item : vectors.array()) {
    EXPECT_EQ(Scalar::reduce(wide(item["bytes"])), scalar(item["scalar"].hex()));
  }
}

TEST(Scalar, WideReductionIsASumOfPowers) {
  test::SeededRandom random;
  for (std::size_t round = 0; round < test::iterations(200); ++round) {
    std::array<std::uint8_t, 64> bytes;
    random.fill(bytes);
    if (round < 4) {  // all bits, those of the lower half, of the upper half, none
      std::fill_n(bytes.begin(), 32, static_cast<std::uint8_t>(round < 2 ? 0xff : 0));
      std::fill_n(bytes.begin() + 32, 32, static_cast<std::uint8_t>(round % 2 == 0 ? 0xff : 0));
    }
    Scalar expected;
    for (std::size_t i = bytes.size(); i-- > 0;) {
      expected = expected * Scalar::from_u64(256) + Scalar::from_u64(bytes[i]);
    }
    EXPECT_EQ(Scalar::reduce(bytes), expected);
  }
}

TEST(Scalar, Rfc9496OrderIsTheFirstThatIsRefused) {
  PSEPHOS_LOAD_VECTORS(vectors, "rfc9496_ristretto255.json", "order");
  Bytes order = vectors.root().hex();
  EXPECT_FALSE(Scalar::decode(order).has_value());
  --order[0];
  EXPECT_EQ(scalar(order), -Scalar::one());
  EXPECT_EQ(scalar(order) + Scalar::one(), Scalar());
}

TEST(Scalar, LengthsOtherThan32AreRefused) {
  for (const std::size_t size : {0U, 1U, 31U, 33U, 64U}) {
    const Bytes bytes(size);
    EXPECT_FALSE(Scalar::decode(bytes).has_value()) << size;
    EXPECT_FALSE(SecretScalar::decode(bytes).has_value()) << size;
  }
  const Bytes short_bytes(31);
  Reader in(short_bytes);
  const auto read = Scalar::decode(in, "response");
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.error().message.find("response"), std::string::npos);
}

TEST(Scalar, ReaderNamesTheField) {
  const Bytes bytes(32, 0xff);
  Reader in(bytes);
  const auto read = Scalar::decode(in, "response");
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Errc::malformed);
  EXPECT_EQ(read.error().message.find("response"), 0U);
}

TEST(Scalar, FieldLaws) {
  test::SeededRandom random;
  for (std::size_t i = 0; i < test::iterations(100); ++i) {
    const Scalar a = random_scalar(random);
    const Scalar b = random_scalar(random);
    const Scalar c = random_scalar(random);
    EXPECT_EQ(a + b, b + a);
    EXPECT_EQ((a + b) + c, a + (b + c));
    EXPECT_EQ(a * (b + c), a * b + a * c);
    EXPECT_EQ((a * b) * c, a * (b * c));
    EXPECT_EQ(a - b, a + (-b));
    EXPECT_EQ(a - a, Scalar());
    EXPECT_EQ(a * Scalar::one(), a);
    EXPECT_EQ(a * a.inverse(), Scalar::one());
    EXPECT_TRUE(Scalar::decode((a * b).bytes()).has_value());
  }
}

TEST(Scalar, ZeroAndSmallIntegers) {
  EXPECT_TRUE(Scalar().is_zero());
  EXPECT_FALSE(Scalar::one().is_zero());
  EXPECT_EQ(Scalar().inverse(), Scalar());
  EXPECT_EQ(-Scalar(), Scalar());
  EXPECT_EQ(Scalar::from_u64(7) * Scalar::from_u64(6), Scalar::from_u64(42));
  EXPECT_EQ(Scalar::from_u64(UINT64_MAX) + Scalar::one(),
            Scalar::from_u64(1ULL << 32) * Scalar::from_u64(1ULL << 32));
  EXPECT_EQ(Scalar::from_u64(2) - Scalar::from_u64(3), -Scalar::one());
}

}  // namespace
}  // namespace psephos::crypto
