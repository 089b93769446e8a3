#include "psephos/bytes.h"

#include "src/server/log.h"

void report(psephos::server::Log& log, const psephos::Digest32& code);

void report(psephos::server::Log& log, const psephos::Digest32& code) {
  using psephos::server::Event;
  using psephos::server::Field;
  using psephos::server::with;
#ifdef PSEPHOS_MISUSE
  log.write<Event::mirror_resumed>(with<Field::log>(code));
#else
  log.write<Event::mirror_resumed>(with<Field::log>(psephos::server::LogName::box(code.size())));
#endif
}
