#include "psephos/crypto/jws.h"

#include <array>
#include <utility>

#include "psephos/crypto/ed25519.h"

#include "crypto/openssl.h"

namespace psephos::crypto {

namespace {

constexpr std::size_t kMinModulusBytes = 2048 / 8;
constexpr std::size_t kMaxModulusBytes = 8192 / 8;
constexpr std::size_t kMaxExponentBytes = 8;
constexpr std::size_t kCoordinateBytes = 32;

std::unexpected<Error> wrong_size(std::string_view what, ByteView bytes, std::size_t expected) {
  return fail(Errc::malformed, std::string(what) + " of " + std::to_string(bytes.size()) +
                                   " bytes, not " + std::to_string(expected));
}

// r ‖ s becomes the SEQUENCE of two INTEGERs that OpenSSL verifies. OpenSSL checks their range.
Bytes to_der(ByteView signature) {
  const EcdsaSignature numbers(allocated(ECDSA_SIG_new()));
  Bignum r = to_bignum(signature.first(kCoordinateBytes));
  Bignum s = to_bignum(signature.last(kCoordinateBytes));
  PSEPHOS_CHECK(ECDSA_SIG_set0(numbers.get(), r.release(), s.release()) == 1);
  const int size = i2d_ECDSA_SIG(numbers.get(), nullptr);
  PSEPHOS_CHECK(size > 0);
  Bytes der(static_cast<std::size_t>(size));
  unsigned char* out = der.data();
  PSEPHOS_CHECK(i2d_ECDSA_SIG(numbers.get(), &out) == size);
  return der;
}

}  // namespace

struct JwsKey::Key {
  JwsAlgorithm algorithm;
  EvpKey evp;
  std::size_t signature_bytes;
};

std::string_view name(JwsAlgorithm algorithm) {
  switch (algorithm) {
    case JwsAlgorithm::rs256:
      return "RS256";
    case JwsAlgorithm::es256:
      return "ES256";
    case JwsAlgorithm::eddsa:
      return "EdDSA";
  }
  return "unknown";
}

Result<JwsKey> JwsKey::rs256(ByteView modulus, ByteView exponent) {
  if (modulus.size() < kMinModulusBytes || modulus.size() > kMaxModulusBytes) {
    return fail(Errc::malformed, "RSA modulus of " + std::to_string(modulus.size()) +
                                     " bytes; 256 to 1024 (2048 to 8192 bits) are allowed");
  }
  if (modulus.front() == 0 || exponent.empty() || exponent.front() == 0) {
    return fail(Errc::malformed, "RSA modulus or exponent is empty or has a leading zero byte");
  }
  if (modulus.size() == kMinModulusBytes && modulus.front() < 0x80) {
    return fail(Errc::malformed, "RSA modulus is shorter than 2048 bits");
  }
  if (modulus.back() % 2 == 0) {
    return fail(Errc::malformed, "RSA modulus is even");
  }
  if (exponent.size() > kMaxExponentBytes || exponent.back() % 2 == 0 ||
      (exponent.size() == 1 && exponent.front() < 3)) {
    return fail(Errc::malformed, "RSA exponent is not an odd number from 3 up, of at most 64 bits");
  }
  const ErrorScope errors;
  const Bignum n = to_bignum(modulus);
  const Bignum e = to_bignum(exponent);
  const ParamBuilder builder(allocated(OSSL_PARAM_BLD_new()));
  if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return openssl_failed("set an RSA modulus");
  }
  PSEPHOS_TRY(EvpKey evp, make_rsa_key(builder.get(), EVP_PKEY_PUBLIC_KEY));
  return JwsKey(std::make_shared<const Key>(Key{
      .algorithm = JwsAlgorithm::rs256, .evp = std::move(evp), .signature_bytes = modulus.size()}));
}

Result<JwsKey> JwsKey::es256(ByteView x, ByteView y) {
  for (const ByteView coordinate : {x, y}) {
    if (coordinate.size() != kCoordinateBytes) {
      return wrong_size("P-256 coordinate", coordinate, kCoordinateBytes);
    }
  }
  Bytes point = {0x04};  // uncompressed
  point.insert(point.end(), x.begin(), x.end());
  point.insert(point.end(), y.begin(), y.end());
  const ErrorScope errors;
  const ParamBuilder builder(allocated(OSSL_PARAM_BLD_new()));
  if (OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return openssl_failed("set a P-256 point");
  }
  auto evp = make_key("EC", builder.get(), EVP_PKEY_PUBLIC_KEY);
  if (!evp.has_value()) {
    return fail(Errc::malformed, "the coordinates are no point of P-256");
  }
  const EvpKeyContext context(allocated(EVP_PKEY_CTX_new(evp->get(), nullptr)));
  if (EVP_PKEY_public_check(context.get()) != 1) {
    return fail(Errc::malformed, "the coordinates are no point of P-256");
  }
  return JwsKey(std::make_shared<const Key>(Key{.algorithm = JwsAlgorithm::es256,
                                                .evp = std::move(*evp),
                                                .signature_bytes = 2 * kCoordinateBytes}));
}

Result<JwsKey> JwsKey::eddsa(ByteView x) {
  // OpenSSL takes any 32 bytes for a key.
  PSEPHOS_TRY(const Ed25519PublicKey checked, Ed25519PublicKey::decode(x));
  const ErrorScope errors;
  EvpKey evp(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, checked.bytes.data(),
                                         checked.bytes.size()));
  if (evp == nullptr) {
    return openssl_failed("build an Ed25519 key");
  }
  return JwsKey(std::make_shared<const Key>(
      Key{.algorithm = JwsAlgorithm::eddsa, .evp = std::move(evp), .signature_bytes = 64}));
}

JwsAlgorithm JwsKey::algorithm() const { return key_->algorithm; }

Result<void> JwsKey::verify(ByteView signing_input, ByteView signature) const {
  const std::string algorithm(name(key_->algorithm));
  if (signature.size() != key_->signature_bytes) {
    return fail(Errc::rejected, algorithm + " signature of " + std::to_string(signature.size()) +
                                    " bytes, not " + std::to_string(key_->signature_bytes));
  }
  const ErrorScope errors;
  const bool is_ecdsa = key_->algorithm == JwsAlgorithm::es256;
  const Bytes der = is_ecdsa ? to_der(signature) : Bytes();
  const ByteView encoded = is_ecdsa ? ByteView(der) : signature;
  // Ed25519 hashes by itself.
  const EVP_MD* digest = key_->algorithm == JwsAlgorithm::eddsa ? nullptr : EVP_sha256();
  const EvpDigestContext context(allocated(EVP_MD_CTX_new()));
  EVP_PKEY_CTX* options = nullptr;  // the context's
  if (EVP_DigestVerifyInit(context.get(), &options, digest, nullptr, key_->evp.get()) != 1 ||
      (key_->algorithm == JwsAlgorithm::rs256 &&
       EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PADDING) != 1)) {
    return openssl_failed("prepare a JWS verification");
  }
  if (EVP_DigestVerify(context.get(), encoded.data(), encoded.size(), signing_input.data(),
                       signing_input.size()) != 1) {
    return fail(Errc::rejected, algorithm + " signature does not verify");
  }
  return {};
}

}  // namespace psephos::crypto
