#include "psephos/crypto/key_file.h"

#include <algorithm>
#include <string>

#include "psephos/codec.h"

#include "crypto/sodium.h"

namespace psephos::crypto {

namespace {

// Layout: magic ‖ u8 |kind| ‖ kind ‖ u32 passes ‖ u64 memory ‖ salt ‖ nonce ‖ ciphertext and tag.
// All that stands before the ciphertext is its associated data.
constexpr std::string_view kMagic = "psephos/v1/sealed-file";
constexpr std::size_t kSaltSize = crypto_pwhash_argon2id_SALTBYTES;
constexpr std::size_t kNonceSize = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagSize = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(kSaltSize == 16 && kNonceSize == 24 && kTagSize == 16);

constexpr std::uint32_t kMaxPasses = 16;
constexpr std::uint64_t kMib = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxMemory = 1024 * kMib;

using FileKey = SecretBytes<crypto_aead_xchacha20poly1305_ietf_KEYBYTES>;

struct Cost {
  std::uint32_t passes;
  std::uint64_t memory_bytes;
};

Cost cost_of(PasswordCost cost) {
  return cost == PasswordCost::minimal ? Cost{1, 8 * kMib} : Cost{3, 256 * kMib};
}

bool valid_kind(std::string_view kind) {
  return !kind.empty() && kind.size() <= 255 &&
         std::ranges::all_of(kind, [](char c) { return c > ' ' && c <= '~'; });
}

Result<FileKey> derive(const SecretBuffer& password, const Cost& cost, ByteView salt) {
  FileKey key;
  // libsodium wants a pointer even to an empty password.
  const ByteView bytes = password.expose_secret();
  const char* text = bytes.empty() ? "" : as_text(bytes).data();
  if (crypto_pwhash(key.expose_secret().data(), key.size(), text, bytes.size(), salt.data(),
                    cost.passes, static_cast<std::size_t>(cost.memory_bytes),
                    crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return fail(Errc::environment, "not enough memory to derive a key from the password (" +
                                       std::to_string(cost.memory_bytes / kMib) + " MiB)");
  }
  return key;
}

}  // namespace

Result<Bytes> seal_file(std::string_view kind, const SecretBuffer& content,
                        const SecretBuffer& password, PasswordCost cost, Random& random) {
  sodium();
  if (!valid_kind(kind)) {
    return fail(Errc::misuse, "kind of a sealed file: 1 to 255 visible ASCII characters");
  }
  std::array<std::uint8_t, kSaltSize> salt;
  std::array<std::uint8_t, kNonceSize> nonce;
  random.fill(salt);
  random.fill(nonce);
  const Cost spend = cost_of(cost);
  PSEPHOS_TRY(const FileKey key, derive(password, spend, salt));

  Writer out;
  out.raw(as_bytes(kMagic)).u8(static_cast<std::uint8_t>(kind.size())).raw(as_bytes(kind));
  out.u32(spend.passes).u64(spend.memory_bytes).raw(salt).raw(nonce);
  Bytes file = std::move(out).take();
  const std::size_t header_size = file.size();
  file.resize(header_size + content.size() + kTagSize);
  const ByteView plain = content.expose_secret();
  crypto_aead_xchacha20poly1305_ietf_encrypt(file.data() + header_size, nullptr, plain.data(),
                                             plain.size(), file.data(), header_size, nullptr,
                                             nonce.data(), key.expose_secret().data());
  return file;
}

Result<SecretBuffer> open_file(std::string_view kind, ByteView file, const SecretBuffer& password) {
  sodium();
  const auto foreign = fail(Errc::malformed, "not a sealed psephos file");
  Reader in(file);
  const auto magic = in.raw(kMagic.size(), "magic");
  if (!magic.has_value() || as_text(*magic) != kMagic) {
    return foreign;
  }
  PSEPHOS_TRY(const std::uint8_t kind_size, in.u8("kind"));
  PSEPHOS_TRY(const ByteView kind_bytes, in.raw(kind_size, "kind"));
  const std::string_view found = as_text(kind_bytes);
  if (!valid_kind(found)) {
    return foreign;
  }
  if (found != kind) {
    return fail(Errc::malformed, "sealed file of kind '" + std::string(found) + "', expected '" +
                                     std::string(kind) + "'");
  }
  Cost cost{};
  PSEPHOS_TRY(cost.passes, in.u32("password cost"));
  PSEPHOS_TRY(cost.memory_bytes, in.u64("password cost"));
  if (cost.passes < crypto_pwhash_argon2id_OPSLIMIT_MIN || cost.passes > kMaxPasses ||
      cost.memory_bytes < crypto_pwhash_argon2id_MEMLIMIT_MIN || cost.memory_bytes > kMaxMemory) {
    return fail(Errc::malformed, "sealed file asks for a password cost of " +
                                     std::to_string(cost.passes) + " passes over " +
                                     std::to_string(cost.memory_bytes) +
                                     " bytes; at most 16 over 1 GiB are allowed");
  }
  PSEPHOS_TRY(const ByteView salt, in.raw(kSaltSize, "salt"));
  PSEPHOS_TRY(const ByteView nonce, in.raw(kNonceSize, "nonce"));
  const ByteView sealed = in.rest();
  if (sealed.size() < kTagSize) {
    return fail(Errc::malformed, "sealed file is cut short");
  }

  PSEPHOS_TRY(const FileKey key, derive(password, cost, salt));
  SecretBuffer content(sealed.size() - kTagSize);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(content.expose_secret().data(), nullptr, nullptr,
                                                 sealed.data(), sealed.size(), file.data(),
                                                 file.size() - sealed.size(), nonce.data(),
                                                 key.expose_secret().data()) != 0) {
    return fail(Errc::rejected, "wrong password, or the file was altered");
  }
  return content;
}

}  // namespace psephos::crypto
