#pragma once

#include <span>
#include <string>

#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"

namespace espalier::train {

/// Where a loss that is not finite comes from: the first parameter that holds such a number, else
/// the first node whose output does when the batch is run again with every value watched, else the
/// loss itself. `graph` is what `program` was compiled from; `program` is in training behaviour.
[[nodiscard]] std::string find_not_finite(const ir::Graph& graph, const exec::Program& program,
                                          std::span<const Tensor> inputs);

}  // namespace espalier::train
