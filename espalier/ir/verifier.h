#pragma once

#include <string>
#include <vector>

#include "espalier/ir/graph.h"

namespace espalier::ir {

/// Every violation of the graph's invariants, each naming the node or value; empty when sound.
///
/// 1. Every input of a node is a graph input, an initializer, or an output of an earlier node.
/// 2. Use lists and input lists agree, in both directions.
/// 3. Producer and output index of a value agree with the node's outputs.
/// 4. Graph outputs are marked as such, and nothing else is.
/// 5. Initializers hold a tensor whose type and shape equal their declared type.
/// 6. Names of nodes and values are unique and not empty.
/// 7. The graph has at least one output.
[[nodiscard]] std::vector<std::string> verify(const Graph& graph);

/// Throws InternalError with all violations; `after` names the step that made the graph.
void verify_or_throw(const Graph& graph, std::string_view after);

}  // namespace espalier::ir
