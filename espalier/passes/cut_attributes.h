#pragma once

#include "espalier/ir/graph.h"
#include "espalier/prune/plan.h"

namespace espalier::passes {

/// Brings the attributes and shape constants of one node in line with what a removal leaves of its
/// inputs and outputs, by the index rule of its operator. The types of the graph's values are those
/// before the cut. May replace the node or insert nodes in front of it.
void cut_attributes(ir::Graph& graph, ir::Node& node, const prune::Removal& removal);

}  // namespace espalier::passes
