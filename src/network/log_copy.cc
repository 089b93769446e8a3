#include "src/network/log_copy.h"

#include <algorithm>
#include <set>
#include <utility>

#include "psephos/crypto/hash.h"
#include "psephos/crypto/merkle.h"
#include "psephos/crypto/tile.h"
#include "psephos/protocol/log_reader.h"

namespace psephos::network {

using protocol::LogReader;

namespace {

constexpr std::size_t kDigestBytes = 32;
// Bundles in memory at the same time: 16 MiB each, if a server wants to do harm.
constexpr std::size_t kMaxAtOnce = 16;

bool is_full_bundle(const std::string& path) {
  return path.find("/tile/entries/") != std::string::npos && path.find(".p/") == std::string::npos;
}

std::uint64_t num_bundles(std::uint64_t size) {
  return size / crypto::kTileWidth + (size % crypto::kTileWidth != 0 ? 1 : 0);
}

crypto::TileId bundle_id(std::uint64_t index, std::uint64_t size) {
  return {.index = index,
          .width = static_cast<std::uint32_t>(
              std::min(crypto::kTileWidth, size - index * crypto::kTileWidth))};
}

// WithCheckpoint is a log whose checkpoint is at hand; its other files are read from a record.
class WithCheckpoint final : public protocol::RecordSource {
 public:
  WithCheckpoint(std::string log, Bytes checkpoint, const protocol::RecordSource& others)
      : path_(std::move(log) + "/checkpoint"),
        checkpoint_(std::move(checkpoint)),
        others_(&others) {}
  [[nodiscard]] Result<Bytes> read(const std::string& path, std::size_t max) const override {
    if (path != path_) {
      return others_->read(path, max);
    }
    if (checkpoint_.size() > max) {
      return fail(Errc::malformed, path + ": is too long");
    }
    return checkpoint_;
  }
  [[nodiscard]] Result<std::vector<std::string>> list() const override { return others_->list(); }
  [[nodiscard]] bool exists(const std::string& path) const override {
    return path == path_ || others_->exists(path);
  }

 private:
  std::string path_;
  Bytes checkpoint_;
  const protocol::RecordSource* others_;
};

// How a log's newer checkpoint contradicts an older one, as far as its files prove it; nothing if
// it continues it.
std::optional<Conflict::Kind> contradiction(const Result<LogReader>& newer,
                                            const crypto::TreeHead& older) {
  const Result<bool> continues =
      newer.has_value() ? newer->continues(older) : Result<bool>(std::unexpected(newer.error()));
  if (!continues.has_value()) {
    return Conflict::Kind::unproven;
  }
  return *continues ? std::nullopt : std::optional(Conflict::Kind::forked);
}

}  // namespace

Result<Bytes> Staging::read(const std::string& path, std::size_t max) const {
  return store_->read(path, max);
}

Result<std::vector<std::string>> Staging::list() const {
  PSEPHOS_TRY(std::vector<std::string> files, store_->list());
  std::erase_if(files, is_full_bundle);
  return files;
}

bool Staging::exists(const std::string& path) const { return store_->exists(path); }

Result<void> Staging::write(const std::string& path, ByteView content) {
  return store_->write(path, content);
}

Result<void> Staging::remove(const std::string& path) { return store_->remove(path); }

Result<void> sweep(protocol::RecordStore& store, const std::string& log, const std::string& origin,
                   bool keep_bundles) {
  std::set<std::string> needed;
  if (store.exists(log + "/checkpoint")) {
    PSEPHOS_TRY(const LogReader reader, LogReader::open(store, log, origin));
    // A checkpoint in the store was published there, over files that are all there.
    reader.for_each_file([&](const std::string& file) { return needed.insert(file).second; });
  }
  PSEPHOS_TRY(const std::vector<std::string> files, store.list());
  for (const std::string& file : files) {
    if (file.starts_with(log + "/") && !needed.contains(file) &&
        !(keep_bundles && is_full_bundle(file))) {
      PSEPHOS_CHECK_OK(store.remove(file));
    }
  }
  return {};
}

LogCopy::LogCopy(Places places, std::string log, crypto::NoteVerifier key,
                 std::span<const crypto::NoteVerifier> witnesses)
    : places_(std::move(places)),
      log_(std::move(log)),
      key_(std::move(key)),
      witnesses_(witnesses.begin(), witnesses.end()),
      staging_(std::make_unique<Staging>(*places_.store)) {}

Result<std::unique_ptr<LogCopy>> LogCopy::open(Places places, std::string log,
                                               crypto::NoteVerifier key,
                                               std::span<const crypto::NoteVerifier> witnesses) {
  std::unique_ptr<LogCopy> copy(
      new LogCopy(std::move(places), std::move(log), std::move(key), witnesses));
  protocol::RecordStore& store = *copy->places_.store;
  const std::string checkpoint = copy->path("checkpoint");
  if (store.exists(checkpoint)) {
    PSEPHOS_TRY(auto files, protocol::LogFiles::open(*copy->staging_, copy->log_, copy->key_));
    copy->files_ = std::move(files);
    PSEPHOS_TRY(Bytes note, store.read(checkpoint, protocol::kMaxCheckpointBytes));
    PSEPHOS_TRY(copy->published_, copy->judge(std::move(note)));
  } else {
    PSEPHOS_CHECK_OK(sweep(store, copy->log_, copy->key_.name(), true));
    PSEPHOS_TRY(auto files,
                protocol::LogFiles::create(*copy->staging_, copy->log_, copy->key_.name()));
    copy->files_ = std::move(files);
  }
  return copy;
}

Result<LogCopy::Signed> LogCopy::judge(Bytes checkpoint) const {
  const WithCheckpoint file(log_, std::move(checkpoint), *places_.source);
  PSEPHOS_TRY(const LogReader reader, LogReader::open(file, log_, key_.name()));
  if (auto good = protocol::verify_checkpoint(reader.note(), key_, witnesses_, 0);
      !good.has_value()) {
    return within(log_, good.error());
  }
  return Signed{.note = reader.note().print(),
                .num_signatures = reader.note().signatures.size(),
                .tree = reader.tree()};
}

Result<std::optional<LogCopy::Signed>> LogCopy::fetch_checkpoint() const {
  const std::string file = path("checkpoint");
  PSEPHOS_TRY(std::optional<Bytes> note,
              places_.source->fetch(file, protocol::kMaxCheckpointBytes));
  if (!note.has_value()) {
    return std::nullopt;
  }
  auto judged = judge(*std::move(note));
  if (!judged.has_value()) {
    return within(places_.source->url(file), judged.error());
  }
  return *std::move(judged);
}

Result<bool> LogCopy::stage(unsigned max_refetches, const Visit& visit) {
  // What the log's key has signed, in the order it was seen: every one is to be met on the way.
  std::vector<Signed> heads;
  if (published_.has_value()) {
    heads.push_back(*published_);
  }
  for (unsigned refetches = 0;; ++refetches) {
    PSEPHOS_TRY(std::optional<Signed> offer, fetch_checkpoint());
    if (!offer.has_value()) {
      if (heads.empty()) {
        return false;
      }
      return fail(Errc::environment,
                  places_.source->url(path("checkpoint")) + ": is no longer there (404)");
    }
    if (!heads.empty()) {
      PSEPHOS_CHECK_OK(check_newer(heads.back(), *offer));
    }
    const bool went_on = refetches == 0 || offer->tree.size > heads.back().tree.size;
    const std::uint64_t size = offer->tree.size;
    heads.push_back(*std::move(offer));
    if (went_on) {
      PSEPHOS_TRY(const bool complete, follow(heads, visit));
      if (complete) {
        break;
      }
    }
    // The last bundle was not there: a server that goes on removes the partial ones it had.
    if (!went_on || refetches == max_refetches) {
      const crypto::TileId id = bundle_id(num_bundles(size) - 1, size);
      return fail(Errc::environment, places_.source->url(path(crypto::bundle_path(id))) +
                                         ": is not there (404), and the checkpoint asks for it");
    }
  }
  staged_ = heads.back();
  return true;
}

Result<void> LogCopy::publish() {
  PSEPHOS_CHECK(staged_.has_value());
  // Of the same tree, the note with more cosignatures is kept.
  const bool news = !published_.has_value() || staged_->tree.size > published_->tree.size ||
                    staged_->num_signatures > published_->num_signatures;
  if (news) {
    touched_ = true;
    PSEPHOS_CHECK_OK(files_->publish(staged_->note));
    published_ = std::move(staged_);
  }
  touched_ = false;
  staged_.reset();
  if (!std::exchange(swept_, true)) {
    PSEPHOS_CHECK_OK(sweep(*places_.store, log_, key_.name(), false));
  }
  return {};
}

Result<void> LogCopy::check_newer(const Signed& earlier, const Signed& later) const {
  if (later.tree.size > earlier.tree.size || later.tree == earlier.tree) {
    return {};
  }
  if (later.tree.size == earlier.tree.size) {
    return conflict(Conflict::Kind::forked, earlier, later);
  }
  std::optional<Conflict::Kind> kind;
  if (published_.has_value() && earlier.note == published_->note) {
    // The copy itself can tell.
    kind = contradiction(LogReader::open(*places_.store, log_, key_.name()), later.tree);
  } else {
    kind = compare(later, earlier);
  }
  return conflict(kind.value_or(Conflict::Kind::older), earlier, later);
}

// False if the last bundle, a partial one, is not there.
Result<bool> LogCopy::follow(std::span<const Signed> heads, const Visit& visit) {
  const std::uint64_t size = heads.back().tree.size;
  while (files_->size() < size) {
    if (places_.stop && places_.stop()) {
      return fail(Errc::environment, log_ + ": the copying was stopped");
    }
    const std::uint64_t before = files_->size();
    const std::uint64_t first = before / crypto::kTileWidth;
    const std::size_t at_once =
        std::clamp(places_.executor->concurrency(), std::size_t{1}, kMaxAtOnce);
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(at_once, num_bundles(size) - first));
    std::vector<Result<std::optional<Bytes>>> loaded(count);
    places_.executor->run(count, [&](std::size_t i) { loaded[i] = load(first + i, size); });
    for (std::size_t i = 0; i < count; ++i) {
      PSEPHOS_TRY(const std::optional<Bytes> storage, std::move(loaded[i]));
      if (!storage.has_value()) {
        const crypto::TileId id = bundle_id(first + i, size);
        if (id.width < crypto::kTileWidth) {
          return false;
        }
        return fail(Errc::environment, places_.source->url(path(crypto::bundle_path(id))) +
                                           ": is not there (404); the log's checkpoint claims " +
                                           std::to_string(size) + " entries");
      }
      const std::uint64_t start = files_->size();
      PSEPHOS_CHECK_OK(take(heads, first + i, *storage, visit));
      places_.progress(files_->size() - start, size - files_->size());
    }
  }
  return true;
}

Result<std::optional<Bytes>> LogCopy::load(std::uint64_t index, std::uint64_t size) {
  const crypto::TileId id = bundle_id(index, size);
  const std::string file = path(crypto::bundle_path(id));
  if (id.width == crypto::kTileWidth && places_.store->exists(file)) {
    used_leftovers_ = true;
    return places_.store->read(file, protocol::kMaxRecordFileBytes);
  }
  return places_.source->fetch(file, protocol::kMaxRecordFileBytes / crypto::kTileWidth * id.width);
}

Result<void> LogCopy::take(std::span<const Signed> heads, std::uint64_t index, ByteView storage,
                           const Visit& visit) {
  const std::uint64_t size = heads.back().tree.size;
  const crypto::TileId id = bundle_id(index, size);
  const std::string file = places_.source->url(path(crypto::bundle_path(id)));
  const auto entries = crypto::decode_bundle(storage, id.width);
  if (!entries.has_value()) {
    return within(file, entries.error());
  }
  const std::uint64_t first = index * crypto::kTileWidth;
  const std::uint64_t start = files_->size();
  for (std::size_t i = 0; i < entries->size(); ++i) {
    const ByteView entry = (*entries)[i];
    const std::uint64_t at = first + i;
    const auto place = [&] { return file + " entry " + std::to_string(at); };
    if (const auto payload = protocol::payload_of(entry); !payload.has_value()) {
      return within(place(), payload.error());
    }
    if (at < start) {
      // In the copy already. It is the same entry if the chain from here to the copy's end holds.
      const bool chained = at + 1 == start ? equal(crypto::sha256({entry}), files_->previous())
                                           : (*entries)[i + 1].size() > kDigestBytes &&
                                                 equal(crypto::sha256({entry}),
                                                       (*entries)[i + 1].first(kDigestBytes));
      if (!chained) {
        return does_not_fit(heads, place() + ": is not the entry that was copied before");
      }
      continue;
    }
    touched_ = true;
    auto appended = files_->append(Bytes(entry.begin(), entry.end()));
    if (!appended.has_value()) {
      if (appended.error().code != Errc::rejected) {
        return std::unexpected(appended.error());
      }
      return does_not_fit(heads,
                          place() + ": does not begin with the SHA-256 of the entry before it");
    }
    PSEPHOS_CHECK_OK(visit(at, entry));
    for (std::size_t h = 0; h < heads.size(); ++h) {
      if (heads[h].tree.size == at + 1 && heads[h].tree != files_->tree()) {
        return does_not_fit(heads.first(h + 1), places_.source->url(path("checkpoint")) +
                                                    ": its root is not that of the log's " +
                                                    std::to_string(at + 1) + " entries");
      }
    }
  }
  return {};
}

std::unexpected<Error> LogCopy::does_not_fit(std::span<const Signed> heads,
                                             const std::string& what) const {
  if (heads.size() > 1) {
    const Signed& earlier = heads[heads.size() - 2];
    if (const auto kind = compare(earlier, heads.back()); kind.has_value()) {
      return conflict(*kind, earlier, heads.back());
    }
  }
  return fail(Errc::rejected, what);
}

// How two checkpoints, the second over more entries, contradict each other: asked of the server's
// tiles, in which the second one's root is proved. Nothing if the second continues the first.
std::optional<Conflict::Kind> LogCopy::compare(const Signed& earlier, const Signed& later) const {
  const ByteView note = as_bytes(later.note);
  const WithCheckpoint record(log_, Bytes(note.begin(), note.end()), *places_.source);
  return contradiction(LogReader::open(record, log_, key_.name()), earlier.tree);
}

std::unexpected<Error> LogCopy::conflict(Conflict::Kind kind, const Signed& earlier,
                                         const Signed& later) const {
  *places_.conflict =
      Conflict{.log = log_, .kind = kind, .earlier = earlier.note, .later = later.note};
  const std::string earlier_size = std::to_string(earlier.tree.size);
  const std::string later_size = std::to_string(later.tree.size);
  std::string what;
  switch (kind) {
    case Conflict::Kind::older:
      what = "the server shows " + later_size + " entries; the log's key has signed " +
             earlier_size + " before: an old copy of the log, or entries taken back";
      break;
    case Conflict::Kind::forked:
      what = "the log's key has signed two histories: one of " + earlier_size +
             " entries, seen before, and one of " + later_size + ", which does not contain it";
      break;
    case Conflict::Kind::unproven:
      what = "the server's files do not lead from the checkpoint over " + earlier_size +
             " entries, seen before, to the one over " + later_size;
      break;
  }
  return fail(Errc::rejected, places_.source->url(path("checkpoint")) + ": " + what);
}

}  // namespace psephos::network
