#include <string>

#include "src/server/log.h"

void report(psephos::server::Log& log, const std::string& voter);

void report(psephos::server::Log& log, const std::string& voter) {
  using psephos::server::Event;
  using psephos::server::Field;
  using psephos::server::with;
#ifdef PSEPHOS_MISUSE
  log.write<Event::roll_imported>(with<Field::voters>(voter));
#else
  log.write<Event::roll_imported>(with<Field::voters>(voter.size()));
#endif
}
