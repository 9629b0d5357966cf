#pragma once

#include <span>
#include <string>

#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"

namespace espalier::train {

/// @name Where a number that is not finite comes from
/// `graph` is what `program` was compiled from. Layers are in the order of the graph.
/// @{

/// Of a loss: the batch, else the first layer with such a parameter, else the first node whose
/// output holds such a number when the batch is run again with every value watched (in the present
/// behaviour of the random generator), else the loss itself with the largest output.
[[nodiscard]] std::string find_not_finite(const ir::Graph& graph, const exec::Program& program,
                                          std::span<const Tensor> inputs);

/// Of the gradients: the layer nearest to the loss whose parameter has one, which is the first that
/// the backward pass met; empty when all are finite.
[[nodiscard]] std::string find_bad_gradient(const ir::Graph& graph, const exec::Program& program);

/// The first layer with a parameter or running statistic that is not finite; empty when there is
/// none.
[[nodiscard]] std::string find_bad_state(const ir::Graph& graph, const exec::Program& program);

/// True when a running statistic or a buffer of a quantizer is not finite. They are few numbers:
/// cheap enough for every step.
[[nodiscard]] bool has_bad_buffer(const exec::Program& program);

/// @}

}  // namespace espalier::train
