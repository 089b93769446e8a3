#include "psephos/crypto/blind_rsa.h"

#include <algorithm>

#include "psephos/crypto/hash.h"

#include "crypto/openssl.h"

namespace psephos::crypto {

namespace {

Result<EvpKeyContext> new_verification(EVP_PKEY* key, std::size_t salt_size) {
  EvpKeyContext context(allocated(EVP_PKEY_CTX_new(key, nullptr)));
  if (EVP_PKEY_verify_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PSS_PADDING) != 1 ||
      EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha384()) != 1 ||
      EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), EVP_sha384()) != 1 ||
      EVP_PKEY_CTX_set_rsa_pss_saltlen(context.get(), static_cast<int>(salt_size)) != 1) {
    return openssl_failed("prepare an RSA verification");
  }
  return context;
}

}  // namespace

std::string_view name(BlindRsaVariant variant) {
  switch (variant) {
    case BlindRsaVariant::sha384_pss_randomized:
      return "RSABSSA-SHA384-PSS-Randomized";
    case BlindRsaVariant::sha384_psszero_randomized:
      return "RSABSSA-SHA384-PSSZERO-Randomized";
    case BlindRsaVariant::sha384_pss_deterministic:
      return "RSABSSA-SHA384-PSS-Deterministic";
    case BlindRsaVariant::sha384_psszero_deterministic:
      return "RSABSSA-SHA384-PSSZERO-Deterministic";
  }
  return "unknown";
}

std::size_t salt_size_bytes(BlindRsaVariant variant) {
  return variant == BlindRsaVariant::sha384_pss_randomized ||
                 variant == BlindRsaVariant::sha384_pss_deterministic
             ? 48
             : 0;
}

std::size_t prefix_size_bytes(BlindRsaVariant variant) {
  return variant == BlindRsaVariant::sha384_pss_randomized ||
                 variant == BlindRsaVariant::sha384_psszero_randomized
             ? 32
             : 0;
}

Result<RsaPublicKey> RsaPublicKey::from_modulus(ByteView modulus) {
  const std::size_t size = modulus.size();
  if (size != 256 && size != 384 && size != 512) {
    return fail(Errc::malformed,
                "RSA modulus of " + std::to_string(size) +
                    " bytes; 256, 384 or 512 (2048, 3072 or 4096 bits) are allowed");
  }
  if (modulus.front() < 0x80) {
    return fail(Errc::malformed, "RSA modulus has leading zero bits");
  }
  if (modulus.back() % 2 == 0) {
    return fail(Errc::malformed, "RSA modulus is even");
  }

  const ErrorScope errors;
  auto key = std::make_shared<Key>();
  key->n = to_bignum(modulus);
  key->montgomery.reset(allocated(BN_MONT_CTX_new()));
  if (BN_MONT_CTX_set(key->montgomery.get(), key->n.get(), new_bignum_context().get()) != 1) {
    return openssl_failed("prepare an RSA modulus");
  }
  const ParamBuilder builder(allocated(OSSL_PARAM_BLD_new()));
  if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, key->n.get()) != 1 ||
      OSSL_PARAM_BLD_push_ulong(builder.get(), OSSL_PKEY_PARAM_RSA_E, kRsaExponent) != 1) {
    return openssl_failed("set an RSA modulus");
  }
  PSEPHOS_TRY(key->evp, make_rsa_key(builder.get(), EVP_PKEY_PUBLIC_KEY));

  RsaPublicKey result;
  result.modulus_.assign(modulus.begin(), modulus.end());
  result.key_ = std::move(key);
  return result;
}

Result<void> RsaPublicKey::verify(BlindRsaVariant variant, ByteView input_message,
                                  ByteView signature) const {
  if (signature.size() != modulus_.size()) {
    return fail(Errc::rejected, "RSA signature of " + std::to_string(signature.size()) +
                                    " bytes under a key of " + std::to_string(modulus_.size()));
  }
  if (!std::ranges::lexicographical_compare(signature, modulus_)) {
    return fail(Errc::rejected, "RSA signature is not below the modulus");
  }
  const ErrorScope errors;
  const std::size_t salt_size = salt_size_bytes(variant);
  Key::Idle& idle = key_->idle[salt_size == 0 ? 1 : 0];
  EvpKeyContext context;
  {
    const std::scoped_lock lock(idle.mutex);
    if (!idle.contexts.empty()) {
      context = std::move(idle.contexts.back());
      idle.contexts.pop_back();
    }
  }
  if (context == nullptr) {
    PSEPHOS_TRY(context, new_verification(key_->evp.get(), salt_size));
  }
  const Digest48 digest = sha384({input_message});
  const bool good = EVP_PKEY_verify(context.get(), signature.data(), signature.size(),
                                    digest.data(), digest.size()) == 1;
  {
    const std::scoped_lock lock(idle.mutex);
    idle.contexts.push_back(std::move(context));
  }
  if (!good) {
    return fail(Errc::rejected, "RSA signature does not verify");
  }
  return {};
}

}  // namespace psephos::crypto
