#include "psephos/crypto/sealed_box.h"

#include "crypto/share_key.h"

namespace psephos::crypto {

Result<SealedShare> SealedShare::decode(Reader& in) {
  SealedShare sealed;
  PSEPHOS_TRY(sealed.ephemeral,
              Point::decode(in, Identity::refused, "sealed share's ephemeral point"));
  PSEPHOS_TRY(const ByteView ciphertext,
              in.raw(sealed.ciphertext.size(), "sealed share's ciphertext"));
  std::ranges::copy(ciphertext, sealed.ciphertext.begin());
  PSEPHOS_TRY(sealed.proof, DiscreteLogProof::decode(in, 1));
  return sealed;
}

void SealedShare::encode(Writer& out) const {
  ephemeral.encode(out);
  out.raw(ciphertext);
  proof.encode(out);
}

Transcript sealed_share_transcript(const Point& receiver, ByteView context) {
  Transcript transcript(labels::kSealedShare);
  transcript.absorb(labels::kContext, context);
  transcript.absorb(labels::kReceiver, receiver.bytes());
  return transcript;
}

Result<void> verify(const SealedShare& sealed, const Point& receiver, ByteView context,
                    const Evaluator& evaluator) {
  return verify({.bases = {Point::base()}, .points = {sealed.ephemeral}}, sealed.proof,
                sealed_share_transcript(receiver, context), evaluator);
}

Result<std::array<std::uint8_t, 32>> open_public(const SealedShare& sealed, const Point& receiver,
                                                 const Point& shared_point, ByteView context) {
  std::array<std::uint8_t, 32> key;
  derive_share_key(key, sealed.ephemeral, receiver, shared_point.bytes(), context);
  std::array<std::uint8_t, 32> content;
  if (!decrypt_share(content, sealed, receiver, key, context)) {
    return fail(Errc::rejected, "the sealed share does not open with the disclosed point");
  }
  return content;
}

}  // namespace psephos::crypto
