#pragma once

#include <map>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/ops/facts.h"
#include "espalier/quant/plan.h"
#include "espalier/quant/target.h"

namespace espalier::quant {

/// What decides where quantizers go, beside graph and target.
struct PlacementOptions {
  /// Globs on node names or operator types whose nodes stay in floating point.
  std::vector<std::string> skip = {};
  /// Nodes that stay in floating point, by name, with the reason to report.
  std::map<std::string, std::string> keep_float = {};
  bool quantize_first = true;  ///< layers with weights that read a graph input
  bool quantize_last = true;   ///< layers with weights whose result is a graph output
};

/// A layer with weights that is quantized.
struct QuantizedLayer {
  std::string node;
  std::string input;   ///< activation value that it reads quantized
  std::string weight;  ///< initializer
  int axis = -1;       ///< of the weight's channels; -1: no channels (a vector)
  std::string bias;    ///< constant bias initializer, or empty
};

/// Values that share one scale and zero point, because operators between them only move elements.
struct ValueGroup {
  std::vector<std::string> values;    ///< in graph order
  std::vector<std::string> observed;  ///< values whose statistics decide the range
  /// Where merged activations (ReLU, Clip) end the values of the group.
  ops::OutputRange bounds;
};

/// An operator that wants one scale on its inputs and output: positions in Placement::groups.
struct SharedGroups {
  std::string node;
  std::vector<std::size_t> groups;
};

/// Where quantizers go on a target: needs no data. Everything in graph order.
struct Placement {
  std::vector<ValueGroup> groups;
  std::vector<SharedGroups> shared;
  std::vector<EdgeKey> edges;  ///< sorted
  std::vector<QuantizedLayer> layers;
  std::vector<std::string> constants;  ///< constant operands of Add, Mul: quantized per tensor
  std::vector<FloatNode> float_nodes;
};

/// Throws UserError for a skip pattern that matches no node.
[[nodiscard]] Placement place_quantizers(const ir::Graph& graph, const Target& target,
                                         const PlacementOptions& options);

}  // namespace espalier::quant
