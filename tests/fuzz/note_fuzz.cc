// Signed notes: what parses, prints back to the same bytes.
#include <cstddef>
#include <cstdint>

#include "psephos/crypto/note.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace psephos;
  static const crypto::NoteVerifier known =
      crypto::NoteVerifier::parse(
          "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
          .value();
  const std::string_view text = as_text({data, size});
  if (const auto note = crypto::Note::parse(text); note.has_value()) {
    PSEPHOS_CHECK(note->print() == text);
    static_cast<void>(note->verified_by({&known, 1}));
  }
  if (const auto key = crypto::NoteVerifier::parse(text); key.has_value()) {
    PSEPHOS_CHECK(key->vkey() == text);
  }
  return 0;
}
