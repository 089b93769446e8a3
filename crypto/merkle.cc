#include "psephos/crypto/merkle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <ranges>
#include <string>

#include "psephos/crypto/hash.h"

namespace psephos::crypto {

namespace {

constexpr std::array<std::uint8_t, 1> kLeafPrefix{0x00};
constexpr std::array<std::uint8_t, 1> kNodePrefix{0x01};

// The largest power of two below size (size ≥ 2): where RFC 6962 splits a tree.
std::uint64_t split(std::uint64_t size) { return std::bit_floor(size - 1); }

// Range is a subtree of RFC 6962: `size` ≥ 1 leaves from `begin`, a multiple of every power of two
// that is a part of it.
struct Range {
  std::uint64_t begin;
  std::uint64_t size;

  [[nodiscard]] Range left() const { return {begin, split(size)}; }
  [[nodiscard]] Range right() const { return {begin + split(size), size - split(size)}; }
};

Result<Digest32> root_of(const Range& range, const NodeReader& nodes) {
  if (std::has_single_bit(range.size)) {
    const auto level = static_cast<unsigned>(std::countr_zero(range.size));
    return nodes(level, range.begin >> level);
  }
  PSEPHOS_TRY(const Digest32 left, root_of(range.left(), nodes));
  PSEPHOS_TRY(const Digest32 right, root_of(range.right(), nodes));
  return merkle_node(left, right);
}

// Appends the roots of the given ranges, last first.
Result<std::vector<Digest32>> roots_upwards(std::span<const Range> ranges,
                                            const NodeReader& nodes) {
  std::vector<Digest32> proof;
  for (const Range& range : std::views::reverse(ranges)) {
    PSEPHOS_TRY(const Digest32 root, root_of(range, nodes));
    proof.push_back(root);
  }
  return proof;
}

enum class Side : std::uint8_t { left, right };

// Position of a node in its level, and of the level's last node.
struct Position {
  std::uint64_t node;
  std::uint64_t last;
};

// Follows a proof from a node up to the root as in RFC 9162 §2.1.3.2 and §2.1.4.2, telling for each
// hash on which side of the node it stands.
template <class Join>
Result<void> climb(Position at, std::span<const Digest32> proof, const std::string& what,
                   Join join) {
  for (const Digest32& sibling : proof) {
    if (at.last == 0) {
      return fail(Errc::rejected, what + " is too long");
    }
    if (at.node % 2 == 1 || at.node == at.last) {
      join(Side::left, sibling);
      // A last node without a sibling rises unchanged until it has one.
      const int lone = std::countr_zero(at.node);
      at.node >>= lone;
      at.last >>= lone;
    } else {
      join(Side::right, sibling);
    }
    at.node >>= 1;
    at.last >>= 1;
  }
  if (at.last != 0) {
    return fail(Errc::rejected, what + " is too short");
  }
  return {};
}

std::string tree_of(std::uint64_t size) { return "a tree of " + std::to_string(size) + " leaves"; }

}  // namespace

Digest32 merkle_leaf(ByteView entry) { return sha256({kLeafPrefix, entry}); }

Digest32 merkle_node(const Digest32& left, const Digest32& right) {
  return sha256({kNodePrefix, left, right});
}

void MerkleFrontier::append(const Digest32& leaf_hash) {
  subtrees_.push_back(leaf_hash);
  ++size_;
  for (int merges = std::countr_zero(size_); merges > 0; --merges) {
    const Digest32 right = subtrees_.back();
    subtrees_.pop_back();
    subtrees_.back() = merkle_node(subtrees_.back(), right);
  }
}

TreeHead MerkleFrontier::head() const {
  if (subtrees_.empty()) {
    return {0, sha256({})};
  }
  Digest32 root = subtrees_.back();
  for (std::size_t i = subtrees_.size() - 1; i-- > 0;) {
    root = merkle_node(subtrees_[i], root);
  }
  return {size_, root};
}

Result<std::vector<Digest32>> inclusion_proof(std::uint64_t index, std::uint64_t size,
                                              const NodeReader& nodes) {
  if (index >= size) {
    return fail(Errc::misuse, "no leaf " + std::to_string(index) + " in " + tree_of(size));
  }
  std::vector<Range> siblings;
  for (Range at{0, size}; at.size > 1;) {
    const bool go_right = index >= at.right().begin;
    siblings.push_back(go_right ? at.left() : at.right());
    at = go_right ? at.right() : at.left();
  }
  return roots_upwards(siblings, nodes);
}

Result<std::vector<Digest32>> consistency_proof(std::uint64_t old_size, std::uint64_t size,
                                                const NodeReader& nodes) {
  if (old_size == 0 || old_size > size) {
    return fail(Errc::misuse,
                "no consistency proof from " + tree_of(old_size) + " to " + tree_of(size));
  }
  // Down the right edge of the old tree, to the subtree that ends with it.
  std::vector<Range> parts;
  Range at{0, size};
  while (at.begin + at.size != old_size) {
    const bool go_right = old_size > at.right().begin;
    parts.push_back(go_right ? at.left() : at.right());
    at = go_right ? at.right() : at.left();
  }
  // That subtree is in the proof unless it is the whole old tree, whose root the verifier has.
  if (at.begin != 0) {
    parts.push_back(at);
  }
  return roots_upwards(parts, nodes);
}

Result<Digest32> root_of(std::uint64_t size, const NodeReader& nodes) {
  if (size == 0) {
    return sha256({});
  }
  return root_of(Range{0, size}, nodes);
}

Result<void> verify_inclusion(std::uint64_t index, const Digest32& leaf_hash, const TreeHead& tree,
                              std::span<const Digest32> proof) {
  if (index >= tree.size) {
    return fail(Errc::rejected, "no leaf " + std::to_string(index) + " in " + tree_of(tree.size));
  }
  Digest32 root = leaf_hash;
  PSEPHOS_CHECK_OK(climb(
      {index, tree.size - 1}, proof, "inclusion proof", [&](Side side, const Digest32& sibling) {
        root = side == Side::left ? merkle_node(sibling, root) : merkle_node(root, sibling);
      }));
  if (root != tree.root) {
    return fail(Errc::rejected, "inclusion proof does not lead to the tree's root");
  }
  return {};
}

Result<void> verify_consistency(const TreeHead& older, const TreeHead& newer,
                                std::span<const Digest32> proof) {
  if (older.size == 0 || older.size > newer.size) {
    return fail(Errc::rejected,
                tree_of(older.size) + " cannot be shown to begin " + tree_of(newer.size));
  }
  if (older.size == newer.size) {
    if (!proof.empty()) {
      return fail(Errc::rejected, "consistency proof is too long");
    }
    if (older.root != newer.root) {
      return fail(Errc::rejected, "two roots for " + tree_of(older.size));
    }
    return {};
  }
  // The climb starts at the subtree that ends the older tree: the proof's first hash, or the older
  // tree itself if that is complete.
  const int level = std::countr_one(older.size - 1);
  Digest32 old_root = older.root;
  if (!std::has_single_bit(older.size)) {
    if (proof.empty()) {
      return fail(Errc::rejected, "consistency proof is too short");
    }
    old_root = proof.front();
    proof = proof.subspan(1);
  }
  Digest32 new_root = old_root;
  PSEPHOS_CHECK_OK(climb({(older.size - 1) >> level, (newer.size - 1) >> level}, proof,
                         "consistency proof", [&](Side side, const Digest32& sibling) {
                           if (side == Side::left) {
                             old_root = merkle_node(sibling, old_root);
                             new_root = merkle_node(sibling, new_root);
                           } else {
                             new_root = merkle_node(new_root, sibling);
                           }
                         }));
  if (old_root != older.root) {
    return fail(Errc::rejected, "consistency proof does not lead to the older root");
  }
  if (new_root != newer.root) {
    return fail(Errc::rejected, "consistency proof does not lead to the newer root");
  }
  return {};
}

void MerkleTree::append(const Digest32& leaf_hash) {
  Digest32 hash = leaf_hash;
  for (std::size_t level = 0;; ++level) {
    if (level == levels_.size()) {
      levels_.emplace_back();
    }
    std::vector<Digest32>& hashes = levels_[level];
    hashes.push_back(hash);
    if (hashes.size() % 2 != 0) {
      return;
    }
    hash = merkle_node(hashes[hashes.size() - 2], hash);
  }
}

TreeHead MerkleTree::head() const {
  // Reading from memory cannot fail.
  return {.size = size(), .root = root_of(size(), nodes()).value()};
}

NodeReader MerkleTree::nodes() const {
  return [this](unsigned level, std::uint64_t index) -> Result<Digest32> {
    if (level >= levels_.size() || index >= levels_[level].size()) {
      return fail(Errc::misuse, "no complete subtree there");
    }
    return levels_[level][index];
  };
}

}  // namespace psephos::crypto
