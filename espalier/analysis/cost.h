#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"

namespace espalier::analysis {

/// What one node costs for one sample (an unknown batch counts as 1).
struct NodeCost {
  std::string node;
  std::string op;
  std::optional<std::int64_t> macs;  ///< none: needs a size that is unknown
  /// Elements and bytes of the initializers that the node reads, also behind quantizers. An
  /// initializer with several readers counts for the first.
  std::int64_t parameters = 0;
  std::int64_t parameter_bytes = 0;
  std::int64_t input_bytes = 0;   ///< activations read; values of unknown size left out
  std::int64_t output_bytes = 0;  ///< activations written
};

struct CostTable {
  std::vector<NodeCost> nodes;         ///< in graph order
  std::int64_t macs = 0;               ///< sum over the nodes that have a count
  std::int64_t parameters = 0;         ///< as ops::parameters counts them
  std::int64_t initializer_bytes = 0;  ///< all initializers
  std::int64_t uncounted_nodes = 0;    ///< nodes whose macs are unknown
};

/// Cost of every node and of the whole.
[[nodiscard]] CostTable cost_table(const ir::Graph& graph);

}  // namespace espalier::analysis
