#include "tests/support/seeded_random.h"

#include <array>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>

#include <sodium.h>

namespace psephos::test {
namespace {

std::optional<std::uint64_t> number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') {
    return std::nullopt;
  }
  const std::string_view view(text);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  if (error != std::errc() || end != view.data() + view.size()) {
    throw std::runtime_error(std::string(name) + " must be a decimal number, not \"" + text + '"');
  }
  return value;
}

template <std::size_t N>
void put_u64(std::array<std::uint8_t, N>& out, std::uint64_t value) {
  for (std::size_t i = 0; i < 8; ++i) {
    out[i] = static_cast<std::uint8_t>(value >> (8 * i));
  }
}

}  // namespace

std::uint64_t test_seed() {
  static const std::uint64_t seed = [] {
    std::random_device device;
    const std::uint64_t fresh = (std::uint64_t{device()} << 32) | device();
    const std::uint64_t chosen = number_from_environment("PSEPHOS_TEST_SEED").value_or(fresh);
    std::cout << "repeat with PSEPHOS_TEST_SEED=" << chosen << '\n';
    return chosen;
  }();
  return seed;
}

std::size_t iterations(std::size_t base) {
  return base * number_from_environment("PSEPHOS_TEST_ITERS").value_or(1);
}

void SeededRandom::fill(std::span<std::uint8_t> out) {
  std::array<std::uint8_t, crypto_stream_chacha20_KEYBYTES> key{};
  std::array<std::uint8_t, crypto_stream_chacha20_NONCEBYTES> nonce{};
  put_u64(key, seed_);
  put_u64(nonce, calls_.fetch_add(1));
  if (out.empty()) {
    return;  // a salt of no bytes has no address
  }
  crypto_stream_chacha20(out.data(), out.size(), nonce.data(), key.data());
}

}  // namespace psephos::test
