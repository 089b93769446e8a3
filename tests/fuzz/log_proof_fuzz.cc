// Log proofs: what parses, prints back to the same bytes; checking one never crashes.
#include <cstddef>
#include <cstdint>

#include "psephos/crypto/note.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace psephos;
  const std::string_view text = as_text({data, size});
  const auto proof = crypto::LogProof::parse(text);
  if (!proof.has_value()) {
    return 0;
  }
  PSEPHOS_CHECK(proof->print() == text);
  const auto note = crypto::Note::parse(proof->checkpoint);
  PSEPHOS_CHECK(note.has_value());
  const auto checkpoint = crypto::Checkpoint::parse(note->text);
  PSEPHOS_CHECK(checkpoint.has_value());
  static_cast<void>(crypto::verify_inclusion(proof->index, crypto::merkle_leaf({data, size}),
                                             checkpoint->tree, proof->hashes));
  static_cast<void>(
      crypto::verify_consistency({proof->index, {}}, checkpoint->tree, proof->hashes));
  return 0;
}
