#pragma once

#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/quant/planner.h"
#include "espalier/tensor/tensor.h"

namespace espalier::recipe {

/// Measures plans by what they do to the outputs of the graph on some samples: the energy of the
/// difference between the simulated and the float outputs over the energy of the float ones,
/// without the outputs' mean, summed over all floating outputs. `batches` holds the inputs, by
/// position, of each batch; they are run one after the other.
[[nodiscard]] quant::PlanError output_error(const ir::Graph& prepared,
                                            std::vector<std::vector<Tensor>> batches);

}  // namespace espalier::recipe
