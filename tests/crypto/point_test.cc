#include "psephos/crypto/point.h"

#include <algorithm>

#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"
#include "tests/support/vectors.h"

namespace psephos::crypto {
namespace {

using test::Field;

bool decodes(ByteView bytes) { return Point::decode(bytes, Identity::accepted).has_value(); }

TEST(Point, Rfc9496) {
  PSEPHOS_LOAD_VECTORS(vectors, "rfc9496_ristretto255.json");
  vectors.ignore("scalars", "scalar_test");
  vectors.ignore("wide_reduction", "scalar_test");
  vectors.ignore("order", "scalar_test");

  Point multiple;
  std::uint64_t i = 0;
  for (const Field& item : vectors["small_multiples"].array()) {
    EXPECT_EQ(hex(multiple.bytes()), item.str()) << i;
    EXPECT_EQ(point(item.hex()), multiple) << i;
    EXPECT_EQ(Scalar::from_u64(i) * Point::base(), multiple) << i;
    EXPECT_EQ(multiply_base(SecretScalar::from_u64(i)), multiple) << i;
    multiple = multiple + Point::base();
    ++i;
  }
  for (const Field& item : vectors["bad_encodings"].array()) {
    const std::string why = item["why"].str();
    EXPECT_FALSE(decodes(item["encoding"].hex())) << why;
  }
  for (const Field& item : vectors["one_way_map"].array()) {
    const Bytes uniform = item["uniform"].hex();
    std::array<std::uint8_t, 64> bytes;
    ASSERT_EQ(uniform.size(), bytes.size());
    std::ranges::copy(uniform, bytes.begin());
    EXPECT_EQ(Point::from_hash(bytes), point(item["element"].hex()));
    if (!item["label"].is_null()) {
      EXPECT_EQ(sha512({as_bytes(item["label"].str())}), bytes);
    }
  }
  for (const Field& item : vectors["arithmetic"].array()) {
    const Scalar a = scalar(item["a"].hex());
    const Scalar b = scalar(item["b"].hex());
    const Point ab = point(item["aB"].hex());
    const Point abb = point(item["abB"].hex());
    EXPECT_EQ(a * Point::base(), ab);
    EXPECT_EQ(b * ab, abb);
    EXPECT_EQ(ab + abb, point(item["sum"].hex()));
    EXPECT_EQ(ab - abb, point(item["diff"].hex()));
    EXPECT_EQ(Point() - ab, point(item["neg"].hex()));
    EXPECT_EQ(multiply(SecretScalar::from_public(b), ab), abb);
    EXPECT_EQ(multiply_base(SecretScalar::from_public(a)), ab);
  }
}

TEST(Point, BaseIsTheReferences) {
  PSEPHOS_LOAD_VECTORS(vectors, "psephos_transcript.json", "base_point");
  EXPECT_EQ(hex(Point::base().bytes()), vectors.root().str());
}

TEST(Point, Bit255IsRefusedThoughTheLibraryIgnoresIt) {
  test::SeededRandom random;
  for (std::size_t i = 0; i < test::iterations(20); ++i) {
    std::array<std::uint8_t, 32> bytes = random_point(random).bytes();
    ASSERT_TRUE(decodes(bytes));
    bytes[31] |= 0x80;
    EXPECT_FALSE(decodes(bytes)) << hex(bytes);
  }
  std::array<std::uint8_t, 32> identity{};
  identity[31] = 0x80;
  EXPECT_FALSE(decodes(identity));
}

TEST(Point, IdentityPassesOnlyWhereAccepted) {
  const Bytes zeros(32);
  EXPECT_TRUE(decodes(zeros));
  const auto refused = Point::decode(zeros, Identity::refused);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::malformed);
  EXPECT_TRUE(Point::decode(Point::base().bytes(), Identity::refused).has_value());
  Reader in(zeros);
  const auto read = Point::decode(in, Identity::refused, "R");
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().message.find("R: "), 0U);
}

TEST(Point, LengthsOtherThan32AreRefused) {
  for (const std::size_t size : {0U, 1U, 31U, 33U, 64U}) {
    EXPECT_FALSE(decodes(Bytes(size))) << size;
  }
}

TEST(Point, RandomBytesThatDecodeEncodeBack) {
  test::SeededRandom random;
  std::size_t valid = 0;
  for (std::size_t i = 0; i < test::iterations(2000); ++i) {
    std::array<std::uint8_t, 32> bytes;
    random.fill(bytes);
    const auto decoded = Point::decode(bytes, Identity::accepted);
    if (decoded.has_value()) {
      ++valid;
      EXPECT_EQ(decoded->bytes(), bytes);
    }
  }
  EXPECT_GT(valid, 0U);
}

TEST(Point, GroupLaws) {
  test::SeededRandom random;
  for (std::size_t i = 0; i < test::iterations(20); ++i) {
    const Point p = random_point(random);
    const Point r = random_point(random);
    const Scalar a = random_scalar(random);
    const Scalar b = random_scalar(random);
    EXPECT_EQ(p + r, r + p);
    EXPECT_EQ(p - p, Point());
    EXPECT_EQ(p + Point(), p);
    EXPECT_EQ((a + b) * p, a * p + b * p);
    EXPECT_EQ(a * (p + r), a * p + a * r);
    EXPECT_EQ(a * (b * p), (a * b) * p);
    EXPECT_EQ(-Scalar::one() * p, Point() - p);
    EXPECT_TRUE(decodes((a * p).bytes()));
  }
}

TEST(Point, IdentityOnEitherSideOfAProduct) {
  test::SeededRandom random;
  EXPECT_EQ(Scalar() * random_point(random), Point());
  EXPECT_EQ(random_scalar(random) * Point(), Point());
  EXPECT_EQ(multiply(SecretScalar(), random_point(random)), Point());
  EXPECT_EQ(multiply(SecretScalar::random(random), Point()), Point());
  EXPECT_EQ(multiply_base(SecretScalar()), Point());
  EXPECT_TRUE(Point().is_identity());
  EXPECT_FALSE(Point::base().is_identity());
}

}  // namespace
}  // namespace psephos::crypto
