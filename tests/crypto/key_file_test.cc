#include "psephos/crypto/key_file.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "psephos/codec.h"

#include "tests/crypto/expect.h"
#include "tests/support/seeded_random.h"

namespace psephos::crypto {
namespace {

using test::fails_with;
using test::is_ok;
using test::must;

constexpr std::string_view kMagic = "psephos/v1/sealed-file";

SecretBuffer secret(std::string_view text) { return SecretBuffer(as_bytes(text)); }

// Yields 0, 1, 2, …
class CountingRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& b : out) {
      b = next_++;
    }
  }

 private:
  std::uint8_t next_ = 0;
};

Bytes sealed_wallet() {
  CountingRandom random;
  return must(seal_file("wallet", secret("a secret of the owner"),
                        secret("correct horse battery staple"), PasswordCost::minimal, random));
}

// A file whose header is well formed and asks for this cost; nothing can open it.
Bytes file_of_cost(std::uint32_t passes, std::uint64_t memory_bytes) {
  Writer out;
  out.raw(as_bytes(kMagic)).u8(6).raw(as_bytes("wallet")).u32(passes).u64(memory_bytes);
  out.raw(Bytes(16 + 24 + 16 + 5));
  return std::move(out).take();
}

TEST(KeyFile, KnownAnswer) {
  // Printed by make_key_file_vector.py, which shares no code with this library.
  const std::string expected =
      "70736570686f732f76312f7365616c65642d66696c65"
      "0677616c6c6574"
      "000000010000000000800000"
      "000102030405060708090a0b0c0d0e0f"
      "101112131415161718191a1b1c1d1e1f2021222324252627"
      "626d3bbaa1a8d56138528b309c15a5b7831f430cde27d5aba19eb196da6700a353e26e8409";
  EXPECT_EQ(hex(sealed_wallet()), expected);
  const SecretBuffer content =
      must(open_file("wallet", must(unhex(expected)), secret("correct horse battery staple")));
  EXPECT_EQ(as_text(content.expose_secret()), "a secret of the owner");
}

TEST(KeyFile, RoundTrip) {
  test::SeededRandom random;
  for (const std::size_t size : {0U, 1U, 31U, 5000U}) {
    SecretBuffer content(size);
    if (size > 0) {
      random.fill(content.expose_secret());
    }
    for (const std::string_view password : {"", "p", "naïve ψῆφος"}) {
      const Bytes file =
          must(seal_file("trustee", content, secret(password), PasswordCost::minimal, random));
      const SecretBuffer opened = must(open_file("trustee", file, secret(password)));
      EXPECT_TRUE(ct_equal(opened.expose_secret(), content.expose_secret()));
    }
  }
}

TEST(KeyFile, ModerateCostIsWrittenIntoTheFile) {
  test::SeededRandom random;
  const Bytes file =
      must(seal_file("k", secret("content"), secret("password"), PasswordCost::moderate, random));
  Reader in(file);
  must(in.raw(kMagic.size() + 2, "magic and kind"));
  EXPECT_EQ(must(in.u32("passes")), 3U);
  EXPECT_EQ(must(in.u64("memory")), std::uint64_t{256} << 20);
  EXPECT_TRUE(is_ok(open_file("k", file, secret("password"))));
  EXPECT_TRUE(fails_with(Errc::rejected, open_file("k", file, secret("passwort"))));
}

TEST(KeyFile, SameContentNeverLooksTheSame) {
  test::SeededRandom random;
  const auto seal = [&] {
    return must(seal_file("k", secret("c"), secret("p"), PasswordCost::minimal, random));
  };
  EXPECT_NE(seal(), seal());
}

TEST(KeyFile, WrongPassword) {
  const Bytes file = sealed_wallet();
  for (const std::string_view password :
       {"", "correct horse battery stapl", "correct horse battery staple ",
        "Correct horse battery staple"}) {
    EXPECT_TRUE(fails_with(Errc::rejected, open_file("wallet", file, secret(password))));
  }
}

TEST(KeyFile, EveryByteMatters) {
  const Bytes file = sealed_wallet();
  for (std::size_t at = 0; at < file.size(); ++at) {
    for (const int flip : {0x01, 0x80}) {
      Bytes changed = file;
      changed[at] ^= static_cast<std::uint8_t>(flip);
      const auto opened = open_file("wallet", changed, secret("correct horse battery staple"));
      ASSERT_FALSE(opened.has_value()) << "byte " << at;
      EXPECT_TRUE(opened.error().code == Errc::malformed || opened.error().code == Errc::rejected)
          << opened.error().message;
    }
  }
}

TEST(KeyFile, EveryLengthMatters) {
  const Bytes file = sealed_wallet();
  const std::size_t header = file.size() - 21 - 16;
  for (std::size_t size = 0; size < file.size(); ++size) {
    // Without room for a tag the file is cut short; later cuts look like any other change.
    const Errc code = size < header + 16 ? Errc::malformed : Errc::rejected;
    EXPECT_TRUE(fails_with(code, open_file("wallet", ByteView(file).first(size),
                                           secret("correct horse battery staple"))));
  }
  Bytes longer = file;
  longer.push_back(0);
  EXPECT_TRUE(fails_with(Errc::rejected,
                         open_file("wallet", longer, secret("correct horse battery staple"))));
}

TEST(KeyFile, OtherKind) {
  const Bytes file = sealed_wallet();
  const auto other = open_file("trustee", file, secret("correct horse battery staple"));
  ASSERT_TRUE(fails_with(Errc::malformed, other));
  EXPECT_NE(other.error().message.find("'wallet'"), std::string::npos);
  EXPECT_NE(other.error().message.find("'trustee'"), std::string::npos);
  for (const std::string_view kind : {"", "walle", "wallets", "Wallet"}) {
    EXPECT_TRUE(
        fails_with(Errc::malformed, open_file(kind, file, secret("correct horse battery staple"))));
  }
}

TEST(KeyFile, KindIsAVisibleWord) {
  test::SeededRandom random;
  const auto seal = [&](std::string_view kind) {
    return seal_file(kind, secret("c"), secret("p"), PasswordCost::minimal, random);
  };
  EXPECT_TRUE(is_ok(seal(std::string(255, 'k'))));
  EXPECT_TRUE(fails_with(Errc::misuse, seal(std::string(256, 'k'))));
  for (const std::string_view kind : {"", "two words", "tab\t", "line\n", "ψῆφος", "\x7f"}) {
    EXPECT_TRUE(fails_with(Errc::misuse, seal(kind)));
  }
}

TEST(KeyFile, HugeCostsAreRefusedUnspent) {
  constexpr std::uint64_t kGib = std::uint64_t{1} << 30;
  // Had the cost been spent, the answer would be "rejected".
  EXPECT_TRUE(fails_with(Errc::rejected, open_file("wallet", file_of_cost(16, 8192), secret(""))));
  EXPECT_TRUE(fails_with(Errc::malformed, open_file("wallet", file_of_cost(17, 8192), secret(""))));
  EXPECT_TRUE(fails_with(Errc::malformed, open_file("wallet", file_of_cost(0, 8192), secret(""))));
  EXPECT_TRUE(
      fails_with(Errc::malformed, open_file("wallet", file_of_cost(UINT32_MAX, 8192), secret(""))));
  for (const std::uint64_t memory :
       {std::uint64_t{0}, std::uint64_t{8191}, kGib + 1, 2 * kGib, std::uint64_t{1} << 32,
        (std::uint64_t{1} << 32) + 8192, std::uint64_t{1} << 63, UINT64_MAX}) {
    EXPECT_TRUE(
        fails_with(Errc::malformed, open_file("wallet", file_of_cost(1, memory), secret(""))));
  }
}

TEST(KeyFile, OtherFiles) {
  EXPECT_TRUE(fails_with(Errc::malformed, open_file("wallet", {}, secret(""))));
  EXPECT_TRUE(fails_with(Errc::malformed, open_file("wallet", as_bytes("hello"), secret(""))));
  EXPECT_TRUE(fails_with(Errc::malformed, open_file("wallet", Bytes(500), secret(""))));
  Bytes next = sealed_wallet();
  next[9] = '2';  // "psephos/v2/…"
  EXPECT_TRUE(fails_with(Errc::malformed,
                         open_file("wallet", next, secret("correct horse battery staple"))));
  // A kind that is not printable is not repeated in a message.
  Writer out;
  out.raw(as_bytes(kMagic)).u8(1).u8(0x1b).raw(Bytes(100));
  const auto escape = open_file("wallet", out.bytes(), secret(""));
  ASSERT_TRUE(fails_with(Errc::malformed, escape));
  EXPECT_EQ(escape.error().message.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace psephos::crypto
