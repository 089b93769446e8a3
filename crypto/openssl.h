// OpenSSL for RSA and JWS: owners of its objects, and the definition of RsaPublicKey::Key. OpenSSL
// 3.0, no deprecated functions.
#pragma once

#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "psephos/bytes.h"
#include "psephos/crypto/blind_rsa.h"
#include "psephos/error.h"

#include "crypto/vartime/rsa_power.h"

namespace psephos::crypto {

template <auto kFree>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
template <class T, auto kFree>
using OpensslOwner = std::unique_ptr<T, OpensslFree<kFree>>;

using Bignum = OpensslOwner<BIGNUM, BN_clear_free>;
using BignumContext = OpensslOwner<BN_CTX, BN_CTX_free>;
using Montgomery = OpensslOwner<BN_MONT_CTX, BN_MONT_CTX_free>;
using EvpKey = OpensslOwner<EVP_PKEY, EVP_PKEY_free>;
using EvpKeyContext = OpensslOwner<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using EvpDigestContext = OpensslOwner<EVP_MD_CTX, EVP_MD_CTX_free>;
using EcdsaSignature = OpensslOwner<ECDSA_SIG, ECDSA_SIG_free>;
using ParamBuilder = OpensslOwner<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using Params = OpensslOwner<OSSL_PARAM, OSSL_PARAM_free>;
using Pkcs8 = OpensslOwner<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>;

// allocated passes an object on; OpenSSL's constructors fail for want of memory only.
template <class T>
T* allocated(T* object) {
  if (object == nullptr) {
    throw std::bad_alloc();
  }
  return object;
}

inline Bignum new_bignum() { return Bignum(allocated(BN_new())); }
inline BignumContext new_bignum_context() { return BignumContext(allocated(BN_CTX_new())); }

// to_bignum reads big-endian bytes.
inline Bignum to_bignum(ByteView bytes) {
  return Bignum(allocated(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)));
}

// write_bignum writes big-endian bytes of a fixed width, in constant time; the number fits.
inline void write_bignum(const BIGNUM* number, MutableByteView out) {
  PSEPHOS_CHECK(BN_bn2binpad(number, out.data(), static_cast<int>(out.size())) >= 0);
}

inline std::unexpected<Error> openssl_failed(std::string_view what) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return fail(Errc::environment, "OpenSSL could not " + std::string(what) + ": " +
                                     (reason == nullptr ? "no reason given" : reason));
}

// ErrorScope takes back whatever a call leaves in this thread's queue of OpenSSL errors.
class ErrorScope {
 public:
  ErrorScope() { ERR_set_mark(); }
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;
  ~ErrorScope() { ERR_pop_to_mark(); }
};

inline constexpr BN_ULONG kRsaExponent = 65537;

// make_key builds a key from what was pushed into the builder.
inline Result<EvpKey> make_key(const char* type, OSSL_PARAM_BLD* builder, int selection) {
  const Params params(allocated(OSSL_PARAM_BLD_to_param(builder)));
  const EvpKeyContext context(allocated(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr)));
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, selection, params.get()) != 1) {
    return openssl_failed("build an " + std::string(type) + " key");
  }
  return EvpKey(key);
}
inline Result<EvpKey> make_rsa_key(OSSL_PARAM_BLD* builder, int selection) {
  return make_key("RSA", builder, selection);
}

// Key is shared by the copies of a public key and used by several threads at once. A verification
// context serves one verification at a time and is worth keeping: the idle ones wait here.
struct RsaPublicKey::Key {
  EvpKey evp;
  Bignum n;
  Montgomery montgomery;
  vartime::RsaModulus limbs;

  struct Idle {
    std::mutex mutex;
    std::vector<EvpKeyContext> contexts;
  };
  mutable Idle idle[2];  // for the salt lengths 48 and 0
};

}  // namespace psephos::crypto
