#include "psephos/crypto/sealed_box.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <sodium.h>

#include "psephos/crypto/sealed_box_secret.h"

#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"

namespace psephos::crypto {
namespace {

struct Case {
  SecretScalar x;
  Point receiver;
  std::array<std::uint8_t, 32> content;
  SealedShare sealed;
};

const ByteView kContext = as_bytes("ceremony 1, from 2, to 3");

SecretBytes<32> copy(const std::array<std::uint8_t, 32>& bytes) {
  SecretBytes<32> out;
  std::ranges::copy(bytes, out.expose_secret().begin());
  return out;
}

Case make_case(Random& random) {
  Case c{.x = SecretScalar::random(random), .receiver = {}, .content = {}, .sealed = {}};
  c.receiver = multiply_base(c.x);
  random.fill(c.content);
  c.sealed = seal(copy(c.content), c.receiver, kContext, random);
  return c;
}

// What opening yields by the secret key and by the disclosed point; both must agree.
Result<std::array<std::uint8_t, 32>> opened(const Case& c, const SealedShare& sealed,
                                            ByteView context) {
  const auto by_key = open(sealed, c.x, context);
  const auto by_point = open_public(sealed, c.receiver, multiply(c.x, sealed.ephemeral), context);
  EXPECT_EQ(by_key.has_value(), by_point.has_value());
  if (by_key.has_value() && by_point.has_value()) {
    EXPECT_TRUE(std::ranges::equal(by_key->expose_secret(), *by_point));
  }
  if (!by_key.has_value()) {
    EXPECT_EQ(by_key.error().code, Errc::rejected);
  }
  return by_point;
}

TEST(SealedBox, OpensBySecretAndByDisclosedPoint) {
  test::SeededRandom random;
  for (std::size_t i = 0; i < test::iterations(10); ++i) {
    const Case c = make_case(random);
    EXPECT_EQ(opened(c, c.sealed, kContext).value(), c.content);
  }
}

TEST(SealedBox, FollowsItsDefinition) {
  test::SeededRandom random;
  const Case c = make_case(random);
  const Bytes e = encoded(c.sealed.ephemeral);
  const Bytes x = encoded(c.receiver);
  const Point shared = multiply(c.x, c.sealed.ephemeral);
  Writer length;
  length.u32(static_cast<std::uint32_t>(kContext.size()));
  const Digest32 key =
      sha256({as_bytes("psephos/v1/share-key"), length.bytes(), kContext, e, x, shared.bytes()});
  Writer data;
  data.raw(kContext).raw(e).raw(x);
  const std::array<std::uint8_t, 24> nonce{};
  std::array<std::uint8_t, 32> content;
  ASSERT_EQ(
      crypto_aead_xchacha20poly1305_ietf_decrypt(
          content.data(), nullptr, nullptr, c.sealed.ciphertext.data(), c.sealed.ciphertext.size(),
          data.bytes().data(), data.bytes().size(), nonce.data(), key.data()),
      0);
  EXPECT_EQ(content, c.content);
}

TEST(SealedBox, IsFreshEachTime) {
  test::SeededRandom random;
  const Case c = make_case(random);
  const SealedShare again = seal(copy(c.content), c.receiver, kContext, random);
  EXPECT_NE(again.ephemeral, c.sealed.ephemeral);
  EXPECT_NE(again.ciphertext, c.sealed.ciphertext);
  EXPECT_FALSE(std::ranges::equal(std::span(again.ciphertext).first(32), c.content));
}

TEST(SealedBox, SameRandomnessDoesNotReuseAKey) {
  test::SeededRandom random;
  const Case c = make_case(random);
  std::array<std::uint8_t, 32> other_content = c.content;
  other_content[0] ^= 1;
  const Point other_receiver = random_point(random);
  test::SeededRandom r1(7);
  test::SeededRandom r2(7);
  test::SeededRandom r3(7);
  test::SeededRandom r4(7);
  const SealedShare a = seal(copy(c.content), c.receiver, kContext, r1);
  EXPECT_NE(a.ephemeral, seal(copy(other_content), c.receiver, kContext, r2).ephemeral);
  EXPECT_NE(a.ephemeral, seal(copy(c.content), other_receiver, kContext, r3).ephemeral);
  EXPECT_NE(a.ephemeral, seal(copy(c.content), c.receiver, as_bytes("other"), r4).ephemeral);
}

TEST(SealedBox, AnyChangedBitIsRejected) {
  test::SeededRandom random;
  const Case c = make_case(random);
  const Bytes good = encoded(c.sealed);
  ASSERT_EQ(good.size(), SealedShare::kSize);
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    Bytes bad = good;
    bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1U << (bit % 8)));
    Reader in(bad);
    const auto decoded = SealedShare::decode(in);
    const bool proved = decoded.has_value() &&
                        verify(*decoded, c.receiver, kContext, IndividualEvaluator()).has_value();
    // The ciphertext is not the proof's to protect, nor the proof the ciphertext's.
    EXPECT_FALSE(proved && opened(c, *decoded, kContext).has_value()) << bit;
  }
}

TEST(SealedBox, OtherContextsReceiversAndPointsAreRejected) {
  test::SeededRandom random;
  const Case c = make_case(random);
  EXPECT_FALSE(opened(c, c.sealed, as_bytes("ceremony 1, from 3, to 2")).has_value());
  EXPECT_FALSE(opened(c, c.sealed, {}).has_value());
  EXPECT_FALSE(open(c.sealed, SecretScalar::random(random), kContext).has_value());
  const Point shared = multiply(c.x, c.sealed.ephemeral);
  EXPECT_TRUE(open_public(c.sealed, c.receiver, shared, kContext).has_value());
  EXPECT_FALSE(open_public(c.sealed, c.receiver, shared + Point::base(), kContext).has_value());
  EXPECT_FALSE(open_public(c.sealed, c.receiver, Point(), kContext).has_value());
  EXPECT_FALSE(open_public(c.sealed, random_point(random), shared, kContext).has_value());
  SealedShare moved = c.sealed;
  moved.ephemeral = make_case(random).sealed.ephemeral;
  EXPECT_FALSE(opened(c, moved, kContext).has_value());
}

TEST(SealedBox, ProvesWhoSealedItForWhom) {
  test::SeededRandom random;
  const IndividualEvaluator evaluator;
  const Case c = make_case(random);
  EXPECT_TRUE(verify(c.sealed, c.receiver, kContext, evaluator).has_value());
  const auto refused = [&](const SealedShare& sealed, const Point& receiver, ByteView context) {
    const auto proved = verify(sealed, receiver, context, evaluator);
    return !proved.has_value() && proved.error().code == Errc::rejected;
  };
  EXPECT_TRUE(refused(c.sealed, c.receiver, as_bytes("ceremony 1, from 3, to 2")));
  EXPECT_TRUE(refused(c.sealed, c.receiver, {}));
  EXPECT_TRUE(refused(c.sealed, random_point(random), kContext));
  // Someone else's ephemeral point cannot be sent on, neither with its proof nor with one's own.
  const Case other = make_case(random);
  SealedShare copied = c.sealed;
  copied.ephemeral = other.sealed.ephemeral;
  EXPECT_TRUE(refused(copied, c.receiver, kContext));
  copied.ephemeral = c.sealed.ephemeral + other.sealed.ephemeral;
  EXPECT_TRUE(refused(copied, c.receiver, kContext));
  copied = c.sealed;
  copied.proof = other.sealed.proof;
  EXPECT_TRUE(refused(copied, c.receiver, kContext));
}

TEST(SealedBox, DecodeRefusesIdentityAndTruncation) {
  test::SeededRandom random;
  const SealedShare sealed = make_case(random).sealed;
  const Bytes good = encoded(sealed);
  Reader whole(good);
  EXPECT_EQ(SealedShare::decode(whole).value(), sealed);
  for (std::size_t size = 0; size < good.size(); ++size) {
    Reader in(ByteView(good).first(size));
    EXPECT_FALSE(SealedShare::decode(in).has_value()) << size;
  }
  Bytes identity = good;
  std::fill_n(identity.begin(), 32, std::uint8_t{0});
  Reader in(identity);
  EXPECT_FALSE(SealedShare::decode(in).has_value());
}

}  // namespace
}  // namespace psephos::crypto
