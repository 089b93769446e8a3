// The codec for what a role saves: the fields of codec.h, written into memory that is wiped. The
// result goes into a sealed file (psephos/crypto/key_file.h), whose kind says what is inside. Spec:
// docs/spec.md §2.1, §9.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "psephos/codec.h"
#include "psephos/error.h"
#include "psephos/secret.h"

namespace psephos::protocol {

// SecretWriter appends fields; what it outgrows is wiped.
class SecretWriter {
 public:
  SecretWriter& u8(std::uint8_t value);
  SecretWriter& u32(std::uint32_t value);
  SecretWriter& u64(std::uint64_t value);
  // raw writes bytes whose length the reader knows.
  SecretWriter& raw(ByteView bytes);
  // var writes a u32 length, then the bytes.
  SecretWriter& var(ByteView bytes);
  SecretWriter& var(std::string_view text) { return var(as_bytes(text)); }
  // optional_digest writes a flag, 0 or 1, and after a 1 the digest.
  SecretWriter& optional_digest(const std::optional<Digest32>& digest);

  [[nodiscard]] SecretBuffer take() &&;

 private:
  template <class Integer>
  SecretWriter& integer(Integer value);

  SecretBuffer buffer_{256};
  std::size_t size_ = 0;
};

// SecretReader is a Reader over a secret; views it returns live as long as the content.
class SecretReader {
 public:
  explicit SecretReader(const SecretBuffer& content) : in_(content.expose_secret()) {}

  Result<std::uint8_t> u8(std::string_view field) { return in_.u8(field); }
  Result<std::uint32_t> u32(std::string_view field) { return in_.u32(field); }
  Result<std::uint64_t> u64(std::string_view field) { return in_.u64(field); }
  Result<ByteView> raw(std::size_t size, std::string_view field) { return in_.raw(size, field); }
  Result<ByteView> var(std::size_t max, std::string_view field) { return in_.var(max, field); }
  // digest reads 32 public bytes; text a public text of at most max bytes.
  Result<Digest32> digest(std::string_view field) { return in_.digest(field); }
  Result<std::string> text(std::size_t max, std::string_view field) { return in_.text(max, field); }
  Result<std::optional<Digest32>> optional_digest(std::string_view field);
  // secret reads N bytes into memory that is wiped.
  template <std::size_t N>
  Result<SecretBytes<N>> secret(std::string_view field) {
    PSEPHOS_TRY(const ByteView bytes, in_.raw(N, field));
    SecretBytes<N> result;
    std::ranges::copy(bytes, result.expose_secret().begin());
    return result;
  }
  [[nodiscard]] std::size_t remaining() const { return in_.remaining(); }
  Result<void> finish(std::string_view what) const { return in_.finish(what); }

 private:
  Reader in_;
};

}  // namespace psephos::protocol
