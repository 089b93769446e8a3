#include "psephos/crypto/note_signer.h"

#include <algorithm>

#include "psephos/codec.h"

namespace psephos::crypto {

Result<NoteSigner> NoteSigner::create(std::string_view name, Ed25519SecretKey key) {
  PSEPHOS_TRY(NoteVerifier verifier,
              NoteVerifier::create(name, NoteAlgorithm::ed25519, key.public_key()));
  return NoteSigner(std::move(verifier), std::move(key));
}

Result<NoteSigner> NoteSigner::parse_for_testing(std::string_view skey) {
  constexpr std::string_view kPrefix = "PRIVATE+KEY+";
  if (!skey.starts_with(kPrefix)) {
    return fail(Errc::malformed, "not a private note key");
  }
  skey.remove_prefix(kPrefix.size());
  const auto first = skey.find('+');
  const auto second = first == std::string_view::npos ? first : skey.find('+', first + 1);
  if (second == std::string_view::npos) {
    return fail(Errc::malformed, "not a private note key");
  }
  PSEPHOS_TRY(const Bytes bytes, unbase64(skey.substr(second + 1)));
  SecretBytes<32> seed;
  if (bytes.size() != 33 || bytes[0] != static_cast<std::uint8_t>(NoteAlgorithm::ed25519)) {
    return fail(Errc::malformed, "private note key of another algorithm than Ed25519");
  }
  std::ranges::copy(ByteView(bytes).subspan(1), seed.expose_secret().begin());
  PSEPHOS_TRY(NoteSigner signer, create(skey.substr(0, first), Ed25519SecretKey::from_seed(seed)));
  if (!signer.verifier_.vkey().starts_with(skey.substr(0, second + 1))) {
    return fail(Errc::malformed, "private note key: the id does not belong to this name and key");
  }
  return signer;
}

Result<std::string> NoteSigner::sign(std::string_view text) const {
  if (!valid_note_text(text)) {
    return fail(Errc::misuse,
                "a note's text is UTF-8, ends with a newline and has no other control characters");
  }
  const Ed25519Signature signature = key_.sign(as_bytes(text));
  const Note note{std::string(text),
                  {{verifier_.name(), verifier_.id(), Bytes(signature.begin(), signature.end())}}};
  return note.print();
}

Result<NoteSignature> cosign(std::string_view checkpoint_text, const NoteVerifier& witness,
                             const Ed25519SecretKey& key, std::uint64_t time) {
  if (witness.algorithm() != NoteAlgorithm::cosignature_v1 || witness.key() != key.public_key()) {
    return fail(Errc::misuse, "the cosigning key is not that of the witness " + witness.name());
  }
  if (time > INT64_MAX) {
    return fail(Errc::misuse, "cosigning time out of range");
  }
  PSEPHOS_CHECK_OK(Checkpoint::parse(checkpoint_text));
  Writer out;
  out.u64(time).raw(key.sign(as_bytes(cosigned_text(checkpoint_text, time))));
  return NoteSignature{witness.name(), witness.id(), std::move(out).take()};
}

}  // namespace psephos::crypto
