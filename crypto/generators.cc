#include "psephos/crypto/generators.h"

#include "psephos/codec.h"
#include "psephos/crypto/hash.h"

#include "crypto/labels.h"

namespace psephos::crypto {

Point generator(std::uint32_t index) {
  Writer number;
  number.u32(index);
  return Point::from_hash(sha512({as_bytes(labels::kGenerator), number.bytes()}));
}

Generators::Generators(std::size_t count) : h_(generator(0)) {
  g_.reserve(count);
  for (std::size_t k = 0; k < count; ++k) {
    g_.push_back(generator(static_cast<std::uint32_t>(k + 1)));
  }
}

}  // namespace psephos::crypto
