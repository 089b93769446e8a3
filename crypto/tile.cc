#include "psephos/crypto/tile.h"

#include <algorithm>
#include <span>

#include "psephos/codec.h"

namespace psephos::crypto {

namespace {

constexpr std::size_t kHashSize = 32;

ByteView view(const std::vector<Digest32>& hashes) {
  return {reinterpret_cast<const std::uint8_t*>(hashes.data()), hashes.size() * kHashSize};
}

std::string path(const std::string& directory, const TileId& id) {
  std::string text = "tile/" + directory + "/" + tile_index_path(id.index);
  if (id.width != kTileWidth) {
    text += ".p/" + std::to_string(id.width);
  }
  return text;
}

// Root over `hashes`, whose number is a power of two.
Digest32 fold(std::vector<Digest32> hashes) {
  for (std::size_t size = hashes.size(); size > 1; size /= 2) {
    for (std::size_t i = 0; i < size / 2; ++i) {
      hashes[i] = merkle_node(hashes[2 * i], hashes[2 * i + 1]);
    }
  }
  return hashes.front();
}

// The hashes of a tile, `count` of them from `first`.
std::vector<Digest32> hashes_of(ByteView tile, std::size_t first, std::size_t count) {
  std::vector<Digest32> hashes(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::ranges::copy(tile.subspan((first + i) * kHashSize, kHashSize), hashes[i].begin());
  }
  return hashes;
}

Result<Bytes> read_checked(const TileReader& read, unsigned level, const TileId& id) {
  auto tile = read(level, id);
  if (tile.has_value() && tile->size() != id.width * kHashSize) {
    return fail(Errc::malformed, tile_path(level, id) + ": " + std::to_string(tile->size()) +
                                     " bytes, expected " + std::to_string(id.width * kHashSize));
  }
  return tile;
}

}  // namespace

std::string tile_index_path(std::uint64_t index) {
  std::string text;
  for (bool last = true; last || index > 0; last = false) {
    const std::string digits = std::to_string(1000 + index % 1000).substr(1);
    text = last ? digits : "x" + digits + "/" + text;
    index /= 1000;
  }
  return text;
}

std::string tile_path(unsigned level, const TileId& id) { return path(std::to_string(level), id); }

std::string bundle_path(const TileId& id) { return path("entries", id); }

std::vector<TileShape> tile_shapes(std::uint64_t size) {
  std::vector<TileShape> shapes;
  for (unsigned level = 0; size > 0; ++level, size /= kTileWidth) {
    shapes.push_back({level, size / kTileWidth, static_cast<std::uint32_t>(size % kTileWidth)});
  }
  return shapes;
}

Result<Bytes> encode_bundle(std::span<const Bytes> entries) {
  if (entries.size() > kTileWidth) {
    return fail(Errc::misuse,
                "an entry bundle holds at most 256 entries, not " + std::to_string(entries.size()));
  }
  Writer out;
  for (const Bytes& entry : entries) {
    if (entry.size() > kMaxEntryBytes) {
      return fail(Errc::misuse, "log entry of " + std::to_string(entry.size()) +
                                    " bytes; at most 65535 are allowed");
    }
    out.u16(static_cast<std::uint16_t>(entry.size())).raw(entry);
  }
  return std::move(out).take();
}

Result<std::vector<ByteView>> decode_bundle(ByteView bundle, std::uint32_t count) {
  Reader in(bundle);
  std::vector<ByteView> entries;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string field = "entry " + std::to_string(i) + " of the bundle";
    PSEPHOS_TRY(const std::uint16_t size, in.u16(field));
    PSEPHOS_TRY(const ByteView entry, in.raw(size, field));
    entries.push_back(entry);
  }
  PSEPHOS_CHECK_OK(in.finish("entry bundle"));
  return entries;
}

Result<void> TileStream::append(const Digest32& leaf_hash) {
  PSEPHOS_CHECK_OK(push(0, leaf_hash));
  ++size_;
  return {};
}

Result<void> TileStream::push(unsigned level, const Digest32& hash) {
  if (level == levels_.size()) {
    levels_.emplace_back();
  }
  levels_[level].hashes.push_back(hash);
  if (levels_[level].hashes.size() < kTileWidth) {
    return {};
  }
  auto done = emit_(level, {levels_[level].next_tile, kTileWidth}, view(levels_[level].hashes));
  if (done.has_value()) {
    done = push(level + 1, fold(levels_[level].hashes));
  }
  if (!done.has_value()) {
    levels_[level].hashes.pop_back();
    return done;
  }
  ++levels_[level].next_tile;
  levels_[level].hashes.clear();
  return {};
}

Result<void> TileStream::partials() const {
  for (unsigned level = 0; level < levels_.size(); ++level) {
    const Level& at = levels_[level];
    if (at.hashes.empty()) {
      continue;
    }
    PSEPHOS_CHECK_OK(emit_(level, {at.next_tile, static_cast<std::uint32_t>(at.hashes.size())},
                           view(at.hashes)));
  }
  return {};
}

Result<void> TileStream::restore(std::uint64_t size, const TileReader& read) {
  std::vector<Level> levels;
  for (const TileShape& shape : tile_shapes(size)) {
    Level level{shape.full, {}};
    if (shape.partial > 0) {
      PSEPHOS_TRY(const Bytes tile, read_checked(read, shape.level, {shape.full, shape.partial}));
      level.hashes = hashes_of(tile, 0, shape.partial);
    }
    levels.push_back(std::move(level));
  }
  levels_ = std::move(levels);
  size_ = size;
  return {};
}

NodeReader nodes_from_tiles(std::uint64_t size, TileReader read_tile) {
  return
      [size, read = std::move(read_tile)](unsigned level, std::uint64_t index) -> Result<Digest32> {
        if (level >= 64 || index >= size >> level) {
          return fail(Errc::misuse, "no subtree " + std::to_string(index) + " of height " +
                                        std::to_string(level) + " in a tree of " +
                                        std::to_string(size) + " leaves");
        }
        const unsigned tile_level = level / kTileHeight;
        const unsigned height = level % kTileHeight;
        const std::uint64_t hashes = size >> (tile_level * kTileHeight);
        const std::uint64_t first = index << height;
        TileId id{first / kTileWidth, kTileWidth};
        if (id.index == hashes / kTileWidth) {
          id.width = static_cast<std::uint32_t>(hashes % kTileWidth);
        }
        PSEPHOS_TRY(const Bytes tile, read_checked(read, tile_level, id));
        return fold(hashes_of(tile, first % kTileWidth, std::size_t{1} << height));
      };
}

}  // namespace psephos::crypto
