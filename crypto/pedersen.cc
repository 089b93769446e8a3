#include "psephos/crypto/pedersen.h"

namespace psephos::crypto {

SecretSum commitment(std::span<const SecretScalar> u, const SecretScalar& r) {
  SecretSum sum{.products = {{Bases::kH, &r}}, .choices = {}};
  for (std::size_t k = 0; k < u.size(); ++k) {
    sum.products.push_back({Bases::g(k), &u[k]});
  }
  return sum;
}

SecretSum bits_commitment(ByteView secret_bits, const SecretScalar& r) {
  SecretSum sum{.products = {{Bases::kH, &r}}, .choices = {}};
  for (std::size_t k = 0; k < secret_bits.size(); ++k) {
    sum.choices.push_back({.base = Bases::g(k), .weight = 1, .bit = &secret_bits[k]});
  }
  return sum;
}

Point commit(const Bases& bases, std::span<const SecretScalar> u, const SecretScalar& r) {
  const SecretSum sum = commitment(u, r);
  return SodiumMultiplier().sums(bases, {&sum, 1}).front();
}

Point commit_bits(const Bases& bases, ByteView secret_bits, const SecretScalar& r) {
  const SecretSum sum = bits_commitment(secret_bits, r);
  return SodiumMultiplier().sums(bases, {&sum, 1}).front();
}

}  // namespace psephos::crypto
