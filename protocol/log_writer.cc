#include "psephos/protocol/log_writer.h"

#include <algorithm>
#include <set>

#include "psephos/crypto/hash.h"

namespace psephos::protocol {

namespace {

std::string in_log(const std::string& log, const std::string& file) { return log + "/" + file; }

bool is_partial(const std::string& path) { return path.find(".p/") != std::string::npos; }

}  // namespace

Result<LogWriter> LogWriter::create(RecordStore& store, std::string log,
                                    std::shared_ptr<const crypto::NoteSigner> signer) {
  if (store.exists(in_log(log, "checkpoint"))) {
    return fail(Errc::misuse, log + ": the log exists already");
  }
  LogWriter writer;
  writer.store_ = &store;
  writer.log_ = std::move(log);
  writer.signer_ = std::move(signer);
  writer.previous_ = chain_start(writer.signer_->verifier().name());
  writer.start_tiles();
  PSEPHOS_CHECK_OK(writer.publish());
  return writer;
}

Result<LogWriter> LogWriter::open(RecordStore& store, std::string log,
                                  std::shared_ptr<const crypto::NoteSigner> signer) {
  const std::string& origin = signer->verifier().name();
  PSEPHOS_TRY(const LogReader reader, LogReader::open(store, log, origin));
  PSEPHOS_CHECK_OK(reader.note().verified_by(std::span(&signer->verifier(), 1)));

  LogWriter writer;
  writer.store_ = &store;
  writer.log_ = std::move(log);
  writer.signer_ = std::move(signer);
  writer.previous_ = chain_start(origin);
  writer.start_tiles();

  // The whole log is read and checked: a writer that went on from damaged files would sign them.
  LogAudit audit(reader);
  for (std::uint64_t i = 0; i < reader.num_bundles(); ++i) {
    PSEPHOS_TRY(const LogReader::Bundle bundle, reader.bundle(i));
    if (auto sound = audit.append(reader.audit(bundle)); !sound.has_value()) {
      return within(writer.log_, sound.error());
    }
    writer.pending_.clear();
    for (const ByteView entry : bundle.entries) {
      writer.previous_ = crypto::sha256({entry});
      writer.frontier_.append(crypto::merkle_leaf(entry));
      writer.pending_.emplace_back(entry.begin(), entry.end());
    }
    if (writer.pending_.size() == crypto::kTileWidth) {
      writer.pending_.clear();
    }
  }
  if (auto sound = audit.finish(); !sound.has_value()) {
    return within(writer.log_, sound.error());
  }
  PSEPHOS_CHECK_OK(writer.tiles_->restore(reader.tree().size, [&](unsigned level,
                                                                  const crypto::TileId& id) {
    return store.read(in_log(writer.log_, crypto::tile_path(level, id)), crypto::kTileWidth * 32);
  }));

  // Files beyond the checkpoint are what a machine that died left behind.
  std::set<std::string> needed;
  reader.for_each_file([&](const std::string& file) { return needed.insert(file).second; });
  PSEPHOS_TRY(const std::vector<std::string> present, store.list());
  for (const std::string& path : present) {
    if (!path.starts_with(writer.log_ + "/")) {
      continue;
    }
    if (!needed.contains(path)) {
      PSEPHOS_CHECK_OK(store.remove(path));
    } else if (is_partial(path)) {
      writer.published_partials_.push_back(path);
    }
  }
  return writer;
}

void LogWriter::start_tiles() {
  tiles_ = std::make_unique<crypto::TileStream>(
      [store = store_, log = log_](unsigned level, const crypto::TileId& id, ByteView hashes) {
        return store->write(in_log(log, crypto::tile_path(level, id)), hashes);
      });
}

Result<std::uint64_t> LogWriter::append(ByteView payload) {
  const std::uint64_t index = tiles_->size();
  Bytes entry(previous_.begin(), previous_.end());
  entry.insert(entry.end(), payload.begin(), payload.end());
  if (payload.empty() || entry.size() > crypto::kMaxEntryBytes) {
    return fail(Errc::misuse, log_ + ": an entry of " + std::to_string(entry.size()) +
                                  " bytes; it must have 33 to 65535");
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

Result<void> LogWriter::write_bundle() {
  PSEPHOS_TRY(const Bytes bundle, crypto::encode_bundle(pending_));
  const std::uint64_t first = frontier_.size() - pending_.size();
  return store_->write(
      in_log(log_, crypto::bundle_path(
                       {first / crypto::kTileWidth, static_cast<std::uint32_t>(pending_.size())})),
      bundle);
}

Result<std::string> LogWriter::publish() {
  if (!pending_.empty()) {
    PSEPHOS_CHECK_OK(write_bundle());
  }
  PSEPHOS_CHECK_OK(tiles_->partials());
  const crypto::Checkpoint checkpoint{
      .origin = signer_->verifier().name(), .tree = frontier_.head(), .extensions = {}};
  PSEPHOS_TRY(std::string note, signer_->sign(checkpoint.print()));
  PSEPHOS_CHECK_OK(store_->write(in_log(log_, "checkpoint"), as_bytes(note)));

  std::vector<std::string> partials;
  for (const crypto::TileShape& shape : crypto::tile_shapes(frontier_.size())) {
    if (shape.partial == 0) {
      continue;
    }
    partials.push_back(in_log(log_, crypto::tile_path(shape.level, {shape.full, shape.partial})));
    if (shape.level == 0) {
      partials.push_back(in_log(log_, crypto::bundle_path({shape.full, shape.partial})));
    }
  }
  for (const std::string& path : published_partials_) {
    if (std::ranges::find(partials, path) == partials.end()) {
      PSEPHOS_CHECK_OK(store_->remove(path));
    }
  }
  published_partials_ = std::move(partials);
  return note;
}

}  // namespace psephos::protocol
