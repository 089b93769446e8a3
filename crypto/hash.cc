#include "psephos/crypto/hash.h"

#include <memory>

#include <openssl/evp.h>

#include "psephos/error.h"

#include "crypto/sodium.h"

namespace psephos::crypto {

namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// Fetching an algorithm and allocating a context cost more than hashing a tree node: the algorithm
// is fetched once (and kept for the life of the process), the context is kept by each thread.
template <std::size_t N>
std::array<std::uint8_t, N> digest(const EVP_MD* algorithm, std::initializer_list<ByteView> parts) {
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  PSEPHOS_CHECK(algorithm != nullptr && context != nullptr);
  PSEPHOS_CHECK(EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1);
  for (const ByteView part : parts) {
    PSEPHOS_CHECK(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  }
  std::array<std::uint8_t, N> out;
  unsigned int size = 0;
  PSEPHOS_CHECK(EVP_DigestFinal_ex(context.get(), out.data(), &size) == 1 && size == N);
  return out;
}

}  // namespace

Digest32 sha256(std::initializer_list<ByteView> parts) {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return digest<32>(algorithm, parts);
}

Digest48 sha384(std::initializer_list<ByteView> parts) {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA384", nullptr);
  return digest<48>(algorithm, parts);
}

Digest64 sha512(std::initializer_list<ByteView> parts) {
  sodium();
  crypto_hash_sha512_state state;
  crypto_hash_sha512_init(&state);
  for (const ByteView part : parts) {
    if (!part.empty()) {
      crypto_hash_sha512_update(&state, part.data(), part.size());
    }
  }
  Digest64 out;
  crypto_hash_sha512_final(&state, out.data());
  return out;
}

}  // namespace psephos::crypto
