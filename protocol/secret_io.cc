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

SecretBuffer SecretWriter::take() && {
  return SecretBuffer(ByteView(buffer_.expose_secret()).first(size_));
}

}  // namespace psephos::protocol
