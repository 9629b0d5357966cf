#pragma once

#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"
#include "espalier/train/strategy.h"

namespace espalier::train {

/// What becomes of state tensors, "<slot>/<parameter>", when a strategy has made `after` of
/// `before`: see Rewrite. Tensors of another shape than their parameter (an Adam's count of
/// updates) stay where the parameter does.
[[nodiscard]] exec::TensorMap follow_state(const exec::TensorMap& slots, const ir::Graph& before,
                                           const ir::Graph& after, const Rewrite& rewrite);

}  // namespace espalier::train
