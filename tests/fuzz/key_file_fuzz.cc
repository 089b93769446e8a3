// Sealed files: nothing opens under a password nobody used.
#include <cstddef>
#include <cstdint>

#include "psephos/codec.h"
#include "psephos/crypto/key_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

// Whether the file, if it is one of kind "fuzz", asks for a cost that is cheap enough to pay often.
bool is_cheap(psephos::ByteView file) {
  psephos::Reader in(file);
  static_cast<void>(in.raw(22 + 1 + 4, "magic and kind"));
  const auto passes = in.u32("passes");
  const auto memory_bytes = in.u64("memory");
  return !memory_bytes.has_value() || *passes > 16 || *memory_bytes > std::uint64_t{1} << 30 ||
         (*passes == 1 && *memory_bytes <= 65536);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace psephos;
  static const SecretBuffer password(as_bytes("the password of no file"));
  if (is_cheap({data, size})) {
    PSEPHOS_CHECK(!crypto::open_file("fuzz", {data, size}, password).has_value());
  }
  return 0;
}
