#pragma once

#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/tensor/tensor.h"

namespace espalier::exec {

/// Gives floating-point values whose sizes inference could not tell (those behind computed
/// paddings, say) the sizes that they have in a run on these inputs. Runs the graph only where
/// there are such values. Throws what compiling and running it throw.
void observe_shapes(ir::Graph& graph, const std::vector<Tensor>& inputs);

}  // namespace espalier::exec
