#include "psephos/protocol/message.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "psephos/protocol/check.h"
#include "psephos/protocol/message_signer.h"

#include "tests/support/seeded_random.h"

namespace psephos::protocol {
namespace {

crypto::Ed25519SecretKey rfc8032_key_1() {
  const Bytes bytes =
      unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").value();
  SecretBytes<32> seed;
  std::copy(bytes.begin(), bytes.end(), seed.expose_secret().begin());
  return crypto::Ed25519SecretKey::from_seed(seed);
}

Digest32 context() {
  Digest32 digest;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<std::uint8_t>(i);
  }
  return digest;
}

TEST(Message, HasTheBytesOfTheSpecification) {
  const Message message =
      sign_message(MessageType::decryption, context(), 0x01020304, {0xaa, 0xbb}, rfc8032_key_1());
  // type ‖ context ‖ sender ‖ payload, and "psephos/v1/message" in front of what is signed
  const std::string head =
      "0c000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f01020304aabb";
  EXPECT_EQ(hex(message.signed_bytes()), "70736570686f732f76312f6d657373616765" + head);
  EXPECT_EQ(hex(message.encode()), head + hex(message.signature));
  EXPECT_EQ(Message::decode(message.encode()).value(), message);
  EXPECT_TRUE(message.verify(rfc8032_key_1().public_key()).has_value());
}

TEST(Message, RefusesUnknownTypesAndShortBytes) {
  Bytes bytes = sign_message(MessageType::open, context(), 0, {}, rfc8032_key_1()).encode();
  ASSERT_EQ(bytes.size(), 1U + 32 + 4 + 64);
  for (unsigned type = 0; type < 256; ++type) {
    bytes[0] = static_cast<std::uint8_t>(type);
    EXPECT_EQ(Message::decode(bytes).has_value(), type >= 1 && type <= 14) << type;
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto message = Message::decode(ByteView(bytes).first(size));
    ASSERT_FALSE(message.has_value());
    EXPECT_EQ(message.error().code, Errc::malformed);
  }
  bytes[0] = 15;
  EXPECT_EQ(Message::decode(bytes).error().message, "message of unknown type 15");
}

TEST(Message, EveryBitIsSigned) {
  const Message message =
      sign_message(MessageType::tally, context(), 7, {1, 2, 3}, rfc8032_key_1());
  const Bytes bytes = message.encode();
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    Bytes changed = bytes;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const auto decoded = Message::decode(changed);
    EXPECT_FALSE(decoded.has_value() && decoded->verify(rfc8032_key_1().public_key()).has_value())
        << "bit " << bit;
  }
}

TEST(Message, IsNotGoodUnderAnotherKey) {
  test::SeededRandom random;
  const Message message = sign_message(MessageType::open, context(), 0, {}, rfc8032_key_1());
  const auto refused = message.verify(crypto::Ed25519SecretKey::random(random).public_key());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::rejected);
}

TEST(Message, TypesHaveDistinctNames) {
  std::set<std::string_view> names;
  for (std::uint8_t type = 1; type <= 13; ++type) {
    EXPECT_TRUE(names.insert(name(MessageType{type})).second);
  }
  EXPECT_EQ(name(MessageType::credential_key), "credential key");
}

TEST(Check, HasIdTitleAndText) {
  std::set<std::string_view> titles;
  for (std::uint8_t i = 1; i <= kNumChecks; ++i) {
    EXPECT_EQ(id(Check{i}), "V" + std::to_string(i));
    EXPECT_TRUE(titles.insert(title(Check{i})).second);
  }
  EXPECT_EQ(title(Check::one_ballot), "one ballot per credential");
  EXPECT_EQ(to_error({Check::decryption, "main entry 12", "no", ""}),
            (Error{Errc::rejected, "V13 (decryption): main entry 12: no"}));
  EXPECT_EQ(to_error({Check::ballot_proofs, "", "no", "equation 4"}),
            (Error{Errc::rejected, "V8 (ballot proofs): no (equation 4)"}));
}

}  // namespace
}  // namespace psephos::protocol
