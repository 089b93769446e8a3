// The Fiat–Shamir transcript. Spec: docs/spec.md §2.3.
//
//   Transcript(name)      ctx = SHA-512 with nothing in it; absorb("psephos/v1", name)
//   absorb(label, bytes)  ctx ← u32be(|label|) ‖ label ‖ u32be(|bytes|) ‖ bytes
//   challenge(label)      absorb(label, ""); d = SHA-512(ctx so far); absorb("challenge", d);
//                         d as a little-endian integer mod q
//
// Public data only; not for several threads at once. Labels are ASCII and stand in
// protocol/labels.h and crypto/labels.h. A verifier refuses a challenge of zero; this class only
// computes it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "psephos/bytes.h"
#include "psephos/crypto/scalar.h"

namespace psephos::crypto {

class Transcript {
 public:
  explicit Transcript(std::string_view name);
  Transcript(const Transcript& other);
  Transcript(Transcript&& other) noexcept;
  Transcript& operator=(const Transcript& other);
  Transcript& operator=(Transcript&& other) noexcept;
  ~Transcript();

  void absorb(std::string_view label, ByteView bytes);
  void absorb_u32(std::string_view label, std::uint32_t value);
  [[nodiscard]] Scalar challenge(std::string_view label);
  // digest of everything absorbed so far (SHA-512).
  [[nodiscard]] std::array<std::uint8_t, 64> digest() const;

 private:
  class Hash;  // of what was absorbed
  std::unique_ptr<Hash> hash_;
};

}  // namespace psephos::crypto
