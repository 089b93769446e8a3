#include "psephos/crypto/pedersen.h"

#include "crypto/secret_point.h"

namespace psephos::crypto {

Point commit(const Bases& bases, std::span<const SecretScalar> u, const SecretScalar& r) {
  PSEPHOS_CHECK(Bases::g(u.size()) <= bases.points().size());
  SecretPoint sum = SecretPoint::product(r, bases.points()[Bases::kH]);
  for (std::size_t k = 0; k < u.size(); ++k) {
    sum.add(SecretPoint::product(u[k], bases.points()[Bases::g(k)]));
  }
  return sum.declassify();
}

Point commit_bits(const Bases& bases, ByteView secret_bits, const SecretScalar& r) {
  PSEPHOS_CHECK(Bases::g(secret_bits.size()) <= bases.points().size());
  SecretPoint sum = SecretPoint::product(r, bases.points()[Bases::kH]);
  for (std::size_t k = 0; k < secret_bits.size(); ++k) {
    sum.add_selected(secret_bits[k], bases.points()[Bases::g(k)]);
  }
  return sum.declassify();
}

}  // namespace psephos::crypto
