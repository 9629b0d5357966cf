#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "espalier/deploy/engine.h"
#include "espalier/ir/graph.h"

namespace espalier::deploy {

/// One convolution or matrix product of an exported file, and how an engine runs it.
struct MacNode {
  std::string name;
  std::string op;
  std::int64_t macs = 0;  ///< multiply-accumulates for one sample
  bool integer = false;
  std::string layer = {};   ///< the engine's layer, "QLinearConv 'conv1'"; empty: none was found
  double milliseconds = 0;  ///< time of that layer, 0 when the engine does not tell
};

struct IntegerShare {
  std::vector<MacNode> nodes;  ///< in graph order
  double share = 0;            ///< MACs done in integers over all MACs; 0 when there are none
};

/// True for layers that multiply and add, as opposed to conversions that cover the same node.
[[nodiscard]] bool does_macs(const EngineLayer& layer);

/// Attributes every convolution and matrix product of `exported` to the engine layer that covers
/// it. A node that no layer covers counts as float. Shapes are those of the graph's values; an
/// unknown batch counts as 1. Throws UserError when a MAC count needs a dimension that stays
/// unknown.
[[nodiscard]] IntegerShare attribute_macs(const ir::Graph& exported,
                                          std::span<const EngineLayer> layers);

}  // namespace espalier::deploy
