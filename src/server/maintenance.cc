#include "src/server/maintenance.h"

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "psephos/crypto/batch_evaluator.h"
#include "psephos/protocol/box.h"
#include "psephos/protocol/log.h"
#include "psephos/random.h"

#include "src/server/election_record.h"
#include "src/server/exporter.h"
#include "src/store/sqlite_store.h"

namespace psephos::server {

namespace {

using protocol::Manifest;

// One store of a configuration, with the logs in it.
struct Place {
  std::shared_ptr<ElectionRecord> record;
  std::filesystem::path store;
  std::vector<std::string> logs;
};

Result<std::vector<Place>> places(const Config& config, const crypto::Evaluator& evaluator) {
  std::vector<Place> found;
  for (const ElectionConfig& election : config.elections) {
    PSEPHOS_TRY(const auto record, ElectionRecord::open(election.record, evaluator));
    if (election.box.has_value()) {
      std::vector<std::string> logs;
      for (const std::uint32_t shard : election.box->shards.empty()
                                           ? protocol::all_shards(record->manifest())
                                           : election.box->shards) {
        logs.push_back(Manifest::box_log(shard));
      }
      found.push_back({.record = record, .store = election.box->store, .logs = std::move(logs)});
    }
    for (const RegistrarConfig& registrar : election.registrars) {
      found.push_back({.record = record,
                       .store = registrar.store,
                       .logs = {Manifest::roll_log(registrar.index)}});
    }
  }
  return found;
}

Result<void> for_each_place(const Config& config,
                            const std::function<Result<void>(const Place&)>& work) {
  SystemRandom random;
  const crypto::BatchEvaluator evaluator(random);
  PSEPHOS_TRY(const std::vector<Place> all, places(config, evaluator));
  for (const Place& place : all) {
    PSEPHOS_CHECK_OK(work(place));
  }
  return {};
}

// Opens a store and compares it with itself and with its signed checkpoints.
Result<std::unique_ptr<store::SqliteStore>> open_sound(const Place& place) {
  PSEPHOS_TRY(auto store, store::SqliteStore::open(place.store, place.record->election()->id()));
  PSEPHOS_TRY(const std::vector<std::string> problems, store->integrity());
  if (!problems.empty()) {
    std::string all;
    for (const std::string& problem : problems) {
      all += (all.empty() ? "" : "; ") + problem;
    }
    return fail(Errc::rejected, place.store.string() + ": " + all);
  }
  for (const std::string& log : place.logs) {
    PSEPHOS_TRY(const crypto::NoteVerifier key, place.record->election()->log_verifier(log));
    const auto tree = protocol::Log::check(*store, log, key);
    if (!tree.has_value()) {
      return within(place.store.string(), tree.error());
    }
    std::printf("%s: %s: %llu entries, as signed\n", place.store.c_str(), log.c_str(),
                static_cast<unsigned long long>(tree->size));
  }
  return store;
}

}  // namespace

Result<void> check_stores(const Config& config) {
  return for_each_place(config, [](const Place& place) -> Result<void> {
    PSEPHOS_TRY(const auto store, open_sound(place));
    for (const std::string& log : place.logs) {
      PSEPHOS_TRY(const crypto::NoteVerifier key, place.record->election()->log_verifier(log));
      PSEPHOS_TRY(const std::uint64_t published,
                  check_published(*store, place.record->files(), log, key));
      std::printf("%s: %s: the published files hold its first %llu entries\n", place.store.c_str(),
                  log.c_str(), static_cast<unsigned long long>(published));
    }
    return {};
  });
}

Result<void> backup_stores(const Config& config, const std::filesystem::path& directory) {
  return for_each_place(config, [&](const Place& place) -> Result<void> {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    const std::filesystem::path copy =
        directory / (place.record->id() + "-" + place.store.filename().string());
    PSEPHOS_CHECK_OK(store::SqliteStore::backup(place.store, place.record->election()->id(), copy));
    std::printf("%s\n", copy.c_str());
    return {};
  });
}

Result<void> export_stores(const Config& config) {
  return for_each_place(config, [](const Place& place) -> Result<void> {
    PSEPHOS_TRY(const auto store, open_sound(place));
    // What is there may be damaged: it goes, and is made anew. The store was found sound, but may
    // be an older copy: a checkpoint that was published and is beyond it is not taken back.
    runtime::DirectoryRecord& files = place.record->files();
    for (const std::string& log : place.logs) {
      PSEPHOS_TRY(const crypto::NoteVerifier key, place.record->election()->log_verifier(log));
      PSEPHOS_CHECK_OK(not_beyond(*store, files, log, key));
      PSEPHOS_TRY(const auto present, files.list());
      for (const std::string& path : present) {
        if (path.starts_with(log + "/")) {
          PSEPHOS_CHECK_OK(files.remove(path));
        }
      }
    }
    PSEPHOS_TRY(Exporter exporter,
                Exporter::open(place.record->election(), *store, files, place.logs));
    PSEPHOS_CHECK_OK(exporter.run());
    for (const std::string& log : place.logs) {
      std::printf("%s: %s: %llu entries written\n", place.store.c_str(), log.c_str(),
                  static_cast<unsigned long long>(exporter.exported(log)));
    }
    return {};
  });
}

}  // namespace psephos::server
