#include "psephos/crypto/transcript.h"

#include <algorithm>
#include <limits>

#include <openssl/evp.h>

#include "psephos/crypto/hash.h"

#include "crypto/labels.h"

namespace psephos::crypto {

namespace {

std::array<std::uint8_t, 4> u32be(std::uint64_t value) {
  PSEPHOS_CHECK(value <= std::numeric_limits<std::uint32_t>::max());
  return {static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
          static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

}  // namespace

// SHA-512 by OpenSSL, which has it in assembly. Bytes are gathered first: a transcript consists of
// short pieces, and each call costs as much as hashing some of them.
class Transcript::Hash {
 public:
  Hash() : context_(EVP_MD_CTX_new()) {
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA512", nullptr);
    PSEPHOS_CHECK(algorithm != nullptr && context_ != nullptr);
    PSEPHOS_CHECK(EVP_DigestInit_ex2(context_.get(), algorithm, nullptr) == 1);
  }
  Hash(const Hash& other)
      : context_(EVP_MD_CTX_new()), pending_(other.pending_), num_pending_(other.num_pending_) {
    PSEPHOS_CHECK(context_ != nullptr);
    PSEPHOS_CHECK(EVP_MD_CTX_copy_ex(context_.get(), other.context_.get()) == 1);
  }
  Hash& operator=(const Hash&) = delete;
  ~Hash() = default;

  void update(ByteView bytes) {
    if (bytes.size() > pending_.size() - num_pending_) {
      flush();
    }
    if (bytes.size() > pending_.size()) {
      PSEPHOS_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
      return;
    }
    std::ranges::copy(bytes, pending_.begin() + static_cast<std::ptrdiff_t>(num_pending_));
    num_pending_ += bytes.size();
  }
  [[nodiscard]] Digest64 digest() {
    flush();
    thread_local const Context last(EVP_MD_CTX_new());
    PSEPHOS_CHECK(last != nullptr);
    PSEPHOS_CHECK(EVP_MD_CTX_copy_ex(last.get(), context_.get()) == 1);
    Digest64 out;
    unsigned int size = 0;
    PSEPHOS_CHECK(EVP_DigestFinal_ex(last.get(), out.data(), &size) == 1 && size == out.size());
    return out;
  }

 private:
  void flush() {
    PSEPHOS_CHECK(EVP_DigestUpdate(context_.get(), pending_.data(), num_pending_) == 1);
    num_pending_ = 0;
  }

  Context context_;
  std::array<std::uint8_t, 512> pending_;
  std::size_t num_pending_ = 0;
};

Transcript::Transcript(std::string_view name) : hash_(std::make_unique<Hash>()) {
  absorb(labels::kTranscript, as_bytes(name));
}
Transcript::Transcript(const Transcript& other) : hash_(std::make_unique<Hash>(*other.hash_)) {}
Transcript::Transcript(Transcript&& other) noexcept = default;
Transcript& Transcript::operator=(const Transcript& other) {
  *this = Transcript(other);
  return *this;
}
Transcript& Transcript::operator=(Transcript&& other) noexcept = default;
Transcript::~Transcript() = default;

void Transcript::absorb(std::string_view label, ByteView bytes) {
  hash_->update(u32be(label.size()));
  hash_->update(as_bytes(label));
  hash_->update(u32be(bytes.size()));
  hash_->update(bytes);
}

void Transcript::absorb_u32(std::string_view label, std::uint32_t value) {
  absorb(label, u32be(value));
}

Scalar Transcript::challenge(std::string_view label) {
  absorb(label, {});
  const auto drawn = digest();
  absorb(labels::kChallenge, drawn);
  return Scalar::reduce(drawn);
}

Digest64 Transcript::digest() const { return hash_->digest(); }

}  // namespace psephos::crypto
