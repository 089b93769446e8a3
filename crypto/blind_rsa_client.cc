#include "psephos/crypto/blind_rsa_client.h"

#include <algorithm>

#include "psephos/crypto/hash.h"

#include "crypto/openssl.h"

namespace psephos::crypto {

namespace {

constexpr std::size_t kHashSize = 48;

// MGF1 (RFC 8017 §B.2.1), xored onto the block.
void mask(ByteView seed, MutableByteView block) {
  std::array<std::uint8_t, 4> counter{};
  for (std::size_t at = 0; at < block.size(); at += kHashSize, ++counter[3]) {
    const Digest48 part = sha384({seed, counter});
    const std::size_t size = std::min(kHashSize, block.size() - at);
    for (std::size_t i = 0; i < size; ++i) {
      block[at + i] ^= part[i];
    }
  }
}

enum class Blinding : std::uint8_t { done, not_invertible };

// Computes m·r^e mod n and r^−1 mod n, constant time in m and r. One inversion, of m·r, gives the
// inverse and shows that both are coprime to n.
Result<Blinding> apply(const RsaPublicKey::Key& key, const BIGNUM* m, BIGNUM* r,
                       BlindedMessage& out) {
  BN_set_flags(r, BN_FLG_CONSTTIME);
  const BignumContext context = new_bignum_context();
  const Bignum product = new_bignum();
  const Bignum inverse = new_bignum();
  const Bignum exponent = new_bignum();
  const Bignum x = new_bignum();
  const Bignum blinded = new_bignum();
  BN_set_flags(product.get(), BN_FLG_CONSTTIME);
  if (BN_to_montgomery(x.get(), r, key.montgomery.get(), context.get()) != 1 ||
      BN_mod_mul_montgomery(product.get(), x.get(), m, key.montgomery.get(), context.get()) != 1) {
    return openssl_failed("blind a message");
  }
  if (BN_mod_inverse(inverse.get(), product.get(), key.n.get(), context.get()) == nullptr) {
    if (ERR_GET_REASON(ERR_peek_last_error()) == BN_R_NO_INVERSE) {
      return Blinding::not_invertible;
    }
    return openssl_failed("invert a blinding factor");
  }
  if (BN_to_montgomery(x.get(), inverse.get(), key.montgomery.get(), context.get()) != 1 ||
      BN_mod_mul_montgomery(inverse.get(), x.get(), m, key.montgomery.get(), context.get()) != 1) {
    return openssl_failed("blind a message");
  }
  // x·R is the Montgomery form of x; its Montgomery product with m is x·m.
  if (BN_set_word(exponent.get(), kRsaExponent) != 1 ||
      BN_mod_exp_mont(x.get(), r, exponent.get(), key.n.get(), context.get(),
                      key.montgomery.get()) != 1 ||
      BN_to_montgomery(x.get(), x.get(), key.montgomery.get(), context.get()) != 1 ||
      BN_mod_mul_montgomery(blinded.get(), x.get(), m, key.montgomery.get(), context.get()) != 1) {
    return openssl_failed("blind a message");
  }
  write_bignum(blinded.get(), out.blinded_message);
  write_bignum(inverse.get(), out.inverse.expose_secret());
  return Blinding::done;
}

// The encoded message as a number.
Result<Bignum> encoded_number(const RsaPublicKey& key, ByteView input_message, ByteView salt) {
  PSEPHOS_TRY(const Bytes encoded, pss_encode(input_message, salt, key.modulus_bits()));
  return to_bignum(encoded);
}

// RFC 9474 §4.2 refuses a message that is not coprime to n. Asked only after an inversion failed.
Result<void> check_coprime(const RsaPublicKey& key, const BIGNUM* m) {
  const Bignum gcd = new_bignum();
  if (BN_gcd(gcd.get(), m, key.key().n.get(), new_bignum_context().get()) != 1) {
    return openssl_failed("compute a greatest common divisor");
  }
  if (BN_is_one(gcd.get()) != 1) {
    return fail(Errc::misuse, "the encoded message shares a factor with the RSA modulus");
  }
  return {};
}

BlindedMessage empty_result(const RsaPublicKey& key) {
  return {Bytes(key.modulus_bytes()), SecretBuffer(key.modulus_bytes())};
}

Bytes random_bytes(std::size_t size, Random& random) {
  Bytes bytes(size);
  if (size > 0) {
    random.fill(bytes);
  }
  return bytes;
}

bool in_range(const BIGNUM* r, const BIGNUM* n) { return BN_is_zero(r) == 0 && BN_cmp(r, n) < 0; }

}  // namespace

Bytes prepare(BlindRsaVariant variant, ByteView message, Random& random) {
  Bytes input_message = random_bytes(prefix_size_bytes(variant), random);
  input_message.insert(input_message.end(), message.begin(), message.end());
  return input_message;
}

Result<BlindedMessage> blind(const RsaPublicKey& key, BlindRsaVariant variant,
                             ByteView input_message, Random& random) {
  const ErrorScope errors;
  const Bytes salt = random_bytes(salt_size_bytes(variant), random);
  PSEPHOS_TRY(const Bignum m, encoded_number(key, input_message, salt));
  BlindedMessage result = empty_result(key);
  SecretBuffer bytes(key.modulus_bytes());
  while (true) {
    random.fill(bytes.expose_secret());
    const Bignum r = to_bignum(bytes.expose_secret());
    if (!in_range(r.get(), key.key().n.get())) {
      continue;
    }
    PSEPHOS_TRY(const Blinding blinding, apply(key.key(), m.get(), r.get(), result));
    if (blinding == Blinding::done) {
      return result;
    }
    PSEPHOS_CHECK_OK(check_coprime(key, m.get()));
  }
}

Result<BlindedMessage> blind_with_for_testing(const RsaPublicKey& key, BlindRsaVariant variant,
                                              ByteView input_message, ByteView salt,
                                              ByteView blinding_factor) {
  const ErrorScope errors;
  if (salt.size() != salt_size_bytes(variant)) {
    return fail(Errc::misuse, "salt of another length than the variant's");
  }
  PSEPHOS_TRY(const Bignum m, encoded_number(key, input_message, salt));
  const Bignum r = to_bignum(blinding_factor);
  if (!in_range(r.get(), key.key().n.get())) {
    return fail(Errc::misuse, "blinding factor out of range");
  }
  BlindedMessage result = empty_result(key);
  PSEPHOS_TRY(const Blinding blinding, apply(key.key(), m.get(), r.get(), result));
  if (blinding != Blinding::done) {
    PSEPHOS_CHECK_OK(check_coprime(key, m.get()));
    return fail(Errc::misuse, "blinding factor is not invertible");
  }
  return result;
}

Result<Bytes> finalize(const RsaPublicKey& key, BlindRsaVariant variant, ByteView input_message,
                       ByteView blind_signature, const SecretBuffer& inverse) {
  const ErrorScope errors;
  if (inverse.size() != key.modulus_bytes()) {
    return fail(Errc::misuse, "unblinding secret of another length than the RSA modulus");
  }
  if (blind_signature.size() != key.modulus_bytes()) {
    return fail(Errc::rejected, "blind signature of " + std::to_string(blind_signature.size()) +
                                    " bytes, expected " + std::to_string(key.modulus_bytes()));
  }
  const RsaPublicKey::Key& numbers = key.key();
  const BignumContext context = new_bignum_context();
  const Bignum blinded = to_bignum(blind_signature);
  const Bignum secret = to_bignum(inverse.expose_secret());
  const Bignum s = new_bignum();
  BN_set_flags(secret.get(), BN_FLG_CONSTTIME);
  if (BN_cmp(blinded.get(), numbers.n.get()) >= 0) {
    return fail(Errc::rejected, "blind signature is not below the RSA modulus");
  }
  if (BN_cmp(secret.get(), numbers.n.get()) >= 0) {
    return fail(Errc::misuse, "unblinding secret is not below the RSA modulus");
  }
  if (BN_to_montgomery(secret.get(), secret.get(), numbers.montgomery.get(), context.get()) != 1 ||
      BN_mod_mul_montgomery(s.get(), secret.get(), blinded.get(), numbers.montgomery.get(),
                            context.get()) != 1) {
    return openssl_failed("unblind a signature");
  }
  Bytes signature(key.modulus_bytes());
  write_bignum(s.get(), signature);
  if (const auto good = key.verify(variant, input_message, signature); !good.has_value()) {
    return within("unblinded signature", good.error());
  }
  return signature;
}

Result<Bytes> pss_encode(ByteView message, ByteView salt, std::size_t modulus_bits) {
  const std::size_t size_bits = modulus_bits - 1;
  const std::size_t size = (size_bits + 7) / 8;
  if (modulus_bits == 0 || size < kHashSize + salt.size() + 2) {
    return fail(Errc::misuse, "RSA modulus of " + std::to_string(modulus_bits) +
                                  " bits is too short for the encoding");
  }
  const std::array<std::uint8_t, 8> zeros{};
  const Digest48 digest = sha384({message});
  const Digest48 hash = sha384({zeros, digest, salt});

  // encoded = mask(hash) over (zeros ‖ 01 ‖ salt), then hash ‖ bc.
  Bytes encoded(size);
  const MutableByteView block = MutableByteView(encoded).first(size - kHashSize - 1);
  block[block.size() - salt.size() - 1] = 0x01;
  std::ranges::copy(salt, block.last(salt.size()).begin());
  mask(hash, block);
  encoded[0] &= static_cast<std::uint8_t>(0xff >> (8 * size - size_bits));
  std::ranges::copy(hash, encoded.begin() + static_cast<std::ptrdiff_t>(block.size()));
  encoded.back() = 0xbc;
  return encoded;
}

}  // namespace psephos::crypto
