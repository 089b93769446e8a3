#include "crypto/vartime/backend_impl.h"
#include "crypto/vartime/field_pair.h"
#include "crypto/vartime/field_portable.h"

namespace psephos::crypto::vartime {

namespace {

bool is_supported() { return true; }

}  // namespace

constinit const Backend kPortable =
    make_backend<PortableField, Pair<PortableField>>("portable", is_supported);

}  // namespace psephos::crypto::vartime
