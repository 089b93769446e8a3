// A whole Merkle tree in memory: the simple thing that proofs and tiles are compared with.
#pragma once

#include <cstdint>
#include <vector>

#include "psephos/crypto/hash.h"
#include "psephos/crypto/merkle.h"

namespace psephos::test {

class MemoryTree {
 public:
  MemoryTree() : levels_(1) {}

  void append(const Digest32& leaf_hash) {
    levels_[0].push_back(leaf_hash);
    for (std::size_t level = 0; levels_[level].size() % 2 == 0; ++level) {
      if (level + 1 == levels_.size()) {
        levels_.emplace_back();
      }
      const auto& below = levels_[level];
      levels_[level + 1].push_back(
          crypto::merkle_node(below[below.size() - 2], below[below.size() - 1]));
    }
  }

  [[nodiscard]] std::uint64_t size() const { return levels_[0].size(); }
  [[nodiscard]] const Digest32& leaf(std::uint64_t index) const { return levels_[0].at(index); }

  // The root of the first `size` leaves, by the recursion of RFC 6962 §2.1.
  [[nodiscard]] Digest32 root(std::uint64_t size) const {
    return size == 0 ? crypto::sha256({}) : root(0, size);
  }
  [[nodiscard]] crypto::TreeHead head(std::uint64_t size) const { return {size, root(size)}; }

  // Reads complete subtrees; the tree must outlive it.
  [[nodiscard]] crypto::NodeReader nodes() const {
    return [this](unsigned level, std::uint64_t index) -> Result<Digest32> {
      return levels_.at(level).at(index);
    };
  }

 private:
  [[nodiscard]] Digest32 root(std::uint64_t begin, std::uint64_t size) const {
    if (size == 1) {
      return leaf(begin);
    }
    std::uint64_t left = 1;
    while (2 * left < size) {
      left *= 2;
    }
    return crypto::merkle_node(root(begin, left), root(begin + left, size - left));
  }

  std::vector<std::vector<Digest32>> levels_;
};

}  // namespace psephos::test
