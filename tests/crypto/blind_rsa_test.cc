#include "psephos/crypto/blind_rsa.h"

#include <algorithm>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "psephos/crypto/batch_evaluator.h"
#include "psephos/crypto/blind_rsa_client.h"
#include "psephos/crypto/blind_rsa_signer.h"
#include "psephos/crypto/hash.h"

#include "crypto/openssl.h"
#include "tests/crypto/expect.h"
#include "tests/support/seeded_random.h"
#include "tests/support/vectors.h"

namespace psephos::crypto {
namespace {

using test::fails_with;
using test::Field;
using test::is_ok;
using test::must;

constexpr BlindRsaVariant kVariants[] = {
    BlindRsaVariant::sha384_pss_randomized,
    BlindRsaVariant::sha384_psszero_randomized,
    BlindRsaVariant::sha384_pss_deterministic,
    BlindRsaVariant::sha384_psszero_deterministic,
};
constexpr BlindRsaVariant kOurs = BlindRsaVariant::sha384_pss_randomized;

BlindRsaVariant variant_named(const std::string& text) {
  for (const BlindRsaVariant variant : kVariants) {
    if (name(variant) == text) {
      return variant;
    }
  }
  throw std::runtime_error("unknown variant " + text);
}

Bytes joined(ByteView a, ByteView b) {
  Bytes out(a.begin(), a.end());
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

// The verdict of verify; everything else that verifies must agree.
Result<void> verified(const RsaPublicKey& key, BlindRsaVariant variant, ByteView input,
                      ByteView signature) {
  Result<void> verdict = key.verify(variant, input, signature);
  for (const bool ifma : {false, true}) {
    if (!ifma || is_supported(CurveBackend::ifma)) {
      const RsaPublicKey::Signed item{input, signature};
      EXPECT_EQ(key.failing(variant, {&item, 1}, ifma).empty(), verdict.has_value())
          << "ifma: " << ifma;
    }
  }
  return verdict;
}

RsaSecretKey key_of(const Field& item) {
  EXPECT_EQ(item["e"].str(), "010001");
  return must(RsaSecretKey::from_numbers_for_testing(item["n"].hex(), item["d"].hex(),
                                                     item["p"].hex(), item["q"].hex()));
}

// The keys of the tests below are made once.
const RsaSecretKey& key_2048() {
  static const RsaSecretKey key = must(RsaSecretKey::generate(2048));
  return key;
}
const RsaSecretKey& other_key_2048() {
  static const RsaSecretKey key = must(RsaSecretKey::generate(2048));
  return key;
}

// Yields the given byte strings, one a call, then those of a seeded generator.
class ScriptedRandom final : public Random {
 public:
  explicit ScriptedRandom(std::vector<Bytes> script) : script_(std::move(script)) {}
  void fill(std::span<std::uint8_t> out) override {
    if (next_ == script_.size()) {
      rest_.fill(out);
      return;
    }
    ASSERT_EQ(script_[next_].size(), out.size());
    std::ranges::copy(script_[next_++], out.begin());
  }
  [[nodiscard]] std::size_t used() const { return next_; }

 private:
  std::vector<Bytes> script_;
  std::size_t next_ = 0;
  test::SeededRandom rest_;
};

// --- known answers ------------------------------------------------------------------------------

TEST(BlindRsa, Rfc9474) {
  PSEPHOS_LOAD_VECTORS(items, "rfc9474_blind_rsa.json", "vectors");
  ASSERT_EQ(items.array().size(), 4U);
  for (const Field& item : items.array()) {
    SCOPED_TRACE(item["name"].str());
    const BlindRsaVariant variant = variant_named(item["name"].str());
    const RsaSecretKey key = key_of(item);
    const RsaPublicKey& public_key = key.public_key();
    EXPECT_EQ(public_key.modulus(), item["n"].hex());
    EXPECT_EQ(public_key.modulus_bits(), 4096U);

    const Bytes prefix = item["msg_prefix"].hex();
    const Bytes input = item["input_msg"].hex();
    EXPECT_EQ(prefix.size(), prefix_size_bytes(variant));
    EXPECT_EQ(input, joined(prefix, item["msg"].hex()));
    ScriptedRandom prefixes({prefix});
    EXPECT_EQ(prepare(variant, item["msg"].hex(), prefixes), input);

    const Bytes salt = item["salt"].hex();
    EXPECT_EQ(salt.size(), item["salt_len"].u64());
    EXPECT_EQ(salt.size(), salt_size_bytes(variant));
    EXPECT_EQ(must(pss_encode(input, salt, 4096)), item["encoded_msg"].hex());

    const Bytes signature = item["sig"].hex();
    // Blinding with r has the inverse inv; blinding with inv tells r, where a vector leaves it out.
    const auto run = [&](ByteView r, const Field& answers) {
      const BlindedMessage blinded =
          must(blind_with_for_testing(public_key, variant, input, salt, r));
      EXPECT_EQ(blinded.blinded_message, answers["blinded_msg"].hex());
      EXPECT_TRUE(equal(blinded.inverse.expose_secret(), answers["inv"].hex()));
      const Bytes blind_signature = must(key.blind_sign(blinded.blinded_message));
      EXPECT_EQ(blind_signature, answers["blind_sig"].hex());
      EXPECT_EQ(must(finalize(public_key, variant, input, blind_signature, blinded.inverse)),
                signature);
    };
    run(item["r"].hex(), item);
    for (const Field& other : item["alternate_blindings"].array()) {
      other.ignore("source", "prose");
      const BlindedMessage swapped =
          must(blind_with_for_testing(public_key, variant, input, salt, other["inv"].hex()));
      run(swapped.inverse.expose_secret(), other);
    }
    for (const BlindRsaVariant as : kVariants) {
      EXPECT_EQ(verified(public_key, as, input, signature).has_value(),
                salt_size_bytes(as) == salt.size())
          << name(as);
    }
  }
}

TEST(BlindRsa, Rfc9474Negative) {
  PSEPHOS_LOAD_VECTORS(vectors, "rfc9474_blind_rsa.json");
  const RsaSecretKey key = key_of(vectors["vectors"][0]);
  for (const Field& vector : vectors["vectors"].array()) {
    EXPECT_EQ(vector["n"].hex(), key.public_key().modulus());  // one key for all
  }
  vectors.ignore("vectors", "the test above");
  std::map<std::string, int> num_refused;
  for (const Field& item : vectors["negative"].array()) {
    const std::string what = item["what"].str();
    const std::string why = item["variant"].str() + " " + what + ": " + item["why"].str();
    // "policy" cases are refused too.
    EXPECT_TRUE(item["want"].str() == "reject" || item["want"].str() == "policy");
    ++num_refused[what];
    if (what == "blind_sign") {
      EXPECT_EQ(item["variant"].str(), "any");
      EXPECT_TRUE(fails_with(Errc::malformed, key.blind_sign(item["blinded_msg"].hex()))) << why;
      continue;
    }
    const BlindRsaVariant variant = variant_named(item["variant"].str());
    if (what == "verify") {
      EXPECT_TRUE(fails_with(Errc::rejected, verified(key.public_key(), variant, item["msg"].hex(),
                                                      item["sig"].hex())))
          << why;
    } else {
      ASSERT_EQ(what, "finalize");
      const SecretBuffer inverse(item["inv"].hex());
      EXPECT_TRUE(
          fails_with(Errc::rejected, finalize(key.public_key(), variant, item["input_msg"].hex(),
                                              item["blind_sig"].hex(), inverse)))
          << why;
    }
  }
  EXPECT_EQ(num_refused,
            (std::map<std::string, int>{{"verify", 26}, {"finalize", 8}, {"blind_sign", 10}}));
}

TEST(BlindRsa, Rfc9578PrivacyPass) {
  PSEPHOS_LOAD_VECTORS(items, "rfc9578_privacypass_blind_rsa.json", "vectors");
  constexpr BlindRsaVariant kVariant = BlindRsaVariant::sha384_pss_deterministic;
  for (const Field& item : items.array()) {
    const RsaSecretKey key = key_of(item);
    EXPECT_EQ(key.public_key().modulus_bits(), 2048U);
    // The token's fields around the signature (RFC 9578 §6).
    const Bytes spki = item["spki"].hex();
    EXPECT_NE(std::ranges::search(spki, key.public_key().modulus()).begin(), spki.end());
    const Bytes key_id = item["token_key_id"].hex();
    EXPECT_TRUE(equal(sha256({spki}), key_id));
    const Bytes input = item["token_input"].hex();
    EXPECT_EQ(input, joined(joined(Bytes{0, 2}, item["nonce"].hex()),
                            joined(sha256({item["token_challenge"].hex()}), key_id)));

    const Bytes salt = item["salt"].hex();
    EXPECT_EQ(must(pss_encode(input, salt, 2048)), item["encoded_msg"].hex());
    const BlindedMessage blinded =
        must(blind_with_for_testing(key.public_key(), kVariant, input, salt, item["r"].hex()));
    EXPECT_EQ(blinded.blinded_message, item["blinded_msg"].hex());
    EXPECT_EQ(joined(Bytes{0, 2, key_id.back()}, blinded.blinded_message),
              item["token_request"].hex());
    const Bytes blind_signature = must(key.blind_sign(blinded.blinded_message));
    EXPECT_EQ(blind_signature, item["blind_sig"].hex());
    const Bytes signature =
        must(finalize(key.public_key(), kVariant, input, blind_signature, blinded.inverse));
    EXPECT_EQ(signature, item["sig"].hex());
    EXPECT_EQ(joined(input, signature), item["token"].hex());
  }
}

TEST(RsaPublicKey, WycheproofPss) {
  PSEPHOS_LOAD_VECTORS(groups, "wycheproof_rsa_pss.json", "groups");
  int num_valid = 0;
  int num_refused = 0;
  for (const Field& group : groups.array()) {
    group.ignore("spki_pem", "the same key again");
    EXPECT_EQ(group["e"].str(), "010001");
    Bytes modulus = group["n"].hex();
    if (modulus.front() == 0) {
      modulus.erase(modulus.begin());
    }
    const RsaPublicKey key = must(RsaPublicKey::from_modulus(modulus));
    EXPECT_EQ(key.modulus_bits(), group["key_bits"].u64());
    const std::uint64_t salt_size = group["salt_len"].u64();
    const std::string hashes = group["hash"].str() + " " + group["mgf_hash"].str();
    const bool sha384 = hashes == "SHA-384 SHA-384";
    for (const Field& item : group["tests"].array()) {
      item.ignore("flags", "classification only");
      const std::string what = group["file"].str() + " tcId " + std::to_string(item["tcId"].u64()) +
                               ": " + item["comment"].str();
      const Bytes message = item["msg"].hex();
      const Bytes signature = item["sig"].hex();
      const bool valid = item["result"].str() == "valid";
      for (const BlindRsaVariant variant : kVariants) {
        // A signature that is valid under other parameters must be refused under ours; one that is
        // not may happen to be made with ours.
        const bool same = sha384 && salt_size == salt_size_bytes(variant);
        if (!same && !valid) {
          continue;
        }
        const auto verdict = verified(key, variant, message, signature);
        EXPECT_EQ(verdict.has_value(), same && valid) << what << ", " << name(variant);
        ++(verdict.has_value() ? num_valid : num_refused);
      }
    }
  }
  EXPECT_GT(num_valid, 300);
  EXPECT_GT(num_refused, 800);
}

TEST(RsaPublicKey, FindsTheBadAmongMany) {
  test::SeededRandom random;
  for (const std::size_t bits : {2048U, 3072U, 4096U}) {
    const RsaSecretKey key = must(RsaSecretKey::generate(bits));
    const RsaPublicKey& public_key = key.public_key();
    struct Made {
      Bytes input;
      Bytes signature;
    };
    std::vector<Made> made;
    for (std::size_t i = 0; i < 5; ++i) {
      Bytes message(20);
      random.fill(message);
      const Bytes input = prepare(kOurs, message, random);
      const auto blinded = must(blind(public_key, kOurs, input, random));
      const Bytes answer = must(key.blind_sign(blinded.blinded_message));
      made.push_back({input, must(finalize(public_key, kOurs, input, answer, blinded.inverse))});
    }
    for (std::size_t size = 0; size < 20; ++size) {
      std::vector<Made> all;
      std::vector<std::size_t> expected;
      for (std::size_t i = 0; i < size; ++i) {
        all.push_back(made[random.below(made.size())]);
        Bytes& signature = all.back().signature;
        switch (random.below(8)) {
          case 0:
            signature[random.below(signature.size())] ^=
                static_cast<std::uint8_t>(1U << random.below(8));
            break;
          case 1:
            signature = public_key.modulus();
            break;
          case 2:
            signature = public_key.modulus();
            signature.back() ^= 1;  // n − 1
            break;
          case 3:
            signature.assign(signature.size(), 0);
            break;
          case 4:
            signature.pop_back();
            break;
          case 5:
            all.back().input.push_back(0);
            break;
          default:
            continue;
        }
        expected.push_back(i);
      }
      std::vector<RsaPublicKey::Signed> items;
      for (const Made& one : all) {
        items.push_back({one.input, one.signature});
      }
      EXPECT_EQ(public_key.failing(kOurs, items, false), expected);
      if (is_supported(CurveBackend::ifma)) {
        EXPECT_EQ(public_key.failing(kOurs, items, true), expected);
      }
    }
  }
}

// --- keys ---------------------------------------------------------------------------------------

TEST(RsaPublicKey, RefusesOddSizesAndEvenNumbers) {
  const Bytes good = key_2048().public_key().modulus();
  EXPECT_TRUE(is_ok(RsaPublicKey::from_modulus(good)));
  const auto refused = [](const Bytes& modulus) {
    return fails_with(Errc::malformed, RsaPublicKey::from_modulus(modulus));
  };
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused(Bytes(good.begin(), good.end() - 1)));
  EXPECT_TRUE(refused(joined(Bytes{0}, good)));
  EXPECT_TRUE(refused(joined(Bytes(128), good)));
  EXPECT_TRUE(refused(Bytes(good.begin(), good.begin() + 128)));
  Bytes changed = good;
  changed.front() = 0x7f;
  EXPECT_TRUE(refused(changed));
  changed.front() = 0;
  EXPECT_TRUE(refused(changed));
  changed = good;
  changed.back() ^= 1;
  EXPECT_TRUE(refused(changed));
  EXPECT_TRUE(refused(Bytes(1024, 0xff)));
}

TEST(RsaPublicKey, VerifiesInManyThreads) {
  test::SeededRandom random;
  const RsaPublicKey& key = key_2048().public_key();
  const Bytes input = prepare(kOurs, as_bytes("shared"), random);
  const BlindedMessage blinded = must(blind(key, kOurs, input, random));
  const Bytes signature = must(finalize(
      key, kOurs, input, must(key_2048().blind_sign(blinded.blinded_message)), blinded.inverse));
  Bytes wrong = signature;
  wrong[100] ^= 1;
  std::vector<int> num_right(4);
  std::vector<std::thread> threads;
  for (int& right : num_right) {
    threads.emplace_back([&] {
      const RsaPublicKey copy = key;
      for (int i = 0; i < 50; ++i) {
        right += verified(copy, kOurs, input, signature).has_value() ? 1 : 0;
        right += verified(key, kOurs, input, wrong).has_value() ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(num_right, std::vector<int>(4, 100));
}

TEST(RsaSecretKey, GeneratesTheAllowedSizes) {
  for (const std::size_t bits : {2048U, 3072U}) {
    const RsaSecretKey key = must(RsaSecretKey::generate(bits));
    EXPECT_EQ(key.public_key().modulus_bits(), bits);
  }
  for (const std::size_t bits : {0U, 512U, 1024U, 2047U, 2056U, 8192U}) {
    EXPECT_TRUE(fails_with(Errc::misuse, RsaSecretKey::generate(bits)));
  }
}

TEST(RsaSecretKey, EncodingRoundTrip) {
  const SecretBuffer der = must(key_2048().encode());
  const RsaSecretKey key = must(RsaSecretKey::decode(der));
  EXPECT_EQ(key.public_key(), key_2048().public_key());
  EXPECT_TRUE(ct_equal(must(key.encode()).expose_secret(), der.expose_secret()));
  Bytes message(256);
  message[100] = 7;
  EXPECT_EQ(must(key.blind_sign(message)), must(key_2048().blind_sign(message)));
}

TEST(RsaSecretKey, RefusesDamagedEncodings) {
  const SecretBuffer der = must(key_2048().encode());
  const ByteView good = der.expose_secret();
  const auto refused = [](const Bytes& bytes) {
    return fails_with(Errc::malformed, RsaSecretKey::decode(SecretBuffer(bytes)));
  };
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused(joined(good, Bytes{0})));
  for (std::size_t size = 1; size < good.size(); size += 37) {
    EXPECT_TRUE(refused(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))));
  }
  // The version inside, which OpenSSL reads and ignores.
  constexpr std::size_t kVersionAt = 32;
  ASSERT_EQ(Bytes(good.begin() + kVersionAt - 2, good.begin() + kVersionAt + 1), (Bytes{2, 1, 0}));
  for (unsigned bit = 0; bit < 8; ++bit) {
    Bytes changed(good.begin(), good.end());
    changed[kVersionAt] ^= static_cast<std::uint8_t>(1U << bit);
    EXPECT_TRUE(refused(changed)) << "bit " << bit << " of the version";
  }
  // Any damaged byte, be it in the frame or in a number, is found. (Each costs primality tests.)
  test::SeededRandom random;
  for (std::size_t i = 0; i < test::iterations(20); ++i) {
    Bytes changed(good.begin(), good.end());
    const std::size_t at = random.below(changed.size());
    changed[at] ^= static_cast<std::uint8_t>(1U << random.below(8));
    EXPECT_TRUE(refused(changed)) << "byte " << at;
  }
}

// A fresh key of OpenSSL's as PKCS#8.
SecretBuffer foreign_key(const char* type, unsigned bits, unsigned exponent) {
  const EvpKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  const Bignum e = new_bignum();
  EVP_PKEY* key = nullptr;
  EXPECT_EQ(EVP_PKEY_keygen_init(context.get()), 1);
  EXPECT_EQ(BN_set_word(e.get(), exponent), 1);
  EXPECT_EQ(EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), static_cast<int>(bits)), 1);
  EXPECT_EQ(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context.get(), e.get()), 1);
  EXPECT_EQ(EVP_PKEY_generate(context.get(), &key), 1);
  const EvpKey owner(key);
  const Pkcs8 info(EVP_PKEY2PKCS8(key));
  SecretBuffer der(static_cast<std::size_t>(i2d_PKCS8_PRIV_KEY_INFO(info.get(), nullptr)));
  std::uint8_t* out = der.expose_secret().data();
  i2d_PKCS8_PRIV_KEY_INFO(info.get(), &out);
  return der;
}

TEST(RsaSecretKey, RefusesOtherKeys) {
  EXPECT_TRUE(is_ok(RsaSecretKey::decode(foreign_key("RSA", 2048, 65537))));
  EXPECT_TRUE(fails_with(Errc::malformed, RsaSecretKey::decode(foreign_key("RSA", 2048, 3))));
  EXPECT_TRUE(fails_with(Errc::malformed, RsaSecretKey::decode(foreign_key("RSA", 1024, 65537))));
  EXPECT_TRUE(fails_with(Errc::malformed, RsaSecretKey::decode(foreign_key("RSA", 2056, 65537))));
  EXPECT_TRUE(
      fails_with(Errc::malformed, RsaSecretKey::decode(foreign_key("RSA-PSS", 2048, 65537))));
  // Ed25519 (RFC 8410 §10.3).
  const Bytes ed25519 =
      must(unbase64("MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"));
  EXPECT_TRUE(fails_with(Errc::malformed, RsaSecretKey::decode(SecretBuffer(ed25519))));
}

TEST(RsaSecretKey, NumbersMustFitTogether) {
  PSEPHOS_LOAD_VECTORS(vectors, "rfc9578_privacypass_blind_rsa.json");
  vectors.ignore("vectors", "Rfc9578PrivacyPass; here only a key");
  const Field item = vectors["vectors"][0];
  const Bytes n = item["n"].hex();
  Bytes d = item["d"].hex();
  d.back() ^= 2;
  const RsaSecretKey broken =
      must(RsaSecretKey::from_numbers_for_testing(n, d, item["p"].hex(), item["q"].hex()));
  Bytes message(256);
  message[17] = 1;
  // A wrong result is never handed out: it would give away the key's factors.
  EXPECT_FALSE(broken.blind_sign(message).has_value());
  EXPECT_TRUE(fails_with(Errc::malformed, RsaSecretKey::decode(must(broken.encode()))));
}

// --- the protocol -------------------------------------------------------------------------------

TEST(BlindRsa, RoundTripOfEveryVariant) {
  test::SeededRandom random;
  const RsaSecretKey& key = key_2048();
  for (const BlindRsaVariant variant : kVariants) {
    SCOPED_TRACE(name(variant));
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{113}, std::size_t{5000}}) {
      Bytes message(size);
      if (size > 0) {
        random.fill(message);
      }
      const Bytes input = prepare(variant, message, random);
      EXPECT_EQ(input.size(), size + prefix_size_bytes(variant));
      const BlindedMessage first = must(blind(key.public_key(), variant, input, random));
      const BlindedMessage second = must(blind(key.public_key(), variant, input, random));
      EXPECT_NE(first.blinded_message, second.blinded_message);
      const Bytes answer = must(key.blind_sign(first.blinded_message));
      const Bytes signature =
          must(finalize(key.public_key(), variant, input, answer, first.inverse));
      EXPECT_TRUE(is_ok(verified(key.public_key(), variant, input, signature)));
      EXPECT_TRUE(fails_with(Errc::rejected,
                             finalize(key.public_key(), variant, input, answer, second.inverse)));
    }
  }
}

// What is signed without blinding verifies as what was blinded, for keys of two and of three
// primes; the salt makes two signatures of one message differ.
TEST(RsaSecretKey, SignsWithoutBlinding) {
  test::SeededRandom random;
  for (const RsaPrimes primes : {RsaPrimes::two, RsaPrimes::three}) {
    const RsaSecretKey key = must(RsaSecretKey::generate(2048, primes));
    EXPECT_EQ(key.public_key().modulus_bits(), 2048U);
    for (const BlindRsaVariant variant : kVariants) {
      const Bytes input = prepare(variant, as_bytes("message"), random);
      const Bytes signature = must(key.sign(variant, input, random));
      EXPECT_TRUE(is_ok(verified(key.public_key(), variant, input, signature)));
      EXPECT_EQ(signature == must(key.sign(variant, input, random)), salt_size_bytes(variant) == 0);
      EXPECT_TRUE(fails_with(Errc::rejected, verified(key.public_key(), variant,
                                                      joined(input, as_bytes("!")), signature)));
      const BlindedMessage blinded = must(blind(key.public_key(), variant, input, random));
      EXPECT_TRUE(is_ok(finalize(key.public_key(), variant, input,
                                 must(key.blind_sign(blinded.blinded_message)), blinded.inverse)));
    }
  }
}

TEST(RsaSecretKey, ThreePrimesCannotBeStored) {
  const RsaSecretKey key = must(RsaSecretKey::generate(2048, RsaPrimes::three));
  EXPECT_TRUE(fails_with(Errc::misuse, key.encode()));
}

TEST(BlindRsa, AnyChangeIsRejected) {
  test::SeededRandom random;
  const RsaPublicKey& key = key_2048().public_key();
  const Bytes input = prepare(kOurs, as_bytes("psephos/v1/credential"), random);
  const BlindedMessage blinded = must(blind(key, kOurs, input, random));
  const Bytes answer = must(key_2048().blind_sign(blinded.blinded_message));
  const Bytes signature = must(finalize(key, kOurs, input, answer, blinded.inverse));

  EXPECT_TRUE(
      fails_with(Errc::rejected, verified(other_key_2048().public_key(), kOurs, input, signature)));
  EXPECT_FALSE(
      verified(key, BlindRsaVariant::sha384_psszero_randomized, input, signature).has_value());
  for (std::size_t i = 0; i < test::iterations(100); ++i) {
    Bytes changed = signature;
    changed[random.below(changed.size())] ^= static_cast<std::uint8_t>(1U << random.below(8));
    EXPECT_TRUE(fails_with(Errc::rejected, verified(key, kOurs, input, changed)));
  }
  for (std::size_t bit = 0; bit < 8 * input.size(); ++bit) {
    Bytes changed = input;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_TRUE(fails_with(Errc::rejected, verified(key, kOurs, changed, signature)));
  }
  EXPECT_FALSE(verified(key, kOurs, joined(input, Bytes{0}), signature).has_value());
  EXPECT_FALSE(verified(key, kOurs, ByteView(input).subspan(1), signature).has_value());
  EXPECT_FALSE(verified(key, kOurs, {}, signature).has_value());
  EXPECT_FALSE(verified(key, kOurs, input, {}).has_value());
  EXPECT_FALSE(verified(key, kOurs, input, joined(Bytes{0}, signature)).has_value());
  EXPECT_FALSE(verified(key, kOurs, input, ByteView(signature).first(255)).has_value());
  EXPECT_FALSE(verified(key, kOurs, input, key.modulus()).has_value());
  EXPECT_FALSE(verified(key, kOurs, input, Bytes(256)).has_value());
  EXPECT_FALSE(verified(key, kOurs, input, Bytes(256, 0xff)).has_value());

  const auto refused = [&](Errc code, ByteView blind_signature, const SecretBuffer& inverse) {
    return fails_with(code, finalize(key, kOurs, input, blind_signature, inverse));
  };
  EXPECT_TRUE(refused(Errc::rejected, {}, blinded.inverse));
  EXPECT_TRUE(refused(Errc::rejected, ByteView(answer).first(255), blinded.inverse));
  EXPECT_TRUE(refused(Errc::rejected, joined(Bytes{0}, answer), blinded.inverse));
  EXPECT_TRUE(refused(Errc::rejected, key.modulus(), blinded.inverse));
  EXPECT_TRUE(refused(Errc::rejected, blinded.blinded_message, blinded.inverse));
  EXPECT_TRUE(refused(Errc::misuse, answer, SecretBuffer(255)));
  EXPECT_TRUE(refused(Errc::misuse, answer, SecretBuffer(key.modulus())));
  EXPECT_TRUE(refused(Errc::rejected, answer, SecretBuffer(256)));
  EXPECT_TRUE(fails_with(Errc::rejected,
                         finalize(key, kOurs, joined(input, Bytes{1}), answer, blinded.inverse)));
  EXPECT_TRUE(fails_with(Errc::rejected, finalize(other_key_2048().public_key(), kOurs, input,
                                                  must(other_key_2048().blind_sign([&] {
                                                    Bytes message(256);
                                                    message[9] = 9;
                                                    return message;
                                                  }())),
                                                  SecretBuffer(ByteView(Bytes(256, 1))))));
}

TEST(BlindRsa, SignerRefusesWhatNoClientSends) {
  const RsaSecretKey& key = key_2048();
  const Bytes n = key.public_key().modulus();
  const auto refused = [&](const Bytes& message) {
    return fails_with(Errc::malformed, key.blind_sign(message));
  };
  Bytes number(256);
  EXPECT_TRUE(refused(number));
  number.back() = 1;
  EXPECT_TRUE(refused(number));
  number.back() = 2;
  EXPECT_TRUE(is_ok(key.blind_sign(number)));
  EXPECT_TRUE(refused(n));
  number = n;
  number.back() -= 1;  // n is odd
  EXPECT_TRUE(refused(number));
  number.front() -= 1;
  EXPECT_TRUE(is_ok(key.blind_sign(number)));
  EXPECT_TRUE(refused(Bytes(256, 0xff)));
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused(Bytes(255, 1)));
  EXPECT_TRUE(refused(Bytes(257, 1)));
  EXPECT_TRUE(refused(joined(Bytes{0}, Bytes(256, 1))));
}

TEST(BlindRsa, BlindingFactorOutOfRangeIsDrawnAgain) {
  PSEPHOS_LOAD_VECTORS(vectors, "rfc9474_blind_rsa.json");
  vectors.ignore("vectors", "Rfc9474; here one of them");
  vectors.ignore("negative", "Rfc9474Negative");
  const Field item = vectors["vectors"][0];
  const RsaPublicKey key = must(RsaPublicKey::from_modulus(item["n"].hex()));
  const Bytes input = item["input_msg"].hex();
  const Bytes salt = item["salt"].hex();
  const Bytes r = item["r"].hex();
  const Bytes not_invertible = joined(Bytes(256), item["p"].hex());
  ScriptedRandom random({salt, Bytes(512, 0xff), key.modulus(), Bytes(512), not_invertible, r});
  const BlindedMessage blinded = must(blind(key, kOurs, input, random));
  EXPECT_EQ(random.used(), 6U);
  EXPECT_EQ(blinded.blinded_message, item["blinded_msg"].hex());
  for (const Bytes& bad : {Bytes(512, 0xff), key.modulus(), Bytes(512), not_invertible}) {
    EXPECT_TRUE(fails_with(Errc::misuse, blind_with_for_testing(key, kOurs, input, salt, bad)));
  }
  EXPECT_TRUE(fails_with(Errc::misuse, blind_with_for_testing(key, kOurs, input, {}, r)));
}

TEST(BlindRsa, EncodingNeedsRoom) {
  // RFC 8017 §9.1.1: at least 8·48 + 8·48 + 9 bits below the modulus' first.
  EXPECT_TRUE(is_ok(pss_encode({}, Bytes(48), 778)));
  EXPECT_TRUE(fails_with(Errc::misuse, pss_encode({}, Bytes(48), 777)));
  EXPECT_TRUE(fails_with(Errc::misuse, pss_encode({}, Bytes(48), 0)));
  EXPECT_TRUE(fails_with(Errc::misuse, pss_encode({}, Bytes(300), 2048)));
  EXPECT_EQ(must(pss_encode({}, {}, 2049)).size(), 256U);
  // Of 2041 bits, the first byte holds one.
  EXPECT_EQ(must(pss_encode({}, {}, 2042))[0] & 0xfe, 0);
}

}  // namespace
}  // namespace psephos::crypto
