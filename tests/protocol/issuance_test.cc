#include "psephos/protocol/issuance.h"

#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "psephos/codec.h"

#include "tests/crypto/expect.h"
#include "tests/protocol/election_fixture.h"
#include "tests/support/seeded_random.h"

namespace psephos::protocol {
namespace {

using test::fails_with;
using test::kIsland;
using test::kMayor;
using test::must;

const Manifest& manifest() {
  static const auto manifest = test::manifest_of({.registrars = 2, .voters = 4});
  return *manifest;
}

Digest32 digest(std::uint8_t first) {
  Digest32 digest{};
  digest[0] = first;
  return digest;
}

EnrolmentRequest request() {
  return {.election_id = digest(9),
          .registrar = 1,
          .style = kIsland,
          .voter = "Zoë",
          .code = "4711",
          .blinded_message = Bytes(256, 0x5a)};
}
EnrolmentResponse response() {
  return {.election_id = digest(9),
          .registrar = 1,
          .style = kIsland,
          .blind_signature = Bytes(256, 0xa5)};
}
Issuance issuance(std::uint8_t pseudonym, std::uint8_t blinded, std::uint32_t style = kMayor) {
  return {.pseudonym = digest(pseudonym), .style = style, .blinded_digest = digest(blinded)};
}

TEST(Enrolment, LayoutOfARequest) {
  Writer expected;
  expected.raw(as_bytes("psephos/v1/enrolment-request")).raw(digest(9)).u32(1).u32(2);
  expected.u32(4).raw(as_bytes("Zoë")).u32(4).raw(as_bytes("4711")).raw(Bytes(256, 0x5a));
  EXPECT_EQ(request().encode(), expected.bytes());

  const EnrolmentRequest decoded = must(EnrolmentRequest::decode(expected.bytes(), manifest()));
  EXPECT_EQ(decoded.election_id, digest(9));
  EXPECT_EQ(decoded.registrar, 1U);
  EXPECT_EQ(decoded.style, kIsland);
  EXPECT_EQ(decoded.voter, "Zoë");
  EXPECT_EQ(decoded.code, "4711");
  EXPECT_EQ(decoded.blinded_message, Bytes(256, 0x5a));
  EXPECT_EQ(decoded.encode(), expected.bytes());
}

TEST(Enrolment, NonceOfASignIn) {
  // base64url of SHA-256 over "psephos/v1/sign-in", election id, registrar, length and message.
  const EnrolmentRequest asked = request();
  EXPECT_EQ(asked.sign_in_nonce(), "5lTxLFiznT4Fm6BuZ1keoVSDev7uL-hPBJG8vvje-x0");
  EnrolmentRequest again = asked;
  again.voter = "somebody";
  again.code = "";
  EXPECT_EQ(again.sign_in_nonce(), asked.sign_in_nonce());
  for (const auto& change : std::vector<std::function<void(EnrolmentRequest&)>>{
           [](EnrolmentRequest& r) { r.election_id = digest(8); },
           [](EnrolmentRequest& r) { r.registrar = 0; },
           [](EnrolmentRequest& r) { r.blinded_message.back() ^= 1; },
           [](EnrolmentRequest& r) { r.blinded_message.pop_back(); }}) {
    EnrolmentRequest other = asked;
    change(other);
    EXPECT_NE(other.sign_in_nonce(), asked.sign_in_nonce());
  }
}

TEST(Enrolment, LayoutOfAResponse) {
  Writer expected;
  expected.raw(as_bytes("psephos/v1/enrolment-response")).raw(digest(9)).u32(1).u32(2);
  expected.raw(Bytes(256, 0xa5));
  EXPECT_EQ(response().encode(), expected.bytes());
  EXPECT_EQ(must(EnrolmentResponse::decode(expected.bytes(), manifest())).encode(),
            expected.bytes());
}

TEST(Enrolment, LongestTexts) {
  EnrolmentRequest longest = request();
  longest.voter = std::string(256, 'v');
  longest.code = std::string(256, 'c');
  EXPECT_EQ(must(EnrolmentRequest::decode(longest.encode(), manifest())).voter, longest.voter);
  EnrolmentRequest shortest = request();
  shortest.voter.clear();
  shortest.code.clear();
  EXPECT_EQ(must(EnrolmentRequest::decode(shortest.encode(), manifest())).voter, "");
}

TEST(Enrolment, OtherRequestsAreRefused) {
  const auto refused = [](const std::function<void(EnrolmentRequest&)>& change) {
    EnrolmentRequest bad = request();
    change(bad);
    return fails_with(Errc::malformed, EnrolmentRequest::decode(bad.encode(), manifest()));
  };
  EXPECT_TRUE(refused([](auto& r) { r.registrar = 2; }));
  EXPECT_TRUE(refused([](auto& r) { r.registrar = 0xffffffff; }));
  EXPECT_TRUE(refused([](auto& r) { r.style = 3; }));
  EXPECT_TRUE(refused([](auto& r) { r.voter = std::string(257, 'v'); }));
  EXPECT_TRUE(refused([](auto& r) { r.code = std::string(257, 'c'); }));
  EXPECT_TRUE(refused([](auto& r) { r.voter = "\xff"; }));
  EXPECT_TRUE(refused([](auto& r) { r.code = "\xed\xa0\x80"; }));
  EXPECT_TRUE(refused([](auto& r) { r.blinded_message.pop_back(); }));
  EXPECT_TRUE(refused([](auto& r) { r.blinded_message.push_back(0); }));
  EXPECT_TRUE(refused([](auto& r) { r.blinded_message.clear(); }));
}

// All three: no other length, no other first bytes.
TEST(Enrolment, OtherLengthsAndFirstBytesAreRefused) {
  const auto check = [](const Bytes& good, std::size_t magic, const auto& decode) {
    EXPECT_TRUE(decode(good).has_value());
    for (std::size_t size = 0; size < good.size(); ++size) {
      const Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_TRUE(fails_with(Errc::malformed, decode(cut))) << size;
    }
    Bytes longer = good;
    longer.push_back(0);
    EXPECT_TRUE(fails_with(Errc::malformed, decode(longer)));
    for (std::size_t i = 0; i < magic; ++i) {
      Bytes bad = good;
      bad[i] ^= 1;
      EXPECT_TRUE(fails_with(Errc::malformed, decode(bad))) << i;
    }
  };
  check(request().encode(), 28, [](ByteView b) { return EnrolmentRequest::decode(b, manifest()); });
  check(response().encode(), 29,
        [](ByteView b) { return EnrolmentResponse::decode(b, manifest()); });
  check(issuance(1, 2).encode(), 1, [](ByteView b) { return Issuance::decode(b, manifest()); });
  EXPECT_FALSE(EnrolmentRequest::decode(response().encode(), manifest()).has_value());
  EXPECT_FALSE(EnrolmentResponse::decode(request().encode(), manifest()).has_value());
}

TEST(Enrolment, LengthsInsideAreBounded) {
  const Bytes good = request().encode();
  const std::size_t voter_at = 28 + 32 + 8;
  for (const std::uint32_t size : {257U, 0x7fffffffU, 0xffffffffU}) {
    Bytes bad = good;
    const Bytes length = Writer().u32(size).bytes();
    std::copy(length.begin(), length.end(), bad.begin() + static_cast<std::ptrdiff_t>(voter_at));
    EXPECT_TRUE(fails_with(Errc::malformed, EnrolmentRequest::decode(bad, manifest())));
  }
}

TEST(Issuance, Layout) {
  Writer expected;
  expected.u8(48).raw(digest(1)).u32(2).raw(digest(2));
  EXPECT_EQ(issuance(1, 2, kIsland).encode(), expected.bytes());
  EXPECT_EQ(must(Issuance::decode(expected.bytes(), manifest())), issuance(1, 2, kIsland));
}

TEST(Issuance, OtherTypesAndStylesAreRefused) {
  Bytes bytes = issuance(1, 2).encode();
  for (unsigned type = 0; type < 256; ++type) {
    bytes[0] = static_cast<std::uint8_t>(type);
    EXPECT_EQ(Issuance::decode(bytes, manifest()).has_value(), type == 48) << type;
  }
  for (const std::uint32_t style : {3U, 0xffffffffU}) {
    const auto decoded = Issuance::decode(issuance(1, 2, style).encode(), manifest());
    ASSERT_TRUE(fails_with(Errc::malformed, decoded));
    EXPECT_EQ(decoded.error().message,
              "issuance: style " + std::to_string(style) + ": the election has only 3");
  }
}

std::string append(IssuanceState& state, const Issuance& issuance) {
  const auto checked = state.check(issuance);
  const auto taken = state.append(issuance);
  EXPECT_EQ(checked, taken);
  if (taken.has_value()) {
    return "taken";
  }
  EXPECT_EQ(taken.error().check, Check::issuance);
  return taken.error().message;
}

TEST(IssuanceState, CountsPerStyle) {
  IssuanceState state(manifest());
  EXPECT_EQ(append(state, issuance(1, 1)), "taken");
  EXPECT_EQ(append(state, issuance(2, 2, kIsland)), "taken");
  EXPECT_EQ(append(state, issuance(3, 3)), "taken");
  EXPECT_EQ(state.issued(kMayor), 2U);
  EXPECT_EQ(state.issued(kIsland), 1U);
  EXPECT_EQ(state.issued(0), 0U);
  EXPECT_EQ(state.total(), 3U);
  ASSERT_NE(state.find(digest(2)), nullptr);
  EXPECT_EQ(*state.find(digest(2)), issuance(2, 2, kIsland));
  EXPECT_EQ(state.find(digest(4)), nullptr);
}

TEST(IssuanceState, NothingTwice) {
  IssuanceState state(manifest());
  EXPECT_EQ(append(state, issuance(1, 1)), "taken");
  const std::string zeros(62, '0');
  const std::string before = "the pseudonym 01" + zeros + " got a credential before";
  EXPECT_EQ(append(state, issuance(1, 1)), before);
  EXPECT_EQ(append(state, issuance(1, 2)), before);
  EXPECT_EQ(append(state, issuance(1, 2, kIsland)), before);
  const std::string signed_before =
      "the blinded message with digest 01" + zeros + " was signed before";
  EXPECT_EQ(append(state, issuance(2, 1)), signed_before);
  EXPECT_EQ(append(state, issuance(2, 1, kIsland)), signed_before);
  EXPECT_EQ(state.total(), 1U);
  EXPECT_EQ(state.issued(kMayor), 1U);
  EXPECT_EQ(state.issued(kIsland), 0U);
  EXPECT_EQ(append(state, issuance(2, 2)), "taken");
}

TEST(IssuanceState, NoMoreThanVoters) {
  IssuanceState state(manifest());
  for (std::uint8_t i = 0; i < 4; ++i) {
    EXPECT_EQ(append(state, issuance(i, i)), "taken");
  }
  EXPECT_EQ(append(state, issuance(9, 9)), "more issuances than the manifest's 4 voters");
  EXPECT_EQ(state.total(), 4U);
}

}  // namespace
}  // namespace psephos::protocol
