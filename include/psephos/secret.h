// Types for secret bytes: move-only, wiped when they end or are moved from, without output and
// without ==. The bytes are reached only through expose_secret(), so that every use can be found.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "psephos/bytes.h"

namespace psephos {

// wipe overwrites memory in a way the compiler keeps (sodium_memzero).
void wipe(MutableByteView bytes);

// ct_equal compares two secrets of public length in constant time; false if the lengths differ.
[[nodiscard]] bool ct_equal(ByteView a, ByteView b);

// SecretBytes is a secret of a length fixed at compile time.
template <std::size_t N>
class SecretBytes {
 public:
  SecretBytes() : bytes_{} {}
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  SecretBytes(SecretBytes&& other) noexcept : bytes_(other.bytes_) { other.clear(); }
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      other.clear();
    }
    return *this;
  }
  ~SecretBytes() { clear(); }

  static constexpr std::size_t size() { return N; }
  [[nodiscard]] std::span<const std::uint8_t, N> expose_secret() const { return bytes_; }
  [[nodiscard]] std::span<std::uint8_t, N> expose_secret() { return bytes_; }

  bool operator==(const SecretBytes&) const = delete;

 private:
  void clear() { wipe(bytes_); }
  std::array<std::uint8_t, N> bytes_;
};

// SecretBuffer is a secret of a length known at run time. The length itself is public. It never
// reallocates: it is made with its final size.
class SecretBuffer {
 public:
  explicit SecretBuffer(std::size_t size = 0) : bytes_(size) {}
  explicit SecretBuffer(ByteView bytes) : bytes_(bytes.begin(), bytes.end()) {}
  SecretBuffer(const SecretBuffer&) = delete;
  SecretBuffer& operator=(const SecretBuffer&) = delete;
  SecretBuffer(SecretBuffer&& other) noexcept : bytes_(std::move(other.bytes_)) {
    other.bytes_.clear();
  }
  SecretBuffer& operator=(SecretBuffer&& other) noexcept {
    if (this != &other) {
      wipe(bytes_);
      bytes_ = std::move(other.bytes_);
      other.bytes_.clear();
    }
    return *this;
  }
  ~SecretBuffer() { wipe(bytes_); }

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] ByteView expose_secret() const { return bytes_; }
  [[nodiscard]] MutableByteView expose_secret() { return bytes_; }

  bool operator==(const SecretBuffer&) const = delete;

 private:
  std::vector<std::uint8_t> bytes_;
};

}  // namespace psephos
