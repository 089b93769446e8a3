// Signed notes (C2SP signed-note), checkpoints (C2SP tlog-checkpoint), cosignatures (C2SP
// tlog-cosignature, cosignature/v1) and proofs (C2SP tlog-proof), verifying half. Parsing is
// strict: what parses, prints back to the same bytes. Spec: docs/spec.md §7.4.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "psephos/crypto/ed25519.h"
#include "psephos/crypto/merkle.h"
#include "psephos/error.h"

namespace psephos::crypto {

// Signature algorithms of signed notes: the byte in front of the key.
enum class NoteAlgorithm : std::uint8_t { ed25519 = 0x01, cosignature_v1 = 0x04 };

// NoteVerifier is a verifier key: "<name>+<id, 8 hex digits>+<base64(algorithm ‖ key)>". The id is
// the first four bytes of SHA-256(name ‖ "\n" ‖ algorithm ‖ key).
class NoteVerifier {
 public:
  static Result<NoteVerifier> create(std::string_view name, NoteAlgorithm algorithm,
                                     const Ed25519PublicKey& key);
  // parse reads a vkey and checks that its id belongs to its key.
  static Result<NoteVerifier> parse(std::string_view vkey);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint32_t id() const { return id_; }
  [[nodiscard]] NoteAlgorithm algorithm() const { return algorithm_; }
  [[nodiscard]] const Ed25519PublicKey& key() const { return key_; }
  [[nodiscard]] std::string vkey() const;
  // verify one signature blob (what follows the id) over the note's text.
  [[nodiscard]] Result<void> verify(std::string_view text, ByteView signature) const;

  friend bool operator==(const NoteVerifier&, const NoteVerifier&) = default;

 private:
  NoteVerifier() = default;
  std::string name_;
  std::uint32_t id_ = 0;
  NoteAlgorithm algorithm_ = NoteAlgorithm::ed25519;
  Ed25519PublicKey key_{};
};

// valid_note_name: not empty, UTF-8, no Unicode space, no control character below 0x20, no plus.
// valid_note_text: UTF-8, no control character below 0x20 but newlines, one of them at the end.
[[nodiscard]] bool valid_note_name(std::string_view name);
[[nodiscard]] bool valid_note_text(std::string_view text);

struct NoteSignature {
  std::string name;
  std::uint32_t id = 0;
  Bytes signature;  // without the id
};

// Note is a parsed signed note of at most 100 signatures; nothing about them has been checked.
struct Note {
  std::string text;  // ends with a newline
  std::vector<NoteSignature> signatures;

  static Result<Note> parse(std::string_view note);
  [[nodiscard]] std::string print() const;
  // print_signature is one line "— name base64\n".
  [[nodiscard]] static std::string print_signature(const NoteSignature& signature);

  // verified_by returns the positions in `known` whose signature is there and good. Errc::rejected
  // if any signature by a known key fails or if none is there (the rule of signed notes; signatures
  // by unknown keys are passed over, even those under a known name).
  [[nodiscard]] Result<std::vector<std::size_t>> verified_by(
      std::span<const NoteVerifier> known) const;
};

// Checkpoint is the text of a note about a log: origin, size, root, perhaps extension lines. parse:
// Errc::malformed, also for a size of 0 with another root than that of the empty tree.
struct Checkpoint {
  std::string origin;
  TreeHead tree;
  std::vector<std::string> extensions;

  static Result<Checkpoint> parse(std::string_view text);
  [[nodiscard]] std::string print() const;
};

// cosigned_text is what a cosignature/v1 signs: "cosignature/v1\ntime <t>\n" ‖ checkpoint text. The
// signature blob is u64 time ‖ Ed25519 signature; times from 2^63 on are refused.
[[nodiscard]] std::string cosigned_text(std::string_view checkpoint_text, std::uint64_t time);

// LogProof is a C2SP tlog-proof: an entry's place in a log under a checkpoint. parse refuses more
// than 63 hashes, and what is not a signed note over a Checkpoint; no proof or signature is
// checked.
struct LogProof {
  std::optional<Bytes> extra;
  std::uint64_t index = 0;
  std::vector<Digest32> hashes;
  std::string checkpoint;  // the signed note, verbatim

  static Result<LogProof> parse(std::string_view text);
  [[nodiscard]] std::string print() const;
};

}  // namespace psephos::crypto
