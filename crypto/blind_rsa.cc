#include "psephos/crypto/blind_rsa.h"

#include <algorithm>
#include <array>

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

constexpr unsigned kLimbBits = 52;

// Little-endian limbs of a number below 2^(52·79).
template <class Limbs>
void to_limbs(const BIGNUM* number, std::size_t num_limbs, Limbs limb) {
  std::array<std::uint8_t, 8 * ((vartime::kMaxRsaLimbs * kLimbBits + 63) / 64)> bytes{};
  PSEPHOS_CHECK(BN_bn2lebinpad(number, bytes.data(), bytes.size()) >= 0);
  const auto byte = [&](std::size_t k) { return k < bytes.size() ? bytes[k] : std::uint8_t{0}; };
  for (std::size_t j = 0; j < num_limbs; ++j) {
    const std::size_t bit = kLimbBits * j;
    std::uint64_t word = 0;
    for (std::size_t k = 0; k < 8; ++k) {
      word |= std::uint64_t{byte(bit / 8 + k)} << (8 * k);
    }
    // 52 bits and at most 4 below them.
    limb(j) = word >> (bit % 8) & ((std::uint64_t{1} << kLimbBits) - 1);
  }
}

vartime::RsaModulus to_limbs(const BIGNUM* n) {
  vartime::RsaModulus modulus{};
  const auto num_bits = static_cast<unsigned>(BN_num_bits(n));
  modulus.num_limbs = (num_bits + 2 + kLimbBits - 1) / kLimbBits;
  to_limbs(n, modulus.num_limbs, [&](std::size_t j) -> auto& { return modulus.n[j]; });
  // −n^(−1): each round doubles the bits that are right.
  std::uint64_t inverse = modulus.n[0];
  for (int i = 0; i < 5; ++i) {
    inverse *= 2 - modulus.n[0] * inverse;
  }
  modulus.minus_inverse = -inverse & ((std::uint64_t{1} << kLimbBits) - 1);
  const BignumContext context = new_bignum_context();
  const Bignum radix = new_bignum();
  const Bignum exponent = new_bignum();
  const Bignum power = new_bignum();
  PSEPHOS_CHECK(BN_set_bit(radix.get(), static_cast<int>(kLimbBits * modulus.num_limbs)) == 1 &&
                BN_set_word(exponent.get(), kRsaExponent) == 1 &&
                BN_mod_exp(power.get(), radix.get(), exponent.get(), n, context.get()) == 1);
  to_limbs(power.get(), modulus.num_limbs,
           [&](std::size_t j) -> auto& { return modulus.factor[j]; });
  return modulus;
}

// A number below 2n in limbs becomes the representative below n, big-endian.
void from_limbs(const vartime::RsaModulus& modulus, const vartime::RsaLanes& numbers,
                std::size_t lane, MutableByteView out) {
  std::array<std::uint64_t, vartime::kMaxRsaLimbs> limbs;
  std::int64_t borrow = 0;
  for (std::size_t j = 0; j < modulus.num_limbs; ++j) {
    const auto difference = static_cast<std::int64_t>(numbers[j][lane]) -
                            static_cast<std::int64_t>(modulus.n[j]) + borrow;
    limbs[j] = static_cast<std::uint64_t>(difference) & ((std::uint64_t{1} << kLimbBits) - 1);
    borrow = difference >> kLimbBits;
  }
  for (std::size_t j = 0; borrow != 0 && j < modulus.num_limbs; ++j) {
    limbs[j] = numbers[j][lane];  // it was below n
  }
  for (std::size_t k = 0; k < out.size(); ++k) {
    const std::size_t bit = 8 * k;
    const std::size_t j = bit / kLimbBits;
    const std::size_t shift = bit % kLimbBits;
    std::uint64_t byte = limbs[j] >> shift;
    if (shift > kLimbBits - 8 && j + 1 < modulus.num_limbs) {
      byte |= limbs[j + 1] << (kLimbBits - shift);
    }
    out[out.size() - 1 - k] = static_cast<std::uint8_t>(byte);
  }
}

// EMSA-PSS-VERIFY (RFC 8017 §9.1.2) with SHA-384 and MGF1-SHA-384, for a modulus of 8·|em| bits.
bool is_pss_encoding(MutableByteView em, const Digest48& message_digest, std::size_t salt_size) {
  constexpr std::size_t kHash = 48;
  constexpr std::array<std::uint8_t, 8> kPadding{};
  if (em.size() < kHash + salt_size + 2 || em.back() != 0xbc) {
    return false;
  }
  const MutableByteView db = em.first(em.size() - kHash - 1);
  const ByteView hash = em.subspan(db.size(), kHash);
  if ((db.front() & 0x80) != 0) {
    return false;
  }
  for (std::size_t done = 0; done < db.size(); done += kHash) {
    const std::size_t counter = done / kHash;
    const std::array<std::uint8_t, 4> c = {0, 0, 0, static_cast<std::uint8_t>(counter)};
    const Digest48 mask = sha384({hash, c});
    for (std::size_t k = 0; k < std::min(kHash, db.size() - done); ++k) {
      db[done + k] ^= mask[k];
    }
  }
  db.front() &= 0x7f;
  const std::size_t zeros = db.size() - salt_size - 1;
  if (!std::ranges::all_of(db.first(zeros), [](std::uint8_t b) { return b == 0; }) ||
      db[zeros] != 0x01) {
    return false;
  }
  return equal(sha384({kPadding, message_digest, db.subspan(zeros + 1)}), hash);
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
  key->limbs = to_limbs(key->n.get());

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

std::vector<std::size_t> RsaPublicKey::failing(BlindRsaVariant variant,
                                               std::span<const Signed> signatures,
                                               bool ifma) const {
  std::vector<std::size_t> positions;
#ifdef __x86_64__
  if (ifma) {
    std::vector<std::size_t> numbers;  // positions of signatures of the right length below n
    for (std::size_t i = 0; i < signatures.size(); ++i) {
      if (signatures[i].signature.size() == modulus_.size() &&
          std::ranges::lexicographical_compare(signatures[i].signature, modulus_)) {
        numbers.push_back(i);
      } else {
        positions.push_back(i);
      }
    }
    const Bignum number = new_bignum();
    Bytes encoding(modulus_.size());
    vartime::RsaLanes lanes;
    for (std::size_t at = 0; at < numbers.size(); at += vartime::kRsaLanes) {
      const std::size_t count = std::min(vartime::kRsaLanes, numbers.size() - at);
      for (std::size_t lane = 0; lane < vartime::kRsaLanes; ++lane) {
        // Spare lanes repeat the first.
        const ByteView bytes = signatures[numbers[at + (lane < count ? lane : 0)]].signature;
        PSEPHOS_CHECK(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), number.get()) !=
                      nullptr);
        to_limbs(number.get(), key_->limbs.num_limbs,
                 [&](std::size_t j) -> auto& { return lanes[j][lane]; });
      }
      vartime::power_65537_ifma(key_->limbs, lanes);
      for (std::size_t lane = 0; lane < count; ++lane) {
        const std::size_t i = numbers[at + lane];
        from_limbs(key_->limbs, lanes, lane, encoding);
        if (!is_pss_encoding(encoding, sha384({signatures[i].input_message}),
                             salt_size_bytes(variant))) {
          positions.push_back(i);
        }
      }
    }
    std::ranges::sort(positions);
    return positions;
  }
#else
  PSEPHOS_CHECK(!ifma);
#endif
  for (std::size_t i = 0; i < signatures.size(); ++i) {
    if (!verify(variant, signatures[i].input_message, signatures[i].signature).has_value()) {
      positions.push_back(i);
    }
  }
  return positions;
}

}  // namespace psephos::crypto
