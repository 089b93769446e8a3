// HMAC-SHA-256 against RFC 4231. Our keys have 32 bytes: HMAC fills a shorter key up with zeros and
// replaces one longer than a block by its SHA-256, so every case of the RFC but the truncated one
// (5) can be run.
#include "psephos/crypto/hmac.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "psephos/crypto/hash.h"

namespace psephos::crypto {
namespace {

SecretBytes<32> key_of(ByteView bytes) {
  SecretBytes<32> key;
  std::ranges::copy(bytes, key.expose_secret().begin());
  return key;
}

struct Case {
  Bytes key;
  std::string data;
  std::string_view mac;
};

const Case kCases[] = {
    {Bytes(20, 0x0b), "Hi There",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {{'J', 'e', 'f', 'e'},
     "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {Bytes(20, 0xaa), std::string(50, '\xdd'),
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25},
     std::string(50, '\xcd'),
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    {Bytes(131, 0xaa), "Test Using Larger Than Block-Size Key - Hash Key First",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {Bytes(131, 0xaa),
     "This is a test using a larger than block-size key and a larger than block-size data. The key "
     "needs to be hashed before being used by the HMAC algorithm.",
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

TEST(Hmac, Rfc4231) {
  for (const Case& item : kCases) {
    const Digest32 hashed = sha256({item.key});
    const auto key = key_of(item.key.size() > 64 ? ByteView(hashed) : ByteView(item.key));
    EXPECT_EQ(hex(hmac_sha256(key, {as_bytes(item.data)})), item.mac);
  }
}

TEST(Hmac, PartsAreConcatenated) {
  const auto key = key_of(Bytes(20, 0x0b));
  EXPECT_EQ(hex(hmac_sha256(key, {as_bytes("Hi"), {}, as_bytes(" There")})), kCases[0].mac);
}

TEST(Hmac, AnyChangeGivesAnotherValue) {
  const auto key = key_of(Bytes(20, 0x0b));
  EXPECT_NE(hex(hmac_sha256(key, {as_bytes("Hi there")})), kCases[0].mac);
  EXPECT_NE(hex(hmac_sha256(key, {as_bytes("Hi There"), as_bytes("!")})), kCases[0].mac);
  EXPECT_NE(hex(hmac_sha256(key_of(Bytes(21, 0x0b)), {as_bytes("Hi There")})), kCases[0].mac);
  EXPECT_NE(hmac_sha256(key, {}), hmac_sha256(key_of({}), {}));
}

}  // namespace
}  // namespace psephos::crypto
