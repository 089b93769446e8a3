// Byte strings and their texts: lower-case hex, canonical base64 and base64url. Public data only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "psephos/error.h"

namespace psephos {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
using MutableByteView = std::span<std::uint8_t>;

// Digest32 is a SHA-256 value: a digest, a tree hash, an election id.
using Digest32 = std::array<std::uint8_t, 32>;

// as_bytes views the characters of a text; as_text views bytes as characters. No copy, no check.
[[nodiscard]] ByteView as_bytes(std::string_view text);
[[nodiscard]] std::string_view as_text(ByteView bytes);

// hex: two lower-case digits a byte. unhex accepts exactly what hex writes; Errc::malformed else.
[[nodiscard]] std::string hex(ByteView bytes);
[[nodiscard]] Result<Bytes> unhex(std::string_view text);
[[nodiscard]] Result<Digest32> unhex32(std::string_view text);

// base64 with the standard alphabet and padding (RFC 4648 §4). unbase64 accepts exactly what base64
// writes: no line breaks, no missing padding, no set bits after the last byte; Errc::malformed
// else.
[[nodiscard]] std::string base64(ByteView bytes);
[[nodiscard]] Result<Bytes> unbase64(std::string_view text);

// base64url: the alphabet for URLs and no padding (RFC 4648 §5, as RFC 7515 uses it). As strict.
[[nodiscard]] std::string base64url(ByteView bytes);
[[nodiscard]] Result<Bytes> unbase64url(std::string_view text);

// is_utf8 tells whether the text is well-formed UTF-8 (no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view text);

// printable is the text as it may stand in a message: each control character (below U+0020, U+007F
// to U+009F) escaped as \xNN bytes, and every byte from 0x7f on if the text is not UTF-8. What
// comes from a record could otherwise steer the terminal that shows it.
[[nodiscard]] std::string printable(std::string_view text);
[[nodiscard]] bool has_control(std::string_view text);

// equal compares two public byte strings.
[[nodiscard]] bool equal(ByteView a, ByteView b);

}  // namespace psephos
