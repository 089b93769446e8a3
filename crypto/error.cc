#include "psephos/error.h"

#include <cstdio>
#include <cstdlib>

namespace psephos {

std::string_view name(Errc code) {
  switch (code) {
    case Errc::malformed:
      return "malformed";
    case Errc::rejected:
      return "rejected";
    case Errc::misuse:
      return "misuse";
    case Errc::environment:
      return "environment";
  }
  return "unknown";
}

std::unexpected<Error> within(std::string_view place, const Error& error) {
  return fail(error.code, std::string(place) + ": " + error.message);
}

namespace detail {

void check_failed(const char* condition, const char* file, int line) {
  static_cast<void>(
      std::fprintf(stderr, "psephos: broken invariant at %s:%d: %s\n", file, line, condition));
  std::abort();
}

}  // namespace detail
}  // namespace psephos
