#include <string>

#include "src/server/log.h"

void report(psephos::server::Log& log, const std::string& text);

void report(psephos::server::Log& log, const std::string& text) {
  using namespace psephos;          // NOLINT(google-build-using-namespace): a test
  using namespace psephos::server;  // NOLINT(google-build-using-namespace): a test
#ifdef PSEPHOS_MISUSE
  log.write<Event::failed>(with<Field::error>(text));
#else
  log.write<Event::failed>(
      with<Field::error>(SystemError(ErrorSource::files, Error{Errc::environment, text})));
#endif
}
