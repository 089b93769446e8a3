// Manifests: whatever the bytes, an error or a manifest all of whose entries fit a log.
#include <cstddef>
#include <cstdint>

#include "psephos/crypto/tile.h"
#include "psephos/protocol/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace psephos;
  const ByteView bytes(data, size);
  const auto manifest = protocol::Manifest::parse(bytes);
  if (!manifest.has_value()) {
    PSEPHOS_CHECK(manifest.error().code == Errc::malformed && !manifest.error().message.empty());
    return 0;
  }
  PSEPHOS_CHECK(equal(manifest->file, bytes));
  PSEPHOS_CHECK(manifest->threshold >= 1 && manifest->threshold <= manifest->num_trustees());
  for (std::uint32_t style = 0; style < manifest->num_styles(); ++style) {
    PSEPHOS_CHECK(manifest->ballot_entry_size(style) <= crypto::kMaxEntryBytes);
    PSEPHOS_CHECK(manifest->challenge_entry_size(style) <= crypto::kMaxEntryBytes);
    std::size_t next = 0;
    for (const std::uint32_t contest : manifest->styles[style].contests) {
      PSEPHOS_CHECK(manifest->first_option(style, contest) == next);
      next += manifest->contests[contest].options.size();
    }
    PSEPHOS_CHECK(next == manifest->styles[style].form.num_options());
  }
  return 0;
}
