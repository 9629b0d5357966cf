#pragma once

#include "espalier/ir/graph.h"
#include "espalier/quant/plan.h"

namespace espalier::passes {

/// Takes a trained simulated graph apart: removes its FakeQuantize nodes and returns the plan that
/// puts them back (insert_fake_quantize), so that a trained model goes the same way to a file as
/// one that was quantized after training.
///
/// The graph holds settled quantizers and folded BatchNormalization. Placement and parameters come
/// from it; float nodes, target and which biases are int32 from `before`, the plan that training
/// started with. The method is the estimator that a quantizer was trained by (settle_quantizers.h);
/// one that was not keeps its own. Throws UserError for a quantizer
/// whose codes are no grid of 2 to 16 bits.
[[nodiscard]] quant::QuantPlan extract_plan(ir::Graph& simulated, const quant::QuantPlan& before);

/// The grid of these codes. Throws UserError when there is none.
[[nodiscard]] tensor::QuantGrid grid_of(std::int64_t qmin, std::int64_t qmax);

}  // namespace espalier::passes
