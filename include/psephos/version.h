// The version of the library. The version of the wire and proof formats is another thing: it is the
// "v1" in every domain-separation string (docs/spec.md §2).
#pragma once

#include <string_view>

namespace psephos {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace psephos
