// Where a secret becomes public. Under the constant-time test (PSEPHOS_CT_VALGRIND) this also tells
// valgrind, which holds all secrets for undefined memory, that the copy may be branched upon.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#ifdef PSEPHOS_CT_VALGRIND
#include <valgrind/memcheck.h>
#endif

namespace psephos::crypto {

inline std::uint64_t declassified(std::uint64_t value) {
#ifdef PSEPHOS_CT_VALGRIND
  VALGRIND_MAKE_MEM_DEFINED(&value, sizeof value);
#endif
  return value;
}

template <std::size_t N>
std::array<std::uint8_t, N> declassified(std::span<const std::uint8_t, N> bytes) {
  std::array<std::uint8_t, N> copy;
  std::ranges::copy(bytes, copy.begin());
#ifdef PSEPHOS_CT_VALGRIND
  VALGRIND_MAKE_MEM_DEFINED(copy.data(), N);
#endif
  return copy;
}

}  // namespace psephos::crypto
