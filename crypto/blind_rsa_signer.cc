#include "psephos/crypto/blind_rsa_signer.h"

#include <algorithm>
#include <array>

#include "psephos/crypto/blind_rsa_client.h"

#include "crypto/openssl.h"

namespace psephos::crypto {

struct RsaSecretKey::Impl {
  EvpKey evp;
  RsaPrimes primes = RsaPrimes::two;
};

namespace {

// The public half of a secret key; refuses all but e = 65537 and the three sizes.
Result<RsaPublicKey> public_half(EVP_PKEY* key) {
  BIGNUM* n = nullptr;
  BIGNUM* e = nullptr;
  const int found = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) +
                    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e);
  const Bignum modulus(n);
  const Bignum exponent(e);
  if (found != 2) {
    return openssl_failed("read an RSA key");
  }
  if (BN_is_word(exponent.get(), kRsaExponent) != 1) {
    return fail(Errc::malformed, "RSA exponent is not 65537");
  }
  Bytes bytes(static_cast<std::size_t>(BN_num_bytes(modulus.get())));
  write_bignum(modulus.get(), bytes);
  return RsaPublicKey::from_modulus(bytes);
}

Result<void> refused(std::string why) {
  return fail(Errc::malformed, "blinded message " + std::move(why));
}

// What the signer never raises to its secret exponent, beyond RFC 9474's range check: 0, ±1 and
// multiples of a prime factor, which no honest client sends.
Result<void> check_blinded_message(const RsaPublicKey& key, ByteView message) {
  if (message.size() != key.modulus_bytes()) {
    return refused("of " + std::to_string(message.size()) + " bytes, expected " +
                   std::to_string(key.modulus_bytes()));
  }
  const BIGNUM* n = key.key().n.get();
  const Bignum m = to_bignum(message);
  if (BN_cmp(m.get(), n) >= 0) {
    return refused("is not below the modulus");
  }
  if (BN_is_zero(m.get()) == 1 || BN_is_one(m.get()) == 1) {
    return refused("is 0 or 1");
  }
  const Bignum top = new_bignum();
  if (BN_sub(top.get(), n, BN_value_one()) != 1) {
    return openssl_failed("examine a blinded message");
  }
  if (BN_cmp(m.get(), top.get()) == 0) {
    return refused("is n - 1");
  }
  // Both are public, and inverting is much faster than OpenSSL's constant-time BN_gcd.
  const Bignum inverse = new_bignum();
  if (BN_mod_inverse(inverse.get(), m.get(), n, new_bignum_context().get()) == nullptr) {
    if (ERR_GET_REASON(ERR_peek_last_error()) == BN_R_NO_INVERSE) {
      return refused("shares a factor with the modulus");
    }
    return openssl_failed("examine a blinded message");
  }
  return {};
}

// s^e mod n, over public numbers.
Result<Bytes> public_operation(const RsaPublicKey& key, ByteView signature) {
  const RsaPublicKey::Key& numbers = key.key();
  const Bignum s = to_bignum(signature);
  const Bignum e = new_bignum();
  const Bignum m = new_bignum();
  if (BN_set_word(e.get(), kRsaExponent) != 1 ||
      BN_mod_exp_mont(m.get(), s.get(), e.get(), numbers.n.get(), new_bignum_context().get(),
                      numbers.montgomery.get()) != 1) {
    return openssl_failed("check a blind signature");
  }
  Bytes message(key.modulus_bytes());
  write_bignum(m.get(), message);
  return message;
}

// Whether the RSAPrivateKey inside (RFC 8017 A.1.2), whose length takes two bytes at these sizes,
// is of version 0. OpenSSL keeps and writes back any version that does not announce more primes.
bool is_version_0(const PKCS8_PRIV_KEY_INFO* info) {
  constexpr std::array<std::uint8_t, 3> kVersion = {0x02, 0x01, 0x00};
  constexpr std::size_t kHeader = 4;
  const std::uint8_t* key = nullptr;
  int size = 0;
  return PKCS8_pkey_get0(nullptr, &key, &size, nullptr, info) == 1 &&
         static_cast<std::size_t>(size) >= kHeader + kVersion.size() &&
         std::equal(kVersion.begin(), kVersion.end(), key + kHeader);
}

}  // namespace

RsaSecretKey::RsaSecretKey(std::unique_ptr<Impl> impl, RsaPublicKey public_key)
    : impl_(std::move(impl)), public_key_(std::move(public_key)) {}
RsaSecretKey::RsaSecretKey(RsaSecretKey&&) noexcept = default;
RsaSecretKey& RsaSecretKey::operator=(RsaSecretKey&&) noexcept = default;
RsaSecretKey::~RsaSecretKey() = default;

Result<RsaSecretKey> RsaSecretKey::generate(std::size_t modulus_bits, RsaPrimes primes) {
  if (modulus_bits != 2048 && modulus_bits != 3072 && modulus_bits != 4096) {
    return fail(Errc::misuse,
                "RSA keys have 2048, 3072 or 4096 bits, not " + std::to_string(modulus_bits));
  }
  const ErrorScope errors;
  const EvpKeyContext context(allocated(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr)));
  EVP_PKEY* generated = nullptr;
  if (EVP_PKEY_keygen_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), static_cast<int>(modulus_bits)) != 1 ||
      EVP_PKEY_CTX_set_rsa_keygen_primes(context.get(), primes == RsaPrimes::two ? 2 : 3) != 1 ||
      EVP_PKEY_generate(context.get(), &generated) != 1) {
    return openssl_failed("generate an RSA key");
  }
  EvpKey key(generated);
  PSEPHOS_TRY(RsaPublicKey public_key, public_half(key.get()));
  return RsaSecretKey(std::make_unique<Impl>(std::move(key), primes), std::move(public_key));
}

Result<RsaSecretKey> RsaSecretKey::decode(const SecretBuffer& der) {
  const ErrorScope errors;
  const ByteView bytes = der.expose_secret();
  const std::uint8_t* at = bytes.data();
  const Pkcs8 info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(bytes.size())));
  EvpKey key(info == nullptr ? nullptr : EVP_PKCS82PKEY(info.get()));
  if (key == nullptr || EVP_PKEY_is_a(key.get(), "RSA") != 1) {
    return fail(Errc::malformed, "not an RSA private key in PKCS#8 DER");
  }
  PSEPHOS_TRY(RsaPublicKey public_key, public_half(key.get()));
  const EvpKeyContext context(allocated(EVP_PKEY_CTX_new(key.get(), nullptr)));
  if (EVP_PKEY_check(context.get()) != 1) {
    return fail(Errc::malformed, "RSA private key: its numbers do not belong together");
  }
  RsaSecretKey result(std::make_unique<Impl>(std::move(key)), std::move(public_key));
  PSEPHOS_TRY(const SecretBuffer again, result.encode());
  if (!is_version_0(info.get()) || !ct_equal(again.expose_secret(), bytes)) {
    return fail(Errc::malformed, "RSA private key is not in its one encoding");
  }
  return result;
}

Result<SecretBuffer> RsaSecretKey::encode() const {
  if (impl_->primes != RsaPrimes::two) {
    return fail(Errc::misuse, "an RSA key of three primes is for rehearsals and cannot be stored");
  }
  const ErrorScope errors;
  const Pkcs8 info(EVP_PKEY2PKCS8(impl_->evp.get()));
  const int size = info == nullptr ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info.get(), nullptr);
  if (size <= 0) {
    return openssl_failed("encode an RSA private key");
  }
  SecretBuffer der(static_cast<std::size_t>(size));
  std::uint8_t* out = der.expose_secret().data();
  PSEPHOS_CHECK(i2d_PKCS8_PRIV_KEY_INFO(info.get(), &out) == size);
  return der;
}

// The numbers of an RSA key in their usual order; the key check refuses any other.
// NOLINTNEXTLINE(bugprone-easily-swappable-parameters)
Result<RsaSecretKey> RsaSecretKey::from_numbers_for_testing(ByteView n, ByteView d, ByteView p,
                                                            ByteView q) {
  const ErrorScope errors;
  const BignumContext context = new_bignum_context();
  const Bignum modulus = to_bignum(n);
  const Bignum exponent = to_bignum(d);
  const Bignum first = to_bignum(p);
  const Bignum second = to_bignum(q);
  const Bignum first_exponent = new_bignum();
  const Bignum second_exponent = new_bignum();
  const Bignum less = new_bignum();
  const Bignum coefficient = new_bignum();
  const ParamBuilder builder(allocated(OSSL_PARAM_BLD_new()));
  const auto push = [&](const char* which, const Bignum& number) {
    return OSSL_PARAM_BLD_push_BN(builder.get(), which, number.get()) == 1;
  };
  if (BN_sub(less.get(), first.get(), BN_value_one()) != 1 ||
      BN_mod(first_exponent.get(), exponent.get(), less.get(), context.get()) != 1 ||
      BN_sub(less.get(), second.get(), BN_value_one()) != 1 ||
      BN_mod(second_exponent.get(), exponent.get(), less.get(), context.get()) != 1 ||
      BN_mod_inverse(coefficient.get(), second.get(), first.get(), context.get()) == nullptr ||
      OSSL_PARAM_BLD_push_ulong(builder.get(), OSSL_PKEY_PARAM_RSA_E, kRsaExponent) != 1 ||
      !push(OSSL_PKEY_PARAM_RSA_N, modulus) || !push(OSSL_PKEY_PARAM_RSA_D, exponent) ||
      !push(OSSL_PKEY_PARAM_RSA_FACTOR1, first) || !push(OSSL_PKEY_PARAM_RSA_FACTOR2, second) ||
      !push(OSSL_PKEY_PARAM_RSA_EXPONENT1, first_exponent) ||
      !push(OSSL_PKEY_PARAM_RSA_EXPONENT2, second_exponent) ||
      !push(OSSL_PKEY_PARAM_RSA_COEFFICIENT1, coefficient)) {
    return openssl_failed("set the numbers of an RSA key");
  }
  PSEPHOS_TRY(EvpKey key, make_rsa_key(builder.get(), EVP_PKEY_KEYPAIR));
  PSEPHOS_TRY(RsaPublicKey public_key, public_half(key.get()));
  return RsaSecretKey(std::make_unique<Impl>(std::move(key)), std::move(public_key));
}

Result<Bytes> RsaSecretKey::private_operation(ByteView m) const {
  const EvpKeyContext context(allocated(EVP_PKEY_CTX_new(impl_->evp.get(), nullptr)));
  Bytes signature(public_key_.modulus_bytes());
  std::size_t size = signature.size();
  if (EVP_PKEY_sign_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_NO_PADDING) != 1 ||
      EVP_PKEY_sign(context.get(), signature.data(), &size, m.data(), m.size()) != 1 ||
      size != signature.size()) {
    return openssl_failed("sign a message");
  }
  PSEPHOS_TRY(const Bytes check, public_operation(public_key_, signature));
  if (!equal(check, m)) {
    wipe(signature);
    return fail(Errc::environment,
                "a fault in the RSA computation; the signature is withheld, check the machine");
  }
  return signature;
}

Result<Bytes> RsaSecretKey::blind_sign(ByteView blinded_message) const {
  const ErrorScope errors;
  PSEPHOS_CHECK_OK(check_blinded_message(public_key_, blinded_message));
  return private_operation(blinded_message);
}

Result<Bytes> RsaSecretKey::sign(BlindRsaVariant variant, ByteView input_message,
                                 Random& random) const {
  const ErrorScope errors;
  Bytes salt(salt_size_bytes(variant));
  random.fill(salt);
  PSEPHOS_TRY(const Bytes encoded, pss_encode(input_message, salt, public_key_.modulus_bits()));
  return private_operation(encoded);
}

}  // namespace psephos::crypto
