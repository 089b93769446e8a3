// The Merkle tree of RFC 6962 §2.1 with SHA-256, its inclusion and consistency proofs (verification
// as in RFC 9162 §2.1.3–2.1.4). Spec: docs/spec.md §7.2.
//
//   leaf(d) = SHA-256(00 ‖ d)   node(l, r) = SHA-256(01 ‖ l ‖ r)   root of nothing = SHA-256("")
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"

namespace psephos::crypto {

[[nodiscard]] Digest32 merkle_leaf(ByteView entry);
[[nodiscard]] Digest32 merkle_node(const Digest32& left, const Digest32& right);

// TreeHead is a size and the root over that many leaves.
struct TreeHead {
  std::uint64_t size = 0;
  Digest32 root{};
  friend bool operator==(const TreeHead&, const TreeHead&) = default;
};

// MerkleFrontier computes a root leaf by leaf in logarithmic memory: the roots of the complete
// subtrees that a tree of this size consists of, largest first.
class MerkleFrontier {
 public:
  void append(const Digest32& leaf_hash);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] TreeHead head() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest32> subtrees_;
};

// NodeReader fetches the hash of the complete subtree of 2^level leaves that starts at leaf
// index·2^level; it is asked only for subtrees inside the tree.
using NodeReader = std::function<Result<Digest32>(unsigned level, std::uint64_t index)>;

// MerkleTree keeps every complete subtree's hash in memory: two hashes a leaf. Its proofs cost no
// reading.
class MerkleTree {
 public:
  void append(const Digest32& leaf_hash);
  [[nodiscard]] std::uint64_t size() const { return levels_.empty() ? 0 : levels_[0].size(); }
  [[nodiscard]] TreeHead head() const;
  // The reader's tree must outlive it.
  [[nodiscard]] NodeReader nodes() const;

 private:
  std::vector<std::vector<Digest32>> levels_;
};

// inclusion_proof for leaf `index` in a tree of `size` leaves, from the leaf up. Errc::misuse if
// index ≥ size.
[[nodiscard]] Result<std::vector<Digest32>> inclusion_proof(std::uint64_t index, std::uint64_t size,
                                                            const NodeReader& nodes);
// consistency_proof between the trees of `old_size` ≥ 1 and `size` ≥ old_size leaves.
[[nodiscard]] Result<std::vector<Digest32>> consistency_proof(std::uint64_t old_size,
                                                              std::uint64_t size,
                                                              const NodeReader& nodes);
// root_of computes the root of the first `size` leaves from complete subtrees.
[[nodiscard]] Result<Digest32> root_of(std::uint64_t size, const NodeReader& nodes);

// verify_inclusion: Errc::rejected unless the proof shows leaf_hash at index of the tree.
[[nodiscard]] Result<void> verify_inclusion(std::uint64_t index, const Digest32& leaf_hash,
                                            const TreeHead& tree, std::span<const Digest32> proof);
// verify_consistency: Errc::rejected unless the proof shows that newer extends older. An older size
// of 0 is refused: it proves nothing (a caller with an empty older tree has nothing to check).
[[nodiscard]] Result<void> verify_consistency(const TreeHead& older, const TreeHead& newer,
                                              std::span<const Digest32> proof);

}  // namespace psephos::crypto
