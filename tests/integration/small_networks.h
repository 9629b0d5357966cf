#pragma once

#include <span>
#include <string_view>

#include "espalier/ir/graph.h"

namespace espalier::prune_test {

/// A small network of a kind that pruning must handle.
struct SmallNetwork {
  std::string_view name;
  ir::Graph (*make)();
  std::size_t groups;  ///< how many channel groups can be cut
};

[[nodiscard]] std::span<const SmallNetwork> small_networks();

}  // namespace espalier::prune_test
