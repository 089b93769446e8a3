#include "psephos/crypto/secret_scalar.h"

#include <algorithm>

#include "psephos/codec.h"

#include "crypto/labels.h"
#include "crypto/secret_point.h"
#include "crypto/sodium.h"

namespace psephos::crypto {

namespace {

// q, little-endian.
constexpr std::array<std::uint8_t, 32> kOrder = {
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10};

// SecretSha512 is SHA-512 over secrets; its state is wiped.
class SecretSha512 {
 public:
  SecretSha512() {
    sodium();
    crypto_hash_sha512_init(&state_);
  }
  SecretSha512(const SecretSha512&) = delete;
  SecretSha512& operator=(const SecretSha512&) = delete;
  ~SecretSha512() { sodium_memzero(&state_, sizeof state_); }

  SecretSha512& update(ByteView bytes) {
    if (!bytes.empty()) {
      crypto_hash_sha512_update(&state_, bytes.data(), bytes.size());
    }
    return *this;
  }
  // A u32 length, then the bytes.
  SecretSha512& update_var(ByteView bytes) {
    PSEPHOS_CHECK(bytes.size() <= std::numeric_limits<std::uint32_t>::max());
    return update(Writer().u32(static_cast<std::uint32_t>(bytes.size())).bytes()).update(bytes);
  }
  SecretBytes<64> finish() {
    SecretBytes<64> out;
    crypto_hash_sha512_final(&state_, out.expose_secret().data());
    return out;
  }

 private:
  crypto_hash_sha512_state state_;
};

}  // namespace

SecretScalar SecretScalar::random(Random& random) {
  SecretBytes<64> bytes;
  random.fill(bytes.expose_secret());
  return reduce(bytes);
}

SecretScalar SecretScalar::reduce(const SecretBytes<64>& bytes) {
  SecretScalar scalar;
  crypto_core_ristretto255_scalar_reduce(scalar.bytes_.expose_secret().data(),
                                         bytes.expose_secret().data());
  return scalar;
}

SecretScalar SecretScalar::from_public(const Scalar& value) {
  SecretScalar scalar;
  std::ranges::copy(value.bytes(), scalar.bytes_.expose_secret().begin());
  return scalar;
}

SecretScalar SecretScalar::from_u64(std::uint64_t value) {
  SecretScalar scalar;
  for (std::size_t i = 0; i < 8; ++i) {
    scalar.bytes_.expose_secret()[i] = static_cast<std::uint8_t>(value >> (8 * i));
  }
  return scalar;
}

Result<SecretScalar> SecretScalar::decode(ByteView bytes) {
  if (bytes.size() != kSize) {
    return fail(Errc::malformed,
                "a secret scalar is 32 bytes, not " + std::to_string(bytes.size()));
  }
  // bytes − q borrows out of the last byte exactly if bytes < q.
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i < kSize; ++i) {
    borrow = (std::uint64_t{bytes[i]} - kOrder[i] - borrow) >> 63;
  }
  const bool below_order = declassified(borrow) == 1;
  if (!below_order) {
    return fail(Errc::malformed, "secret scalar is not below the group's order");
  }
  SecretScalar scalar;
  std::ranges::copy(bytes, scalar.bytes_.expose_secret().begin());
  return scalar;
}

SecretScalar SecretScalar::clone() const {
  SecretScalar copy;
  std::ranges::copy(expose_secret(), copy.bytes_.expose_secret().begin());
  return copy;
}

Scalar SecretScalar::declassify() const {
  const auto value = Scalar::decode(declassified(expose_secret()));
  PSEPHOS_CHECK(value.has_value());
  return *value;
}

SecretScalar operator+(const SecretScalar& a, const SecretScalar& b) {
  SecretScalar sum;
  crypto_core_ristretto255_scalar_add(sum.bytes_.expose_secret().data(), a.expose_secret().data(),
                                      b.expose_secret().data());
  return sum;
}

SecretScalar operator-(const SecretScalar& a, const SecretScalar& b) {
  SecretScalar difference;
  crypto_core_ristretto255_scalar_sub(difference.bytes_.expose_secret().data(),
                                      a.expose_secret().data(), b.expose_secret().data());
  return difference;
}

SecretScalar operator*(const SecretScalar& a, const SecretScalar& b) {
  SecretScalar product;
  crypto_core_ristretto255_scalar_mul(product.bytes_.expose_secret().data(),
                                      a.expose_secret().data(), b.expose_secret().data());
  return product;
}

SecretScalar operator*(const Scalar& a, const SecretScalar& b) {
  SecretScalar product;
  crypto_core_ristretto255_scalar_mul(product.bytes_.expose_secret().data(), a.bytes().data(),
                                      b.expose_secret().data());
  return product;
}

Point multiply(const SecretScalar& s, const Point& p) {
  return SecretPoint::product(s, p).declassify();
}

Point multiply_base(const SecretScalar& s) { return SecretPoint::product_base(s).declassify(); }

SecretBytes<32> shared_secret(const SecretScalar& s, const Point& p) {
  return SecretPoint::product(s, p).take();
}

HedgedNonces::HedgedNonces(Random& random, ByteView secret, ByteView statement) {
  SecretBytes<64> fresh;
  random.fill(fresh.expose_secret());
  seed_ = SecretSha512()
              .update(as_bytes(labels::kNonceSeed))
              .update(fresh.expose_secret())
              .update_var(secret)
              .update_var(statement)
              .finish();
}

SecretScalar HedgedNonces::next() {
  return SecretScalar::reduce(SecretSha512()
                                  .update(as_bytes(labels::kNonce))
                                  .update(seed_.expose_secret())
                                  .update(Writer().u64(counter_++).bytes())
                                  .finish());
}

}  // namespace psephos::crypto
