#include "psephos/crypto/tile.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "psephos/crypto/hash.h"

#include "tests/crypto/expect.h"
#include "tests/crypto/memory_tree.h"
#include "tests/support/seeded_random.h"
#include "tests/support/vectors.h"

namespace psephos::crypto {
namespace {

using test::fails_with;
using test::Field;
using test::is_ok;
using test::MemoryTree;
using test::must;

// The files of a log.
using Files = std::map<std::string, Bytes>;

TileStream::Emit writer(Files& files) {
  return [&files](unsigned level, const TileId& id, ByteView hashes) -> Result<void> {
    files[tile_path(level, id)] = Bytes(hashes.begin(), hashes.end());
    return {};
  };
}

TileReader reader(const Files& files) {
  return [&files](unsigned level, const TileId& id) -> Result<Bytes> {
    const auto file = files.find(tile_path(level, id));
    if (file == files.end()) {
      return fail(Errc::environment, tile_path(level, id) + " is missing");
    }
    return file->second;
  };
}

Bytes entry(std::uint64_t i) {
  const std::string text = "leaf-" + std::to_string(i);
  return {text.begin(), text.end()};
}

// The tiles of a tree of `size` numbered leaves, with its last partial ones.
Files tiles_of(std::uint64_t size) {
  Files files;
  TileStream stream(writer(files));
  for (std::uint64_t i = 0; i < size; ++i) {
    must(stream.append(merkle_leaf(entry(i))));
  }
  must(stream.partials());
  EXPECT_EQ(stream.size(), size);
  return files;
}

TEST(Tile, IndexPaths) {
  PSEPHOS_LOAD_VECTORS(items, "c2sp_tlog.json", "tile_index_paths");
  for (const Field& item : items.array()) {
    const std::uint64_t n = item["n"].u64();
    const std::string path = item["path"].str();
    EXPECT_EQ(tile_index_path(n), path);
    EXPECT_EQ(tile_path(3, {n, 256}), "tile/3/" + path);
    EXPECT_EQ(tile_path(0, {n, 7}), "tile/0/" + path + ".p/7");
    EXPECT_EQ(bundle_path({n, 256}), "tile/entries/" + path);
    EXPECT_EQ(bundle_path({n, 255}), "tile/entries/" + path + ".p/255");
  }
  EXPECT_EQ(tile_index_path(UINT64_MAX), "x018/x446/x744/x073/x709/x551/615");
}

TEST(Tile, Shapes) {
  PSEPHOS_LOAD_VECTORS(items, "c2sp_tlog.json", "tile_shapes");
  for (const Field& item : items.array()) {
    std::vector<TileShape> shapes;
    for (const Field& level : item["levels"].array()) {
      shapes.push_back({static_cast<unsigned>(level["level"].u64()), level["full"].u64(),
                        static_cast<std::uint32_t>(level["partial"].u64())});
    }
    EXPECT_EQ(tile_shapes(item["size"].u64()), shapes);
  }
  EXPECT_TRUE(tile_shapes(0).empty());
  const auto largest = tile_shapes(UINT64_MAX);
  EXPECT_EQ(largest.size(), 8U);
  EXPECT_EQ(largest.back(), (TileShape{7, 0, 255}));
}

TEST(Tile, GeneratedTree) {
  PSEPHOS_LOAD_VECTORS(generated, "rfc6962_merkle.json", "generated");
  const std::uint64_t size = generated["n"].u64();
  Files files = tiles_of(size);
  for (const Field& item : generated["tiles"].array()) {
    const auto file = files.extract(item["path"].str());
    ASSERT_FALSE(file.empty()) << item["path"].str();
    EXPECT_EQ(file.mapped().size(), 32 * item["width"].u64());
    EXPECT_EQ(hex(sha256({file.mapped()})), item["sha256"].str());
  }
  EXPECT_TRUE(files.empty()) << "more tiles than expected: " << files.begin()->first;

  std::uint64_t next = 0;
  for (const Field& item : generated["entry_bundles"].array()) {
    const std::uint64_t width = item["width"].u64();
    EXPECT_EQ(bundle_path({next / 256, static_cast<std::uint32_t>(width)}), item["path"].str());
    std::vector<Bytes> entries;
    for (std::uint64_t i = 0; i < width; ++i) {
      entries.push_back(entry(next++));
    }
    const Bytes bundle = must(encode_bundle(entries));
    EXPECT_EQ(bundle.size(), item["length"].u64());
    EXPECT_EQ(hex(sha256({bundle})), item["sha256"].str());
    const auto decoded = must(decode_bundle(bundle, static_cast<std::uint32_t>(width)));
    ASSERT_EQ(decoded.size(), entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      EXPECT_TRUE(equal(decoded[i], entries[i]));
    }
  }
  EXPECT_EQ(next, size);
  for (const char* key : {"roots", "inclusion", "consistency"}) {
    generated.ignore(key, "merkle_test");
  }
}

TEST(Tile, StreamMatchesTreeAtEverySize) {
  constexpr std::uint64_t kSize = 600;
  MemoryTree tree;
  Files files;
  TileStream stream(writer(files));
  for (std::uint64_t size = 1; size <= kSize; ++size) {
    tree.append(merkle_leaf(entry(size - 1)));
    must(stream.append(tree.leaf(size - 1)));
    must(stream.partials());
    const NodeReader nodes = nodes_from_tiles(size, reader(files));
    ASSERT_EQ(must(root_of(size, nodes)), tree.root(size)) << size;
    for (const std::uint64_t index : {std::uint64_t{0}, size / 2, size - 1}) {
      ASSERT_EQ(must(inclusion_proof(index, size, nodes)),
                must(inclusion_proof(index, size, tree.nodes())));
    }
    ASSERT_EQ(must(consistency_proof(size / 2 + 1, size, nodes)),
              must(consistency_proof(size / 2 + 1, size, tree.nodes())));
  }
}

TEST(Tile, StreamOfThreeLevels) {
  const std::uint64_t size = 65536 + 256 + 3;
  Files files;
  MerkleFrontier frontier;
  TileStream stream(writer(files));
  const Digest32 leaf = merkle_leaf(entry(0));
  for (std::uint64_t i = 0; i < size; ++i) {
    frontier.append(leaf);
    must(stream.append(leaf));
  }
  must(stream.partials());
  std::size_t num_tiles = 0;
  for (const TileShape& shape : tile_shapes(size)) {
    num_tiles += shape.full + (shape.partial > 0 ? 1 : 0);
  }
  EXPECT_EQ(files.size(), num_tiles);
  EXPECT_EQ(must(root_of(size, nodes_from_tiles(size, reader(files)))), frontier.head().root);
  EXPECT_TRUE(files.contains("tile/2/000.p/1"));
}

TEST(Tile, RestoreContinuesAsIfNeverStopped) {
  test::SeededRandom random;
  const std::uint64_t end = 1100;
  const Files whole = tiles_of(end);
  std::vector<std::uint64_t> stops = {0, 1, 255, 256, 257, 511, 512, 1024, 1100};
  for (std::size_t i = 0; i < test::iterations(10); ++i) {
    stops.push_back(random.below(end));
  }
  for (const std::uint64_t stop : stops) {
    Files files = tiles_of(stop);
    TileStream stream(writer(files));
    must(stream.restore(stop, reader(files)));
    EXPECT_EQ(stream.size(), stop);
    for (std::uint64_t i = stop; i < end; ++i) {
      must(stream.append(merkle_leaf(entry(i))));
    }
    must(stream.partials());
    // Left over are the partial tiles of the stop only.
    for (const auto& [path, tile] : whole) {
      EXPECT_EQ(files[path], tile) << path << " after a stop at " << stop;
    }
  }
}

TEST(Tile, RestoreRefusesMissingAndMisshapenTiles) {
  const Files files = tiles_of(700);
  for (const auto& [path, tile] : files) {
    if (path.find(".p/") == std::string::npos) {
      continue;
    }
    Files damaged = files;
    damaged.erase(path);
    TileStream stream(writer(damaged));
    EXPECT_TRUE(fails_with(Errc::environment, stream.restore(700, reader(damaged))));
    damaged[path] = Bytes(tile.begin(), tile.end() - 1);
    EXPECT_TRUE(fails_with(Errc::malformed, stream.restore(700, reader(damaged))));
    damaged[path] = tile;
    damaged[path].push_back(0);
    EXPECT_TRUE(fails_with(Errc::malformed, stream.restore(700, reader(damaged))));
    damaged[path].clear();
    EXPECT_TRUE(fails_with(Errc::malformed, stream.restore(700, reader(damaged))));
    EXPECT_EQ(stream.size(), 0U);
  }
}

TEST(Tile, FailedEmitCanBeTriedAgain) {
  Files files;
  int failures = 3;
  const TileStream::Emit write = writer(files);
  TileStream stream([&](unsigned level, const TileId& id, ByteView hashes) -> Result<void> {
    // The tile of the upper level fails, after the one below has been written.
    if (level == 1 && failures-- > 0) {
      return fail(Errc::environment, "disk full");
    }
    return write(level, id, hashes);
  });
  const std::uint64_t size = 65536;
  for (std::uint64_t i = 0; i + 1 < size; ++i) {
    must(stream.append(merkle_leaf(entry(i))));
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(fails_with(Errc::environment, stream.append(merkle_leaf(entry(size - 1)))));
    EXPECT_EQ(stream.size(), size - 1);
  }
  must(stream.append(merkle_leaf(entry(size - 1))));
  must(stream.partials());
  EXPECT_EQ(files, tiles_of(size));
}

TEST(Tile, NodesOutsideTheTreeAreRefused) {
  const Files files = tiles_of(300);
  const NodeReader nodes = nodes_from_tiles(300, reader(files));
  EXPECT_TRUE(is_ok(nodes(0, 299)));
  EXPECT_TRUE(is_ok(nodes(8, 0)));
  EXPECT_TRUE(fails_with(Errc::misuse, nodes(0, 300)));
  EXPECT_TRUE(fails_with(Errc::misuse, nodes(2, 75)));
  EXPECT_TRUE(fails_with(Errc::misuse, nodes(8, 1)));
  EXPECT_TRUE(fails_with(Errc::misuse, nodes(9, 0)));
  EXPECT_TRUE(fails_with(Errc::misuse, nodes(64, 0)));
  EXPECT_TRUE(fails_with(Errc::misuse, nodes(8, UINT64_MAX)));
  EXPECT_TRUE(fails_with(Errc::misuse, nodes_from_tiles(0, reader(files))(0, 0)));
  Files damaged = files;
  damaged["tile/0/000"].pop_back();
  EXPECT_TRUE(fails_with(Errc::malformed, nodes_from_tiles(300, reader(damaged))(0, 0)));
}

TEST(Bundle, RefusesWhatItCannotHold) {
  EXPECT_TRUE(is_ok(encode_bundle(std::vector<Bytes>{Bytes(65535)})));
  EXPECT_TRUE(fails_with(Errc::misuse, encode_bundle(std::vector<Bytes>{Bytes(65536)})));
  EXPECT_TRUE(is_ok(encode_bundle(std::vector<Bytes>(256))));
  EXPECT_TRUE(fails_with(Errc::misuse, encode_bundle(std::vector<Bytes>(257))));
}

TEST(Bundle, WantsExactlyItsEntries) {
  const std::vector<Bytes> entries = {{1, 2, 3}, {}, {4}};
  const Bytes bundle = must(encode_bundle(entries));
  EXPECT_EQ(bundle, (Bytes{0, 3, 1, 2, 3, 0, 0, 0, 1, 4}));
  EXPECT_EQ(must(decode_bundle(bundle, 3)).size(), 3U);
  EXPECT_TRUE(fails_with(Errc::malformed, decode_bundle(bundle, 2)));
  EXPECT_TRUE(fails_with(Errc::malformed, decode_bundle(bundle, 4)));
  EXPECT_TRUE(fails_with(Errc::malformed, decode_bundle(bundle, 0)));
  for (std::size_t size = 0; size < bundle.size(); ++size) {
    EXPECT_TRUE(fails_with(Errc::malformed, decode_bundle(ByteView(bundle).first(size), 3)));
  }
  Bytes longer = bundle;
  longer.push_back(0);
  EXPECT_TRUE(fails_with(Errc::malformed, decode_bundle(longer, 3)));
  EXPECT_TRUE(must(decode_bundle({}, 0)).empty());
}

}  // namespace
}  // namespace psephos::crypto
