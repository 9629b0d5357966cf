#pragma once

#include <functional>
#include <set>
#include <vector>

#include "espalier/ir/graph.h"

namespace espalier::exec {

/// Nodes that one kernel computes: Conv, then BatchNormalization, an addition and an activation,
/// each of them optional, each the only user of what comes before it.
struct ConvRegion {
  const ir::Node* conv = nullptr;
  const ir::Node* batch_norm = nullptr;
  const ir::Node* add = nullptr;
  const ir::Node* activation = nullptr;
  const ir::Value* residual = nullptr;  ///< the other operand of `add`

  /// The last node: the region runs in its place and gives its output.
  [[nodiscard]] const ir::Node& last() const;
  [[nodiscard]] std::vector<const ir::Node*> nodes() const;
};

/// What region search asks about the graph.
struct RegionQuestions {
  std::function<bool(const ir::Value&)> is_constant;  ///< known at compile time
  std::function<bool(const ir::Value&)> is_seen;      ///< tapped or an output: must exist
  std::function<bool(const ir::Node&)> is_fusable_activation;
};

/// The regions of a graph, in the order of their convolutions. A node belongs to at most one.
/// Convolutions whose weight or bias is not constant form none.
[[nodiscard]] std::vector<ConvRegion> find_conv_regions(const ir::Graph& graph,
                                                        const RegionQuestions& questions);

}  // namespace espalier::exec
