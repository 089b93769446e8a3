#include "psephos/crypto/merkle.h"

#include <bit>
#include <string>
#include <utility>

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

using Proof = std::vector<Digest32>;

Digest32 digest(const Field& field) { return must(unhex32(field.str())); }

Proof proof_of(const Field& field) {
  Proof proof;
  for (const Field& hash : field.array()) {
    proof.push_back(digest(hash));
  }
  return proof;
}

MemoryTree numbered_tree(std::uint64_t size) {
  MemoryTree tree;
  for (std::uint64_t i = 0; i < size; ++i) {
    tree.append(merkle_leaf(as_bytes("leaf-" + std::to_string(i))));
  }
  return tree;
}

// The verdict on a case whose hashes may be of the wrong length: those cannot even be stated.
template <class Verify>
bool verdict(const Field& proof, const std::vector<Field>& hashes, Verify verify) {
  std::vector<Digest32> values;
  bool stated = true;
  for (const Field& hash : hashes) {
    const auto value = unhex32(hash.str());
    stated = stated && value.has_value();
    values.push_back(value.value_or(Digest32{}));
  }
  Proof path;
  for (const Field& hash : proof.array()) {
    const auto value = unhex32(hash.str());
    stated = stated && value.has_value();
    path.push_back(value.value_or(Digest32{}));
  }
  return stated && verify(values, path).has_value();
}

TEST(Merkle, ReferenceTree) {
  PSEPHOS_LOAD_VECTORS(inputs, "rfc6962_merkle.json", "leaf_inputs");
  PSEPHOS_LOAD_VECTORS(roots, "rfc6962_merkle.json", "roots");
  PSEPHOS_LOAD_VECTORS(nodes, "rfc6962_merkle.json", "node_hashes");
  MemoryTree tree;
  MerkleFrontier frontier;
  EXPECT_EQ(frontier.head(), (TreeHead{0, digest(roots.root()[0])}));
  EXPECT_EQ(must(root_of(0, tree.nodes())), digest(roots.root()[0]));
  std::size_t size = 0;
  for (const Field& input : inputs.array()) {
    const Digest32 leaf = merkle_leaf(input.hex());
    tree.append(leaf);
    frontier.append(leaf);
    ++size;
    EXPECT_EQ(frontier.head(), (TreeHead{size, digest(roots.root()[size])}));
    EXPECT_EQ(tree.root(size), digest(roots.root()[size]));
    EXPECT_EQ(must(root_of(size, tree.nodes())), digest(roots.root()[size]));
  }
  EXPECT_EQ(roots.array().size(), size + 1);
  unsigned level = 0;
  for (const Field& row : nodes.array()) {
    std::uint64_t index = 0;
    for (const Field& node : row.array()) {
      EXPECT_EQ(must(tree.nodes()(level, index++)), digest(node));
    }
    ++level;
  }
}

TEST(Merkle, ReferenceProofs) {
  PSEPHOS_LOAD_VECTORS(inputs, "rfc6962_merkle.json", "leaf_inputs");
  PSEPHOS_LOAD_VECTORS(inclusions, "rfc6962_merkle.json", "inclusion");
  PSEPHOS_LOAD_VECTORS(consistencies, "rfc6962_merkle.json", "consistency");
  MemoryTree tree;
  for (const Field& input : inputs.array()) {
    tree.append(merkle_leaf(input.hex()));
  }
  for (const Field& item : inclusions.array()) {
    const std::uint64_t index = item["index"].u64();
    const TreeHead head{item["size"].u64(), digest(item["root"])};
    const Proof proof = proof_of(item["proof"]);
    EXPECT_EQ(tree.leaf(index), digest(item["leaf_hash"]));
    EXPECT_EQ(must(inclusion_proof(index, head.size, tree.nodes())), proof);
    EXPECT_TRUE(is_ok(verify_inclusion(index, tree.leaf(index), head, proof)));
  }
  for (const Field& item : consistencies.array()) {
    const TreeHead older{item["size1"].u64(), digest(item["root1"])};
    const TreeHead newer{item["size2"].u64(), digest(item["root2"])};
    const Proof proof = proof_of(item["proof"]);
    EXPECT_EQ(must(consistency_proof(older.size, newer.size, tree.nodes())), proof);
    EXPECT_TRUE(is_ok(verify_consistency(older, newer, proof)));
  }
}

TEST(Merkle, PublishedVerifierCases) {
  PSEPHOS_LOAD_VECTORS(cases, "rfc6962_merkle.json", "cases");
  std::size_t num_valid = 0;
  std::size_t num_invalid = 0;
  const auto expect = [&](const Field& item, bool verdict) {
    const std::string what = item["file"].str() + ": " + item["desc"].str();
    // Where both roots are not hashes but equal, the published verifier does not look at them;
    // there the file has a note, and a TreeHead cannot hold such a root.
    const bool other = item.has("note");
    if (other) {
      item.ignore("note", "read above");
    }
    const bool valid = item["valid"].boolean() && !other;
    EXPECT_EQ(verdict, valid) << what;
    ++(valid ? num_valid : num_invalid);
  };
  for (const Field& item : cases["inclusion"].array()) {
    const std::uint64_t index = item["index"].u64();
    const std::uint64_t size = item["size"].u64();
    expect(item, verdict(item["proof"], {item["leaf_hash"], item["root"]},
                         [&](const auto& hashes, const Proof& proof) {
                           return verify_inclusion(index, hashes[0], {size, hashes[1]}, proof);
                         }));
  }
  for (const Field& item : cases["consistency"].array()) {
    const std::uint64_t size1 = item["size1"].u64();
    const std::uint64_t size2 = item["size2"].u64();
    expect(item, verdict(item["proof"], {item["root1"], item["root2"]},
                         [&](const auto& hashes, const Proof& proof) {
                           return verify_consistency({size1, hashes[0]}, {size2, hashes[1]}, proof);
                         }));
  }
  EXPECT_GT(num_valid, 10U);
  EXPECT_GT(num_invalid, 150U);
}

TEST(Merkle, GeneratedTree) {
  PSEPHOS_LOAD_VECTORS(generated, "rfc6962_merkle.json", "generated");
  const std::uint64_t size = generated["n"].u64();
  const MemoryTree tree = numbered_tree(size);
  std::vector<TreeHead> heads;
  MerkleFrontier frontier;
  heads.push_back(frontier.head());
  for (std::uint64_t i = 0; i < size; ++i) {
    frontier.append(tree.leaf(i));
    heads.push_back(frontier.head());
  }
  for (const auto& [text, root] : generated["roots"].members()) {
    const std::uint64_t at = std::stoull(text);
    EXPECT_EQ(heads.at(at).root, digest(root)) << at;
    EXPECT_EQ(must(root_of(at, tree.nodes())), digest(root)) << at;
  }
  for (const Field& item : generated["inclusion"].array()) {
    const std::uint64_t index = item["index"].u64();
    const std::uint64_t at = item["size"].u64();
    const Proof proof = proof_of(item["proof"]);
    EXPECT_EQ(must(inclusion_proof(index, at, tree.nodes())), proof);
    EXPECT_TRUE(is_ok(verify_inclusion(index, tree.leaf(index), heads.at(at), proof)));
  }
  for (const Field& item : generated["consistency"].array()) {
    const std::uint64_t older = item["size1"].u64();
    const std::uint64_t newer = item["size2"].u64();
    const Proof proof = proof_of(item["proof"]);
    EXPECT_EQ(must(consistency_proof(older, newer, tree.nodes())), proof);
    EXPECT_TRUE(is_ok(verify_consistency(heads.at(older), heads.at(newer), proof)));
  }
  generated.ignore("tiles", "tile_test");
  generated.ignore("entry_bundles", "tile_test");
}

// Every way a proof can be slightly wrong.
template <class Verify>
void expect_only_this_proof(const Proof& proof, Verify verify, Random& random) {
  ASSERT_TRUE(is_ok(verify(proof)));
  Proof longer = proof;
  longer.push_back(sha256({}));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(longer)));
  if (proof.empty()) {
    return;
  }
  EXPECT_TRUE(fails_with(Errc::rejected, verify(Proof(proof.begin(), proof.end() - 1))));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(Proof(proof.begin() + 1, proof.end()))));
  Proof changed = proof;
  changed[random.below(proof.size())][random.below(32)] ^=
      static_cast<std::uint8_t>(1U << random.below(8));
  EXPECT_TRUE(fails_with(Errc::rejected, verify(changed)));
}

constexpr std::uint64_t kSmall = 72;

TEST(Merkle, InclusionOfAllPairs) {
  const MemoryTree tree = numbered_tree(kSmall);
  test::SeededRandom random;
  for (std::uint64_t size = 1; size <= kSmall; ++size) {
    const TreeHead head = tree.head(size);
    EXPECT_TRUE(fails_with(Errc::misuse, inclusion_proof(size, size, tree.nodes())));
    for (std::uint64_t index = 0; index < size; ++index) {
      const Proof proof = must(inclusion_proof(index, size, tree.nodes()));
      expect_only_this_proof(
          proof, [&](const Proof& p) { return verify_inclusion(index, tree.leaf(index), head, p); },
          random);
      const std::uint64_t other = random.below(size);
      if (other != index) {
        EXPECT_FALSE(verify_inclusion(other, tree.leaf(index), head, proof).has_value());
        EXPECT_FALSE(verify_inclusion(index, tree.leaf(other), head, proof).has_value());
      }
      EXPECT_FALSE(verify_inclusion(size, tree.leaf(index), head, proof).has_value());
      EXPECT_FALSE(
          verify_inclusion(index, tree.leaf(index), tree.head(size - 1), proof).has_value());
    }
  }
}

TEST(Merkle, ConsistencyOfAllPairs) {
  const MemoryTree tree = numbered_tree(kSmall);
  test::SeededRandom random;
  for (std::uint64_t newer = 1; newer <= kSmall; ++newer) {
    EXPECT_TRUE(fails_with(Errc::misuse, consistency_proof(0, newer, tree.nodes())));
    EXPECT_TRUE(fails_with(Errc::misuse, consistency_proof(newer + 1, newer, tree.nodes())));
    EXPECT_TRUE(fails_with(Errc::rejected, verify_consistency(tree.head(0), tree.head(newer), {})));
    for (std::uint64_t older = 1; older <= newer; ++older) {
      const Proof proof = must(consistency_proof(older, newer, tree.nodes()));
      expect_only_this_proof(
          proof,
          [&](const Proof& p) { return verify_consistency(tree.head(older), tree.head(newer), p); },
          random);
      EXPECT_EQ(proof.empty(), older == newer);
      TreeHead forged = tree.head(older);
      forged.root[random.below(32)] ^= 1;
      EXPECT_TRUE(fails_with(Errc::rejected, verify_consistency(forged, tree.head(newer), proof)));
      forged = tree.head(newer);
      forged.root[random.below(32)] ^= 1;
      EXPECT_TRUE(fails_with(Errc::rejected, verify_consistency(tree.head(older), forged, proof)));
      if (older != newer) {
        EXPECT_FALSE(verify_consistency(tree.head(newer), tree.head(older), proof).has_value());
        EXPECT_FALSE(verify_consistency(tree.head(older - 1), tree.head(newer), proof).has_value());
      }
    }
  }
}

// All leaves alike: a complete subtree's hash depends on its height only, so that trees up to the
// largest size can be reasoned about.
TEST(Merkle, SizesNearTheEndOf64Bits) {
  std::vector<Digest32> by_level{merkle_leaf(as_bytes("same"))};
  while (by_level.size() < 64) {
    by_level.push_back(merkle_node(by_level.back(), by_level.back()));
  }
  const NodeReader nodes = [&](unsigned level, std::uint64_t index) -> Result<Digest32> {
    EXPECT_LT(level, 64U);
    EXPECT_LE(index, UINT64_MAX >> level);
    return by_level.at(level);
  };
  test::SeededRandom random;
  const std::uint64_t top = UINT64_MAX;
  for (const std::uint64_t size : {top, top - 1, top / 2, top / 2 + 1, top / 2 + 2}) {
    const TreeHead head{size, must(root_of(size, nodes))};
    for (const std::uint64_t index : {std::uint64_t{0}, std::uint64_t{1}, size / 2, size / 2 + 1,
                                      size - 2, size - 1, random.below(size)}) {
      const Proof proof = must(inclusion_proof(index, size, nodes));
      expect_only_this_proof(
          proof, [&](const Proof& p) { return verify_inclusion(index, by_level[0], head, p); },
          random);
      const std::uint64_t older = index + 1;
      const TreeHead older_head{older, must(root_of(older, nodes))};
      expect_only_this_proof(
          must(consistency_proof(older, size, nodes)),
          [&](const Proof& p) { return verify_consistency(older_head, head, p); }, random);
    }
    EXPECT_TRUE(fails_with(Errc::misuse, inclusion_proof(size, size, nodes)));
    EXPECT_TRUE(fails_with(Errc::rejected, verify_inclusion(size, by_level[0], head, {})));
  }
}

// --- MerkleTree ----------------------------------------------------------------------

// At every size: head, nodes and proofs are those of the simple tree, for this size and all before.
TEST(MerkleTree, IsTheTreeOfItsLeaves) {
  const MemoryTree model = numbered_tree(kSmall);
  MerkleFrontier frontier;
  MerkleTree tree;
  EXPECT_EQ(tree.size(), 0U);
  EXPECT_EQ(tree.head(), frontier.head());
  for (std::uint64_t size = 1; size <= kSmall; ++size) {
    tree.append(model.leaf(size - 1));
    frontier.append(model.leaf(size - 1));
    ASSERT_EQ(tree.size(), size);
    ASSERT_EQ(tree.head(), frontier.head()) << size;
    ASSERT_EQ(tree.head(), model.head(size)) << size;
    for (std::uint64_t older = 1; older <= size; ++older) {
      ASSERT_EQ(must(root_of(older, tree.nodes())), model.root(older)) << older << " in " << size;
      ASSERT_EQ(must(consistency_proof(older, size, tree.nodes())),
                must(consistency_proof(older, size, model.nodes())));
    }
  }
  for (std::uint64_t size = 1; size <= kSmall; ++size) {
    for (std::uint64_t index = 0; index < size; ++index) {
      const Proof proof = must(inclusion_proof(index, size, tree.nodes()));
      EXPECT_EQ(proof, must(inclusion_proof(index, size, model.nodes())));
      EXPECT_TRUE(is_ok(verify_inclusion(index, model.leaf(index), model.head(size), proof)));
    }
  }
}

TEST(MerkleTree, RefusesNodesOutside) {
  const MemoryTree model = numbered_tree(kSmall);
  MerkleTree tree;
  EXPECT_TRUE(fails_with(Errc::misuse, tree.nodes()(0, 0)));
  for (std::uint64_t size = 1; size <= kSmall; ++size) {
    tree.append(model.leaf(size - 1));
    for (unsigned level = 0; level < 64; ++level) {
      const std::uint64_t complete = size >> level;
      if (complete > 0) {
        EXPECT_EQ(must(tree.nodes()(level, complete - 1)),
                  must(model.nodes()(level, complete - 1)));
      }
      EXPECT_TRUE(fails_with(Errc::misuse, tree.nodes()(level, complete))) << level << " " << size;
      EXPECT_TRUE(fails_with(Errc::misuse, tree.nodes()(level, UINT64_MAX)));
    }
    // Proofs about leaves that are not there.
    EXPECT_TRUE(fails_with(Errc::misuse, root_of(size + 1, tree.nodes())));
    EXPECT_TRUE(fails_with(Errc::misuse, inclusion_proof(size, size, tree.nodes())));
    EXPECT_TRUE(fails_with(Errc::misuse, inclusion_proof(0, size + 1, tree.nodes())));
    EXPECT_TRUE(fails_with(Errc::misuse, consistency_proof(size, size + 1, tree.nodes())));
  }
  EXPECT_TRUE(fails_with(Errc::misuse, tree.nodes()(64, 0)));
}

TEST(MerkleTree, CopiesAreOfTheirOwn) {
  const MemoryTree model = numbered_tree(5);
  MerkleTree tree;
  for (std::uint64_t i = 0; i < 3; ++i) {
    tree.append(model.leaf(i));
  }
  MerkleTree copy = tree;
  copy.append(model.leaf(3));
  tree.append(model.leaf(4));
  EXPECT_EQ(copy.head(), model.head(4));
  EXPECT_NE(tree.head(), copy.head());
  const MerkleTree moved = std::move(copy);
  EXPECT_EQ(moved.head(), model.head(4));
}

TEST(Merkle, ReaderErrorsArePassedOn) {
  const NodeReader broken = [](unsigned, std::uint64_t) -> Result<Digest32> {
    return fail(Errc::environment, "disk on fire");
  };
  EXPECT_TRUE(fails_with(Errc::environment, root_of(5, broken)));
  EXPECT_TRUE(fails_with(Errc::environment, inclusion_proof(1, 5, broken)));
  EXPECT_TRUE(fails_with(Errc::environment, consistency_proof(2, 5, broken)));
}

}  // namespace
}  // namespace psephos::crypto
