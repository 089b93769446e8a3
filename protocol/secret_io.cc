#include "protocol/secret_io.h"

#include <limits>

namespace psephos::protocol {

SecretWriter& SecretWriter::raw(ByteView bytes) {
  if (bytes.size() > buffer_.size() - size_) {
    SecretBuffer larger(2 * (size_ + bytes.size()));
    std::ranges::copy(buffer_.expose_secret().first(size_), larger.expose_secret().begin());
    buffer_ = std::move(larger);
  }
  std::ranges::copy(bytes, buffer_.expose_secret().subspan(size_).begin());
  size_ += bytes.size();
  return *this;
}

template <class Integer>
SecretWriter& SecretWriter::integer(Integer value) {
  SecretBytes<sizeof(Integer)> bytes;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    bytes.expose_secret()[i] =
        static_cast<std::uint8_t>(std::uint64_t{value} >> (8 * (sizeof(Integer) - 1 - i)));
  }
  return raw(bytes.expose_secret());
}

SecretWriter& SecretWriter::u8(std::uint8_t value) { return integer(value); }
SecretWriter& SecretWriter::u32(std::uint32_t value) { return integer(value); }
SecretWriter& SecretWriter::u64(std::uint64_t value) { return integer(value); }

SecretWriter& SecretWriter::var(ByteView bytes) {
  PSEPHOS_CHECK(bytes.size() <= std::numeric_limits<std::uint32_t>::max());
  return u32(static_cast<std::uint32_t>(bytes.size())).raw(bytes);
}

SecretWriter& SecretWriter::optional_digest(const std::optional<Digest32>& digest) {
  u8(digest.has_value() ? 1 : 0);
  return digest.has_value() ? raw(*digest) : *this;
}

SecretBuffer SecretWriter::take() && {
  return SecretBuffer(ByteView(buffer_.expose_secret()).first(size_));
}

Result<std::optional<Digest32>> SecretReader::optional_digest(std::string_view field) {
  PSEPHOS_TRY(const std::uint8_t is_there, u8(field));
  if (is_there > 1) {
    return fail(Errc::malformed, std::string(field) + ": a flag is neither 0 nor 1");
  }
  if (is_there == 0) {
    return std::nullopt;
  }
  return digest(field);
}

}  // namespace psephos::protocol
