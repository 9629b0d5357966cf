#pragma once

#include "espalier/ir/graph.h"

namespace espalier::passes {

/// Takes a node out of the graph: every use of its first output becomes `replacement`. A graph
/// output keeps its name, which `replacement` takes over. Returns false and changes nothing when
/// that cannot be: another output of the node is used, or the first output is a graph output while
/// `replacement` is a graph input, an initializer or a graph output itself.
bool bypass(ir::Graph& graph, ir::Node& node, ir::Value& replacement);

/// True when bypass would succeed.
[[nodiscard]] bool can_bypass(const ir::Node& node, const ir::Value& replacement);

}  // namespace espalier::passes
