#include "psephos/crypto/ed25519.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "psephos/crypto/ed25519_signer.h"

#include "tests/crypto/expect.h"
#include "tests/support/seeded_random.h"
#include "tests/support/vectors.h"

namespace psephos::crypto {
namespace {

using test::fails_with;
using test::Field;
using test::is_ok;
using test::must;

template <std::size_t N>
std::array<std::uint8_t, N> array_of(ByteView bytes) {
  std::array<std::uint8_t, N> out{};
  EXPECT_EQ(bytes.size(), N);
  std::ranges::copy(bytes.first(std::min(N, bytes.size())), out.begin());
  return out;
}

SecretBytes<32> seed_of(ByteView bytes) {
  SecretBytes<32> seed;
  std::ranges::copy(bytes, seed.expose_secret().begin());
  return seed;
}

TEST(Ed25519, Rfc8032) {
  PSEPHOS_LOAD_VECTORS(items, "ed25519.json", "rfc8032");
  for (const Field& item : items.array()) {
    const Ed25519SecretKey key = Ed25519SecretKey::from_seed(seed_of(item["seed"].hex()));
    const Bytes message = item["msg"].hex();
    const Bytes signature = item["sig"].hex();
    EXPECT_EQ(key.public_key(), must(Ed25519PublicKey::decode(item["pk"].hex())));
    EXPECT_TRUE(equal(key.expose_secret_seed(), item["seed"].hex()));
    EXPECT_TRUE(equal(key.sign(message), signature));
    EXPECT_TRUE(is_ok(key.public_key().verify(message, array_of<64>(signature))));
  }
}

TEST(Ed25519, Wycheproof) {
  PSEPHOS_LOAD_VECTORS(items, "ed25519.json", "wycheproof");
  std::size_t num_invalid = 0;
  for (const Field& item : items.array()) {
    item.ignore("flags", "classification only");
    const std::string what =
        "tcId " + std::to_string(item["tcId"].u64()) + ": " + item["comment"].str();
    const Bytes signature = item["sig"].hex();
    const Bytes message = item["msg"].hex();
    const auto key = Ed25519PublicKey::decode(item["pk"].hex());
    // A signature of another length has no type.
    const bool valid = key.has_value() && signature.size() == 64 &&
                       key->verify(message, array_of<64>(signature)).has_value();
    EXPECT_EQ(valid, item["result"].str() == "valid") << what;
    num_invalid += valid ? 0 : 1;
  }
  EXPECT_GT(num_invalid, 50U);
}

// CCTV's edge cases have no right answer by the RFC. Ours is libsodium's, and keys that are not of
// full order are refused before.
TEST(Ed25519, CctvEdgeCases) {
  PSEPHOS_LOAD_VECTORS(items, "ed25519.json", "cctv");
  std::size_t num_accepted = 0;
  std::size_t num_stricter = 0;
  for (const Field& item : items.array()) {
    item.ignore("flags", "classification only");
    const std::uint64_t number = item["number"].u64();
    const Bytes message = item["msg"].hex();
    const Ed25519Signature signature = array_of<64>(item["sig"].hex());
    const Bytes key = item["pk"].hex();
    const bool libsodium = item["libsodium_1_0_18"].boolean();
    const auto decoded = Ed25519PublicKey::decode(key);
    const Ed25519PublicKey undecoded{array_of<32>(key)};
    EXPECT_EQ(undecoded.verify(message, signature).has_value(), libsodium) << number;
    const bool ours = decoded.has_value() && decoded->verify(message, signature).has_value();
    EXPECT_EQ(ours, decoded.has_value() && libsodium) << number;
    num_accepted += ours ? 1 : 0;
    num_stricter += libsodium && !ours ? 1 : 0;
  }
  EXPECT_GT(num_accepted, 0U);
  EXPECT_GT(num_stricter, 0U);
}

TEST(Ed25519, KeysThatAreNoKeys) {
  const auto refused = [](std::string_view text) {
    return fails_with(Errc::malformed, Ed25519PublicKey::decode(must(unhex(text))));
  };
  const std::string base = "5866666666666666666666666666666666666666666666666666666666666666";
  EXPECT_TRUE(is_ok(Ed25519PublicKey::decode(must(unhex(base)))));
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused(base.substr(2)));
  EXPECT_TRUE(refused(base + "00"));
  // The identity, and its encoding with the sign bit; the point of order 2; y = 0 of order 4.
  EXPECT_TRUE(refused("0100000000000000000000000000000000000000000000000000000000000000"));
  EXPECT_TRUE(refused("0100000000000000000000000000000000000000000000000000000000000080"));
  EXPECT_TRUE(refused("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"));
  EXPECT_TRUE(refused("0000000000000000000000000000000000000000000000000000000000000000"));
  // y = p + 1, the identity once more; y = 2^255 − 1; y = 2, not on the curve.
  EXPECT_TRUE(refused("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"));
  EXPECT_TRUE(refused("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"));
  EXPECT_TRUE(refused("0200000000000000000000000000000000000000000000000000000000000000"));
}

TEST(Ed25519, ReaderKeepsItsPlaceOnFailure) {
  const Bytes bad(32, 0xff);
  Reader in(bad);
  const auto key = Ed25519PublicKey::decode(in, "log key");
  ASSERT_TRUE(fails_with(Errc::malformed, key));
  EXPECT_TRUE(key.error().message.starts_with("log key: "));
  EXPECT_EQ(in.remaining(), 32U);
  Reader empty({});
  EXPECT_TRUE(fails_with(Errc::malformed, Ed25519PublicKey::decode(empty, "log key")));
}

TEST(Ed25519, AnySingleBitMatters) {
  test::SeededRandom random;
  const Ed25519SecretKey key = Ed25519SecretKey::random(random);
  const Ed25519SecretKey other = Ed25519SecretKey::random(random);
  Bytes message(40);
  random.fill(message);
  const Ed25519Signature signature = key.sign(message);
  EXPECT_TRUE(is_ok(key.public_key().verify(message, signature)));
  EXPECT_TRUE(fails_with(Errc::rejected, other.public_key().verify(message, signature)));
  for (std::size_t bit = 0; bit < 512; ++bit) {
    Ed25519Signature changed = signature;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_TRUE(fails_with(Errc::rejected, key.public_key().verify(message, changed)));
  }
  for (std::size_t bit = 0; bit < 8 * message.size(); ++bit) {
    Bytes changed = message;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_TRUE(fails_with(Errc::rejected, key.public_key().verify(changed, signature)));
  }
}

}  // namespace
}  // namespace psephos::crypto
