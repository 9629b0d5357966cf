#pragma once

#include "espalier/passes/pass.h"
#include "espalier/quant/plan.h"

namespace espalier::passes {

struct InsertOptions {
  /// Round the biases of the plan to their int32 grid. Off for graphs that will be trained: the
  /// scales of the grid move; lower_to_qdq rounds them then.
  bool round_biases = true;
};

/// Applies a quantization plan: gives the simulated graph.
///
/// Before   y = Conv(x, W, b)
/// After    x_dq = FakeQuantize(x, x_scale, x_zero_point)
///          W_dq = FakeQuantize(W, W_scale, W_zero_point), axis 0
///          y = Conv(x_dq, W_dq, b')
/// Formula  b' = s_x * s_w[o] * round(b[o] / (s_x * s_w[o])), after the plan's correction of b.
///
/// A value is quantized once, however many edges of the plan read it; uses that are not in the plan
/// read the float value. An edge with an empty node name is the graph output of that index: the
/// quantized value then takes the output's name, and the float value is called `<name>_float`.
/// Throws UserError when the plan was made for another model (model_id), or names nodes, inputs or
/// values that the graph does not have, or parameters that do not fit them.
[[nodiscard]] Pass insert_fake_quantize(const quant::QuantPlan& plan,
                                        const InsertOptions& options = {});

}  // namespace espalier::passes
