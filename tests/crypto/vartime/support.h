// What tests of crypto/vartime/ share.
#pragma once

#include <vector>

#include "psephos/crypto/point.h"

#include "crypto/vartime/backend.h"

namespace psephos::crypto::vartime {

// The back ends that this CPU can run.
inline std::vector<const Backend*> supported_backends() {
  std::vector<const Backend*> backends;
  for (const Backend* backend : {
           &kPortable,
#ifdef __x86_64__
           &kAvx2,
           &kIfma,
#endif
       }) {
    if (backend->is_supported()) {
      backends.push_back(backend);
    }
  }
  return backends;
}

inline AffinePoint affine(const Backend& backend, const Point& point) {
  AffinePoint result;
  std::uint8_t valid = 0;
  backend.decode(point.bytes().data(), 1, &result, &valid);
  PSEPHOS_CHECK(valid == 1);
  return result;
}

}  // namespace psephos::crypto::vartime
