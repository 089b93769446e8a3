// What is done to stores beside serving: checking, copying, exporting anew.
#pragma once

#include <filesystem>

#include "psephos/error.h"

#include "src/server/config.h"

namespace psephos::server {

// check_stores compares every store with itself, with the signed checkpoints in it, and with the
// published files, of which it changes nothing: they may be evidence. Says on standard output what
// is sound; Errc::rejected with what is not. Errc::environment if a server uses a store.
Result<void> check_stores(const Config& config);

// backup_stores copies every store into a directory, also while a server uses it. A copy has its
// election's id in its name; one that is there already is not replaced.
Result<void> backup_stores(const Config& config, const std::filesystem::path& directory);

// export_stores writes the published files of every store's logs anew, after the same checks but
// that of the files: for files that were damaged or lost.
Result<void> export_stores(const Config& config);

}  // namespace psephos::server
