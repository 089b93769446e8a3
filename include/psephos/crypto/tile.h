// tlog-tiles (C2SP tlog-tiles): how a Merkle tree lies in files. Tile height 8: a tile holds the
// hashes of up to 256 subtrees of 2^(8·level) leaves each; an entry bundle holds up to 256 entries,
// each with a u16 length in front. Only paths and bytes here; no I/O. Spec: docs/spec.md §7.3.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/crypto/merkle.h"
#include "psephos/error.h"

namespace psephos::crypto {

inline constexpr unsigned kTileHeight = 8;
inline constexpr std::uint64_t kTileWidth = 256;
inline constexpr std::size_t kMaxEntryBytes = 65535;

// TileId names a tile or an entry bundle; width 256 is a full one, 1…255 a partial one.
struct TileId {
  std::uint64_t index = 0;
  std::uint32_t width = kTileWidth;
  friend bool operator==(const TileId&, const TileId&) = default;
};

// tile_path is "tile/<level>/<index>[.p/<width>]", bundle_path "tile/entries/<index>[.p/<width>]",
// the index in groups of three digits ("x001/x234/067").
[[nodiscard]] std::string tile_path(unsigned level, const TileId& id);
[[nodiscard]] std::string bundle_path(const TileId& id);
[[nodiscard]] std::string tile_index_path(std::uint64_t index);

// TileShape tells, for one level of a tree, how many full tiles there are and how wide the partial
// one is (0: none). tile_shapes lists the levels of a tree of `size` leaves, from level 0 up, none
// for an empty tree; entry bundles have the shape of level 0.
struct TileShape {
  unsigned level;
  std::uint64_t full;
  std::uint32_t partial;
  friend bool operator==(const TileShape&, const TileShape&) = default;
};
[[nodiscard]] std::vector<TileShape> tile_shapes(std::uint64_t size);

// Entry bundles. encode refuses an entry above kMaxEntryBytes and more than 256 entries
// (Errc::misuse); decode wants exactly `count` entries and not a byte more.
[[nodiscard]] Result<Bytes> encode_bundle(std::span<const Bytes> entries);
[[nodiscard]] Result<std::vector<ByteView>> decode_bundle(ByteView bundle, std::uint32_t count);

// TileReader gives the bytes of a tile; a result of another length than the tile's is refused
// (Errc::malformed).
using TileReader = std::function<Result<Bytes>(unsigned level, const TileId& id)>;

// TileStream turns a sequence of leaf hashes into the tiles of every level, calling `emit` for each
// full tile as it is completed. Memory: 8 KB a level.
class TileStream {
 public:
  using Emit = std::function<Result<void>(unsigned level, const TileId& id, ByteView hashes)>;
  explicit TileStream(Emit emit) : emit_(std::move(emit)) {}
  // append: a failed emit leaves the stream as it was; the same leaf may be appended again, and the
  // same tiles are then emitted again.
  Result<void> append(const Digest32& leaf_hash);
  // partials emits the partial tiles of the present size; the stream may go on afterwards.
  Result<void> partials() const;
  [[nodiscard]] std::uint64_t size() const { return size_; }

  // restore rebuilds the state for a tree of `size` leaves from its partial tiles. It believes
  // them: the caller compares root_of the tiles with a checkpoint.
  Result<void> restore(std::uint64_t size, const TileReader& read);

 private:
  Result<void> push(unsigned level, const Digest32& hash);
  Emit emit_;
  std::uint64_t size_ = 0;
  struct Level {
    std::uint64_t next_tile = 0;
    std::vector<Digest32> hashes;
  };
  std::vector<Level> levels_;
};

// nodes_from_tiles finds the hash of a complete subtree in the tile that covers it, as that tile
// stands in a tree of `size` leaves. Errc::misuse for a subtree that is not inside the tree.
[[nodiscard]] NodeReader nodes_from_tiles(std::uint64_t size, TileReader read_tile);

}  // namespace psephos::crypto
