#include "protocol/secret_io.h"

#include <gtest/gtest.h>

namespace psephos::protocol {
namespace {

TEST(SecretIo, WritesWhatTheCodecWrites) {
  SecretWriter secret;
  Writer plain;
  const Bytes long_field(1000, 0x5a);  // outgrows the first buffer
  secret.u8(1).u32(0x02030405).u64(0x060708090a0b0c0d).raw(long_field).var(long_field).var("text");
  plain.u8(1).u32(0x02030405).u64(0x060708090a0b0c0d).raw(long_field).var(long_field).var("text");
  const SecretBuffer content = std::move(secret).take();
  EXPECT_EQ(hex(content.expose_secret()), hex(plain.bytes()));

  SecretReader in(content);
  EXPECT_EQ(in.u8("a").value(), 1U);
  EXPECT_EQ(in.u32("b").value(), 0x02030405U);
  EXPECT_EQ(in.u64("c").value(), 0x060708090a0b0c0dU);
  EXPECT_TRUE(equal(in.raw(1000, "d").value(), long_field));
  EXPECT_FALSE(in.var(999, "e").has_value());
  EXPECT_TRUE(equal(in.var(1000, "e").value(), long_field));
  EXPECT_FALSE(in.finish("file").has_value());
  EXPECT_EQ(in.text(4, "f").value(), "text");
  EXPECT_TRUE(in.finish("file").has_value());
  EXPECT_FALSE(in.u8("g").has_value());
}

TEST(SecretIo, AnEmptyContentIsEmpty) {
  const SecretBuffer content = SecretWriter().take();
  EXPECT_EQ(content.size(), 0U);
  EXPECT_FALSE(SecretReader(content).secret<32>("key").has_value());
  EXPECT_TRUE(SecretReader(content).finish("file").has_value());
}

}  // namespace
}  // namespace psephos::protocol
