#include "src/server/log.h"

void report(psephos::server::Log& log);

void report(psephos::server::Log& log) {
  using psephos::server::Event;
  using psephos::server::Field;
  using psephos::server::with;
#ifdef PSEPHOS_MISUSE
  log.write<Event::roll_imported>(with<Field::connections>(7));
#else
  log.write<Event::roll_imported>(with<Field::voters>(7));
#endif
}
