#include "psephos/crypto/hash.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace psephos::crypto {
namespace {

// FIPS 180-4 example values (NIST, "Cryptographic Standards and Guidelines").
TEST(Hash, ExamplesOfTheStandard) {
  EXPECT_EQ(hex(sha256({as_bytes("abc")})),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256({as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")})),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex(sha384({as_bytes("abc")})),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
            "8086072ba1e7cc2358baeca134c825a7");
  EXPECT_EQ(hex(sha512({as_bytes("abc")})),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST(Hash, NothingIsHashedToo) {
  const std::string_view empty256 =
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  EXPECT_EQ(hex(sha256({})), empty256);
  EXPECT_EQ(hex(sha256({ByteView(), ByteView()})), empty256);
  EXPECT_EQ(hex(sha384({ByteView()})).substr(0, 16), "38b060a751ac9638");
  EXPECT_EQ(hex(sha512({})).substr(0, 16), "cf83e1357eefb8bd");
  EXPECT_EQ(sha512({}), sha512({ByteView()}));
}

TEST(Hash, PartsAreConcatenated) {
  const Bytes bytes(300, 0x5a);
  const ByteView all(bytes);
  for (const std::size_t cut : {0U, 1U, 63U, 64U, 111U, 128U, 300U}) {
    const ByteView head = all.first(cut);
    const ByteView tail = all.subspan(cut);
    EXPECT_EQ(sha256({head, tail}), sha256({all}));
    EXPECT_EQ(sha384({head, tail}), sha384({all}));
    EXPECT_EQ(sha512({head, tail}), sha512({all}));
  }
  EXPECT_NE(sha256({all}), sha256({all.first(299)}));
}

TEST(Hash, ThreadsDoNotDisturbEachOther) {
  const Digest32 expected = sha256({as_bytes("abc")});
  std::array<bool, 4> same{};
  {
    std::vector<std::jthread> threads;
    for (bool& result : same) {
      threads.emplace_back([&result, &expected] {
        result = true;
        for (int i = 0; i < 2000; ++i) {
          result = result && sha256({as_bytes("a"), as_bytes("bc")}) == expected;
        }
      });
    }
  }
  EXPECT_EQ(same, (std::array{true, true, true, true}));
}

}  // namespace
}  // namespace psephos::crypto
