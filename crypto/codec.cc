#include "psephos/codec.h"

#include <algorithm>

namespace psephos {

namespace {

template <class T>
void append_integer(Bytes& bytes, T value) {
  for (std::size_t i = sizeof(T); i-- > 0;) {
    bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

template <class T>
T integer(ByteView bytes) {
  T value = 0;
  for (const std::uint8_t b : bytes) {
    value = static_cast<T>(static_cast<std::uint64_t>(value) << 8 | b);
  }
  return value;
}

template <class T>
Result<T> read_integer(Reader& in, std::string_view field) {
  PSEPHOS_TRY(const ByteView bytes, in.raw(sizeof(T), field));
  return integer<T>(bytes);
}

}  // namespace

Writer& Writer::u8(std::uint8_t value) {
  bytes_.push_back(value);
  return *this;
}

Writer& Writer::u16(std::uint16_t value) {
  append_integer(bytes_, value);
  return *this;
}

Writer& Writer::u32(std::uint32_t value) {
  append_integer(bytes_, value);
  return *this;
}

Writer& Writer::u64(std::uint64_t value) {
  append_integer(bytes_, value);
  return *this;
}

Writer& Writer::raw(ByteView bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return *this;
}

Writer& Writer::var(ByteView bytes) {
  PSEPHOS_CHECK(bytes.size() <= std::numeric_limits<std::uint32_t>::max());
  u32(static_cast<std::uint32_t>(bytes.size()));
  return raw(bytes);
}

Writer& Writer::var(std::string_view text) { return var(as_bytes(text)); }

Result<ByteView> Reader::raw(std::size_t size, std::string_view field) {
  if (size > rest_.size()) {
    return fail(Errc::malformed, std::string(field) + ": needs " + std::to_string(size) +
                                     " bytes, " + std::to_string(rest_.size()) + " are left");
  }
  const ByteView bytes = rest_.first(size);
  rest_ = rest_.subspan(size);
  return bytes;
}

Result<std::uint8_t> Reader::u8(std::string_view field) {
  return read_integer<std::uint8_t>(*this, field);
}
Result<std::uint16_t> Reader::u16(std::string_view field) {
  return read_integer<std::uint16_t>(*this, field);
}
Result<std::uint32_t> Reader::u32(std::string_view field) {
  return read_integer<std::uint32_t>(*this, field);
}
Result<std::uint64_t> Reader::u64(std::string_view field) {
  return read_integer<std::uint64_t>(*this, field);
}

Result<Digest32> Reader::digest(std::string_view field) {
  PSEPHOS_TRY(const ByteView bytes, raw(32, field));
  Digest32 digest;
  std::ranges::copy(bytes, digest.begin());
  return digest;
}

Result<ByteView> Reader::var(std::size_t max, std::string_view field) {
  const ByteView before = rest_;
  PSEPHOS_TRY(const std::uint32_t size, u32(field));
  if (size > max) {
    rest_ = before;
    return fail(Errc::malformed, std::string(field) + ": length " + std::to_string(size) +
                                     " is above the maximum of " + std::to_string(max));
  }
  auto bytes = raw(size, field);
  if (!bytes.has_value()) {
    rest_ = before;
  }
  return bytes;
}

Result<std::string> Reader::text(std::size_t max, std::string_view field) {
  const ByteView before = rest_;
  PSEPHOS_TRY(const ByteView bytes, var(max, field));
  if (!is_utf8(as_text(bytes))) {
    rest_ = before;
    return fail(Errc::malformed, std::string(field) + ": not UTF-8");
  }
  return std::string(as_text(bytes));
}

Result<void> Reader::finish(std::string_view what) const {
  if (!rest_.empty()) {
    return fail(Errc::malformed,
                std::string(what) + ": " + std::to_string(rest_.size()) + " bytes too many");
  }
  return {};
}

}  // namespace psephos
