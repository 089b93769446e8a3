// Text on standard output and standard error. A failed write shows in the stream's state; main
// looks at that of standard output once, at the end.
#pragma once

#include <cstdio>
#include <string_view>

namespace psephos::cli {

inline void say(std::string_view text) {
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stdout));
}
inline void complain(std::string_view text) {
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
}

}  // namespace psephos::cli
