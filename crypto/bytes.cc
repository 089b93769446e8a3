#include "psephos/bytes.h"

#include <algorithm>

namespace psephos {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64Digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64UrlDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// The value of a digit, or 255.
std::uint8_t digit_value(std::string_view digits, char c) {
  const auto at = digits.find(c);
  return at == std::string_view::npos ? 255 : static_cast<std::uint8_t>(at);
}

}  // namespace

ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string hex(ByteView bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t b : bytes) {
    text += kHexDigits[b >> 4];
    text += kHexDigits[b & 15];
  }
  return text;
}

Result<Bytes> unhex(std::string_view text) {
  if (text.size() % 2 != 0) {
    return fail(Errc::malformed, "hex text of odd length");
  }
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const std::uint8_t high = digit_value(kHexDigits, text[i]);
    const std::uint8_t low = digit_value(kHexDigits, text[i + 1]);
    if (high > 15 || low > 15) {
      return fail(Errc::malformed, "not a lower-case hex digit at position " + std::to_string(i));
    }
    bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return bytes;
}

Result<Digest32> unhex32(std::string_view text) {
  PSEPHOS_TRY(const Bytes bytes, unhex(text));
  Digest32 digest;
  if (bytes.size() != digest.size()) {
    return fail(Errc::malformed, "expected 64 hex digits, found " + std::to_string(text.size()));
  }
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

std::string base64(ByteView bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < left ? bytes[i + k] : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += k <= left ? kBase64Digits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return text;
}

Result<Bytes> unbase64(std::string_view text) {
  if (text.size() % 4 != 0) {
    return fail(Errc::malformed, "base64 text is not padded to groups of 4");
  }
  Bytes bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    std::size_t padding = 0;
    if (last && text[i + 3] == '=') {
      padding = text[i + 2] == '=' ? 2 : 1;
    }
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const std::uint8_t value = k < 4 - padding ? digit_value(kBase64Digits, text[i + k]) : 0;
      if (value > 63) {
        return fail(Errc::malformed, "not a base64 digit at position " + std::to_string(i + k));
      }
      group = group << 6 | value;
    }
    for (std::size_t k = 0; k < 3 - padding; ++k) {
      bytes.push_back(static_cast<std::uint8_t>(group >> (16 - 8 * k)));
    }
    if ((padding == 1 && (group & 0xff) != 0) || (padding == 2 && (group & 0xffff) != 0)) {
      return fail(Errc::malformed, "base64 text has bits set after its last byte");
    }
  }
  return bytes;
}

std::string base64url(ByteView bytes) {
  std::string text;
  text.reserve((4 * bytes.size() + 2) / 3);
  std::uint32_t group = 0;
  unsigned num_bits = 0;
  for (const std::uint8_t b : bytes) {
    group = group << 8 | b;
    for (num_bits += 8; num_bits >= 6; num_bits -= 6) {
      text += kBase64UrlDigits[group >> (num_bits - 6) & 63];
    }
  }
  if (num_bits > 0) {
    text += kBase64UrlDigits[group << (6 - num_bits) & 63];
  }
  return text;
}

Result<Bytes> unbase64url(std::string_view text) {
  if (text.size() % 4 == 1) {
    return fail(Errc::malformed, "base64url text of a length that no bytes have");
  }
  Bytes bytes;
  bytes.reserve(3 * text.size() / 4);
  std::uint32_t group = 0;
  unsigned num_bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::uint8_t value = digit_value(kBase64UrlDigits, text[i]);
    if (value > 63) {
      return fail(Errc::malformed, "not a base64url digit at position " + std::to_string(i));
    }
    group = group << 6 | value;
    num_bits += 6;
    if (num_bits >= 8) {
      num_bits -= 8;
      bytes.push_back(static_cast<std::uint8_t>(group >> num_bits));
    }
  }
  if ((group & ((1U << num_bits) - 1)) != 0) {
    return fail(Errc::malformed, "base64url text has bits set after its last byte");
  }
  return bytes;
}

bool is_utf8(std::string_view text) {
  const ByteView b = as_bytes(text);
  std::size_t i = 0;
  while (i < b.size()) {
    const std::uint8_t first = b[i];
    std::size_t length = 1;
    std::uint32_t code = first;
    std::uint32_t least = 0;
    if (first >= 0x80) {
      if ((first & 0xe0) == 0xc0) {
        length = 2, code = first & 0x1fU, least = 0x80;
      } else if ((first & 0xf0) == 0xe0) {
        length = 3, code = first & 0x0fU, least = 0x800;
      } else if ((first & 0xf8) == 0xf0) {
        length = 4, code = first & 0x07U, least = 0x10000;
      } else {
        return false;
      }
    }
    if (length > b.size() - i) {
      return false;
    }
    for (std::size_t k = 1; k < length; ++k) {
      if ((b[i + k] & 0xc0) != 0x80) {
        return false;
      }
      code = code << 6 | (b[i + k] & 0x3fU);
    }
    if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
      return false;
    }
    i += length;
  }
  return true;
}

namespace {

// The bytes of the control character that begins at `at`: 0 if there is none.
std::size_t control_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  if (byte(at) < 0x20 || byte(at) == 0x7f) {
    return 1;
  }
  // U+0080 … U+009F
  const bool is_c1 =
      byte(at) == 0xc2 && at + 1 < text.size() && byte(at + 1) >= 0x80 && byte(at + 1) < 0xa0;
  return is_c1 ? 2 : 0;
}

}  // namespace

bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (control_at(text, i) > 0) {
      return true;
    }
  }
  return false;
}

std::string printable(std::string_view text) {
  const bool is_text = is_utf8(text);
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    const std::size_t escaped =
        is_text ? control_at(text, i) : (byte < 0x20 || byte > 0x7e ? 1 : 0);
    if (escaped == 0) {
      result += text[i++];
      continue;
    }
    for (std::size_t k = 0; k < escaped; ++k) {
      result += "\\x" + hex(as_bytes(text.substr(i++, 1)));
    }
  }
  return result;
}

bool equal(ByteView a, ByteView b) { return std::ranges::equal(a, b); }

}  // namespace psephos
