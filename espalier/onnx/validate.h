#pragma once

#include "espalier/ir/graph.h"

namespace espalier::onnx {

/// Checks what a file claims about each node before anything is computed from it: the operator's
/// schema, and attributes that would divide by zero, overflow or mean nothing (windows, groups,
/// permutations, block sizes). Throws UserError naming the node.
void validate_nodes(const ir::Graph& graph);

/// Checks that need the types of values: channels against weights and groups, windows against
/// padded sizes. Throws UserError naming the node.
void validate_types(const ir::Graph& graph);

}  // namespace espalier::onnx
