#include "psephos/crypto/sealed_box_secret.h"

#include "psephos/crypto/discrete_log_prover.h"

#include "crypto/declassify.h"
#include "crypto/share_key.h"

namespace psephos::crypto {

SealedShare seal(const SecretBytes<32>& content, const Point& receiver, ByteView context,
                 Random& random) {
  Writer statement;
  statement.var(context);
  receiver.encode(statement);
  // Hedged: should the generator repeat, the key repeats only for the same content and receiver.
  const SecretScalar e = HedgedNonces(random, content.expose_secret(), statement.bytes()).next();

  SealedShare sealed;
  sealed.ephemeral = multiply_base(e);
  SecretBytes<32> key;
  derive_share_key(key.expose_secret(), sealed.ephemeral, receiver,
                   shared_secret(e, receiver).expose_secret(), context);
  const Bytes data = share_associated_data(sealed.ephemeral, receiver, context);
  unsigned long long size = 0;
  PSEPHOS_CHECK(crypto_aead_xchacha20poly1305_ietf_encrypt(
                    sealed.ciphertext.data(), &size, content.expose_secret().data(), content.size(),
                    data.data(), data.size(), nullptr, kShareNonce.data(),
                    key.expose_secret().data()) == 0 &&
                size == sealed.ciphertext.size());
  sealed.proof = prove({.bases = {Point::base()}, .points = {sealed.ephemeral}}, e,
                       sealed_share_transcript(receiver, context), random);
  return sealed;
}

Result<SecretBytes<32>> open(const SealedShare& sealed, const SecretScalar& receiver_key,
                             ByteView context) {
  const Point receiver = multiply_base(receiver_key);
  SecretBytes<32> key;
  derive_share_key(key.expose_secret(), sealed.ephemeral, receiver,
                   shared_secret(receiver_key, sealed.ephemeral).expose_secret(), context);
  SecretBytes<32> content;
  const bool opened = decrypt_share(content.expose_secret(), sealed, receiver,
                                    std::as_const(key).expose_secret(), context);
  if (declassified(std::uint64_t{opened}) == 0) {
    return fail(Errc::rejected, "the sealed share does not open with this key");
  }
  return content;
}

}  // namespace psephos::crypto
