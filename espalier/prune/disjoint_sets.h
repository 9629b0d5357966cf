#pragma once

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace espalier::prune {

/// Union-find over 0..n-1 with union by size and path halving (Tarjan, "Efficiency of a good but
/// not linear set union algorithm", JACM 1975).
class DisjointSets {
 public:
  explicit DisjointSets(std::size_t count = 0) : parents_(count), sizes_(count, 1) {
    std::iota(parents_.begin(), parents_.end(), std::uint32_t{0});
  }

  [[nodiscard]] std::size_t size() const { return parents_.size(); }

  /// The representative of the set that holds `element`.
  [[nodiscard]] std::uint32_t find(std::uint32_t element) {
    while (parents_[element] != element) {
      parents_[element] = parents_[parents_[element]];
      element = parents_[element];
    }
    return element;
  }

  /// Joins two sets; returns the representative of the joined one.
  std::uint32_t join(std::uint32_t first, std::uint32_t second) {
    std::uint32_t large = find(first);
    std::uint32_t small = find(second);
    if (large == small) return large;
    if (sizes_[large] < sizes_[small]) std::swap(large, small);
    parents_[small] = large;
    sizes_[large] += sizes_[small];
    return large;
  }

 private:
  std::vector<std::uint32_t> parents_;
  std::vector<std::uint32_t> sizes_;
};

}  // namespace espalier::prune
