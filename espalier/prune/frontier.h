#pragma once

#include <optional>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/prune/plan.h"

namespace espalier::prune {

/// Values that a removal leaves as they are and from which, with initializers, `output` of the cut
/// graph can be computed: they depend on the graph's inputs and are read by nodes that change. In
/// graph order. Nothing when the removal does not change `output` at all.
/// A node changes when a value that it reads or writes loses positions, or when it depends on such
/// a node. A larger removal has a frontier that is no nearer to the output.
[[nodiscard]] std::optional<std::vector<std::string>> find_frontier(const ir::Graph& graph,
                                                                    const Removal& removal,
                                                                    const ir::Value& output);

}  // namespace espalier::prune
