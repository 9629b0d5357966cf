#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "espalier/prune/plan.h"

namespace espalier::prune {

/// What a network costs, for one sample.
struct NetworkCost {
  std::int64_t macs = 0;        ///< as ops::total_macs counts them
  std::int64_t parameters = 0;  ///< as ops::parameters counts them
  std::int64_t bytes = 0;       ///< of all initializers
  /// Of the layers that may lose any: classifiers, whose outputs the caller counts, are left out.
  std::int64_t filters = 0;
  bool operator==(const NetworkCost&) const = default;
};

/// Multiply-accumulates of every node, in graph order, for inputs of a known size.
using NodeMacs = std::vector<std::int64_t>;

/// Cost of a graph after any removal, without cutting it. The map must outlive the model.
class CostModel {
 public:
  /// `macs` empty: as the graph's own shapes say, nodes of unknown size as nothing. Throws
  /// UserError for another number of nodes.
  CostModel(const ir::Graph& graph, const ChannelMap& map, const NodeMacs& macs = {});

  [[nodiscard]] NetworkCost cost(const Removal& removal) const;

 private:
  /// A count that shrinks with each of its axes.
  struct Term {
    std::int64_t size = 0;
    std::vector<std::size_t> spaces;  ///< into spaces_
  };
  using Terms = std::vector<Term>;

  class Builder;

  /// Axes that correspond one to one share their channels: each such list is counted once.
  std::vector<std::span<const ChannelId>> spaces_;
  Terms macs_;
  Terms parameters_;
  Terms bytes_;
  std::vector<std::size_t> filters_;  ///< into spaces_
};

}  // namespace espalier::prune
