#include "psephos/crypto/elgamal.h"

namespace psephos::crypto {

Result<Ciphertext> Ciphertext::decode(Reader& in, Identity alpha_identity, std::string_view field) {
  PSEPHOS_TRY(const Point alpha, Point::decode(in, alpha_identity, field));
  PSEPHOS_TRY(const Point beta, Point::decode(in, Identity::accepted, field));
  return Ciphertext{.alpha = alpha, .beta = beta};
}

void Ciphertext::encode(Writer& out) const {
  alpha.encode(out);
  beta.encode(out);
}

Ciphertext operator+(const Ciphertext& a, const Ciphertext& b) {
  return {.alpha = a.alpha + b.alpha, .beta = a.beta + b.beta};
}

Ciphertext operator-(const Ciphertext& a, const Ciphertext& b) {
  return {.alpha = a.alpha - b.alpha, .beta = a.beta - b.beta};
}

Bytes encode_all(const std::vector<Ciphertext>& ciphertexts) {
  Writer out;
  for (const Ciphertext& ciphertext : ciphertexts) {
    ciphertext.encode(out);
  }
  return std::move(out).take();
}

}  // namespace psephos::crypto
