#include "crypto/vartime/backend_impl.h"
#include "crypto/vartime/field_ifma.h"
#include "crypto/vartime/field_pair.h"

namespace psephos::crypto::vartime {

namespace {

bool is_supported() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512ifma") != 0;
}

}  // namespace

constinit const Backend kIfma = make_backend<IfmaField, Pair<IfmaField>>("ifma", is_supported);

}  // namespace psephos::crypto::vartime
