#include "crypto/vartime/backend_impl.h"
#include "crypto/vartime/field_avx2.h"

namespace psephos::crypto::vartime {

namespace {

bool is_supported() { return __builtin_cpu_supports("avx2") != 0; }

}  // namespace

constinit const Backend kAvx2 = make_backend<Avx2Field, Avx2Field>("avx2", is_supported);

}  // namespace psephos::crypto::vartime
