#pragma once

#include <span>
#include <string>

#include "espalier/ir/graph.h"

namespace espalier::analysis {

/// A new graph that computes the values `outputs` from the values `inputs`, with the nodes and
/// initializers that this needs and nothing else; names, types and opsets stay. Initializer tensors
/// are shared with `graph`. An initializer named in `inputs` becomes an input; inputs that nothing
/// needs stay inputs.
/// Throws UserError for unknown or repeated names, for an output that is itself an input, and when
/// a graph input is needed that `inputs` does not cut off.
[[nodiscard]] ir::Graph cut_out_subgraph(const ir::Graph& graph,
                                         std::span<const std::string> inputs,
                                         std::span<const std::string> outputs);

/// The graph of one node alone: its activations (inputs that no initializer feeds, seen through
/// nodes that depend on initializers only) are the inputs, its live outputs the outputs.
[[nodiscard]] ir::Graph cut_out_node(const ir::Graph& graph, const std::string& node);

}  // namespace espalier::analysis
