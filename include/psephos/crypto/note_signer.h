// Signing half of signed notes. See note.h.
#pragma once

#include "psephos/crypto/ed25519_signer.h"
#include "psephos/crypto/note.h"

namespace psephos::crypto {

// NoteSigner signs under one name. Move-only, as its key is.
class NoteSigner {
 public:
  static Result<NoteSigner> create(std::string_view name, Ed25519SecretKey key);
  // parse reads Go's private form "PRIVATE+KEY+<name>+<id>+<base64(01 ‖ seed)>".
  static Result<NoteSigner> parse_for_testing(std::string_view skey);

  [[nodiscard]] const NoteVerifier& verifier() const { return verifier_; }
  // sign returns the signed note over a text; Errc::misuse unless valid_note_text.
  [[nodiscard]] Result<std::string> sign(std::string_view text) const;

 private:
  NoteSigner(NoteVerifier verifier, Ed25519SecretKey key)
      : verifier_(std::move(verifier)), key_(std::move(key)) {}
  NoteVerifier verifier_;
  Ed25519SecretKey key_;
};

// cosign makes a witness's cosignature/v1 line over a checkpoint's text, at `time` (seconds since
// 1970, from the caller). Errc::misuse if the key is not the witness's or the time not below 2^63;
// Errc::malformed if the text is no checkpoint.
[[nodiscard]] Result<NoteSignature> cosign(std::string_view checkpoint_text,
                                           const NoteVerifier& witness, const Ed25519SecretKey& key,
                                           std::uint64_t time);

}  // namespace psephos::crypto
