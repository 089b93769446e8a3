// Checkpoints: what parses, prints back to the same bytes.
#include <cstddef>
#include <cstdint>

#include "psephos/crypto/note.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace psephos;
  const std::string_view text = as_text({data, size});
  if (const auto checkpoint = crypto::Checkpoint::parse(text); checkpoint.has_value()) {
    PSEPHOS_CHECK(checkpoint->print() == text);
  }
  return 0;
}
