#include "psephos/protocol/log_files.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "psephos/crypto/hash.h"
#include "psephos/protocol/log_reader.h"

namespace psephos::protocol {

namespace {

bool is_partial(const std::string& path) { return path.find(".p/") != std::string::npos; }

}  // namespace

LogFiles::LogFiles(RecordStore& store, std::string log, std::string origin)
    : store_(&store),
      log_(std::move(log)),
      origin_(std::move(origin)),
      previous_(chain_start(origin_)),
      tiles_(std::make_unique<crypto::TileStream>(
          [store = store_, log = log_](unsigned level, const crypto::TileId& id, ByteView hashes) {
            return store->write(log + "/" + crypto::tile_path(level, id), hashes);
          })) {}

Result<LogFiles> LogFiles::create(RecordStore& store, std::string log, std::string origin) {
  if (store.exists(log + "/checkpoint")) {
    return fail(Errc::misuse, log + ": the log exists already");
  }
  LogFiles files(store, std::move(log), std::move(origin));
  // What a machine left behind that died before the first checkpoint: full tiles and bundles will
  // be written again, partial ones perhaps with another width.
  PSEPHOS_TRY(const std::vector<std::string> present, store.list());
  std::ranges::copy_if(present, std::back_inserter(files.published_partials_),
                       [&](const std::string& path) {
                         return path.starts_with(files.path("")) && is_partial(path);
                       });
  return files;
}

Result<LogFiles> LogFiles::open(RecordStore& store, std::string log,
                                const crypto::NoteVerifier& log_key) {
  PSEPHOS_TRY(const LogReader reader, LogReader::open(store, log, log_key.name()));
  PSEPHOS_CHECK_OK(reader.note().verified_by(std::span(&log_key, 1)));

  LogFiles files(store, std::move(log), log_key.name());
  LogAudit audit(reader);
  for (std::uint64_t i = 0; i < reader.num_bundles(); ++i) {
    PSEPHOS_TRY(const LogReader::Bundle bundle, reader.bundle(i));
    if (auto sound = audit.append(reader.audit(bundle)); !sound.has_value()) {
      return within(files.log_, sound.error());
    }
    files.pending_.clear();
    for (const ByteView entry : bundle.entries) {
      files.previous_ = crypto::sha256({entry});
      files.frontier_.append(crypto::merkle_leaf(entry));
      files.pending_.emplace_back(entry.begin(), entry.end());
    }
    if (files.pending_.size() == crypto::kTileWidth) {
      files.pending_.clear();
    }
  }
  if (auto sound = audit.finish(); !sound.has_value()) {
    return within(files.log_, sound.error());
  }
  PSEPHOS_CHECK_OK(
      files.tiles_->restore(reader.tree().size, [&](unsigned level, const crypto::TileId& id) {
        return store.read(files.path(crypto::tile_path(level, id)), crypto::kTileWidth * 32);
      }));

  // Files beyond the checkpoint are what a machine that died left behind.
  std::set<std::string> needed;
  reader.for_each_file([&](const std::string& file) { return needed.insert(file).second; });
  PSEPHOS_TRY(const std::vector<std::string> present, store.list());
  for (const std::string& path : present) {
    if (!path.starts_with(files.log_ + "/")) {
      continue;
    }
    if (!needed.contains(path)) {
      PSEPHOS_CHECK_OK(store.remove(path));
    } else if (is_partial(path)) {
      files.published_partials_.push_back(path);
    }
  }
  return files;
}

Result<std::uint64_t> LogFiles::append(Bytes entry) {
  const std::uint64_t index = tiles_->size();
  if (entry.size() <= previous_.size() || entry.size() > crypto::kMaxEntryBytes) {
    return fail(Errc::misuse, log_ + ": an entry of " + std::to_string(entry.size()) +
                                  " bytes; it must have 33 to 65535");
  }
  if (!equal(ByteView(entry).first(previous_.size()), previous_)) {
    return fail(Errc::rejected, log_ + ": entry " + std::to_string(index) +
                                    " does not begin with the hash of the one before");
  }
  const Digest32 leaf = crypto::merkle_leaf(entry);
  previous_ = crypto::sha256({entry});
  pending_.push_back(std::move(entry));
  frontier_.append(leaf);
  if (pending_.size() == crypto::kTileWidth) {
    PSEPHOS_CHECK_OK(write_bundle());
    pending_.clear();
  }
  PSEPHOS_CHECK_OK(tiles_->append(leaf));
  return index;
}

Result<void> LogFiles::write_bundle() {
  PSEPHOS_TRY(const Bytes bundle, crypto::encode_bundle(pending_));
  const std::uint64_t first = frontier_.size() - pending_.size();
  return store_->write(path(crypto::bundle_path({first / crypto::kTileWidth,
                                                 static_cast<std::uint32_t>(pending_.size())})),
                       bundle);
}

Result<void> LogFiles::publish(std::string_view checkpoint) {
  PSEPHOS_TRY(const crypto::Note note, crypto::Note::parse(checkpoint));
  PSEPHOS_TRY(const crypto::Checkpoint parsed, crypto::Checkpoint::parse(note.text));
  if (parsed.origin != origin_ || parsed.tree != tree() || !parsed.extensions.empty()) {
    return fail(Errc::rejected, log_ + ": the checkpoint of " + printable(parsed.origin) +
                                    " with " + std::to_string(parsed.tree.size) +
                                    " entries is not that of these " + std::to_string(size()) +
                                    " entries");
  }
  if (!pending_.empty()) {
    PSEPHOS_CHECK_OK(write_bundle());
  }
  PSEPHOS_CHECK_OK(tiles_->partials());
  PSEPHOS_CHECK_OK(store_->write(path("checkpoint"), as_bytes(checkpoint)));

  std::vector<std::string> partials;
  for (const crypto::TileShape& shape : crypto::tile_shapes(frontier_.size())) {
    if (shape.partial == 0) {
      continue;
    }
    partials.push_back(path(crypto::tile_path(shape.level, {shape.full, shape.partial})));
    if (shape.level == 0) {
      partials.push_back(path(crypto::bundle_path({shape.full, shape.partial})));
    }
  }
  for (const std::string& former : published_partials_) {
    if (std::ranges::find(partials, former) == partials.end()) {
      PSEPHOS_CHECK_OK(store_->remove(former));
    }
  }
  published_partials_ = std::move(partials);
  return {};
}

}  // namespace psephos::protocol
