// The smallest user of an installed psephos: one function from each half of the crypto library.
#include <psephos/bytes.h>
#include <psephos/crypto/scalar.h>
#include <psephos/crypto/secret_scalar.h>
#include <psephos/version.h>

#include <iostream>

int main() {
  using namespace psephos;
  SystemRandom random;
  const crypto::Scalar scalar = crypto::SecretScalar::random(random).declassify();
  std::cout << "psephos " << kVersion << ", a scalar: " << hex(scalar.bytes()) << '\n';
  return crypto::Scalar::decode(scalar.bytes()).has_value() ? 0 : 1;
}
