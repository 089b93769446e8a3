// The one codec: every stored, hashed or signed value is written by Writer and read by Reader.
//
// Fixed-width integers are big-endian; a variable field has a u32 length in front; nothing may
// trail. decode(encode(x)) == x and encode(decode(b)) == b: every value has exactly one encoding.
// Spec: docs/spec.md §2.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "psephos/bytes.h"
#include "psephos/error.h"

namespace psephos {

// Writer appends fields to a byte string it owns. Public data only: there is no overload for a
// secret.
class Writer {
 public:
  Writer& u8(std::uint8_t value);
  Writer& u16(std::uint16_t value);
  Writer& u32(std::uint32_t value);
  Writer& u64(std::uint64_t value);
  // raw writes bytes whose length the reader knows.
  Writer& raw(ByteView bytes);
  // var writes a u32 length, then the bytes (at most 2^32 − 1).
  Writer& var(ByteView bytes);
  Writer& var(std::string_view text);

  [[nodiscard]] const Bytes& bytes() const { return bytes_; }
  [[nodiscard]] Bytes take() && { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

// Reader is a cursor over bytes it does not own. Every read either yields the field or fails with
// Errc::malformed and a message naming the field; a failed read leaves the cursor where it was.
class Reader {
 public:
  // Points::later: whoever made the reader judges all points read from it together, before anyone
  // sees them (crypto::Evaluator::not_elements); decoding is not refused for them.
  enum class Points : bool { now, later };
  explicit Reader(ByteView bytes, Points points = Points::now)
      : rest_(bytes), points_later_(points == Points::later) {}
  [[nodiscard]] bool points_later() const { return points_later_; }

  Result<std::uint8_t> u8(std::string_view field);
  Result<std::uint16_t> u16(std::string_view field);
  Result<std::uint32_t> u32(std::string_view field);
  Result<std::uint64_t> u64(std::string_view field);
  // raw reads exactly size bytes; the view lives as long as the bytes under the reader.
  Result<ByteView> raw(std::size_t size, std::string_view field);
  Result<Digest32> digest(std::string_view field);
  // var reads a field with a u32 length in front, refused above max bytes before anything is taken.
  Result<ByteView> var(std::size_t max, std::string_view field);
  // text is var, refused unless well-formed UTF-8.
  Result<std::string> text(std::size_t max, std::string_view field);
  // finish succeeds only if every byte was read.
  Result<void> finish(std::string_view what) const;

  [[nodiscard]] std::size_t remaining() const { return rest_.size(); }
  [[nodiscard]] ByteView rest() const { return rest_; }

 private:
  ByteView rest_;
  bool points_later_;
};

}  // namespace psephos
