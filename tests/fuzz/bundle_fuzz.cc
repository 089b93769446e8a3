// Entry bundles: the first byte is the number of entries less one; what decodes, encodes back to
// the same bytes.
#include <cstddef>
#include <cstdint>

#include "psephos/crypto/tile.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace psephos;
  if (size == 0) {
    return 0;
  }
  const ByteView bundle(data + 1, size - 1);
  const auto views = crypto::decode_bundle(bundle, data[0] + 1U);
  if (views.has_value()) {
    std::vector<Bytes> entries;
    for (const ByteView view : *views) {
      entries.emplace_back(view.begin(), view.end());
    }
    PSEPHOS_CHECK(equal(crypto::encode_bundle(entries).value(), bundle));
  }
  return 0;
}
