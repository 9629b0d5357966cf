#pragma once

#include "espalier/passes/pass.h"
#include "espalier/quant/plan.h"

namespace espalier::passes {

/// Writes a simulated graph in ONNX's own operators, as engines take it.
///
/// Before   x_dequantized = FakeQuantize(x, scale, zero_point)
/// After    x_quantized = QuantizeLinear(x, scale, zero_point)
///          x_dequantized = DequantizeLinear(x_quantized, scale, zero_point)
/// Before   y = Conv(x_dequantized, FakeQuantize(W, scale, zero_point), b)
/// After    y = Conv(x_dequantized, DequantizeLinear(W_quantized, scale, zero_point), b')
///          b' = DequantizeLinear(b_quantized, s_x * s_w, 0)
/// Formula  W_quantized = clamp(round(W / scale) + zero_point) as int8 (uint8 for unsigned grids);
///          b_quantized = round(b / (s_x * s_w)) as int32, for every node of `plan.biases`.
///
/// The result computes the same numbers bit for bit. Codes of values must fill their 8 or 16 bit
/// type, since QuantizeLinear saturates at its limits: UnsupportedError otherwise; codes of weights
/// may be any part of int8 or uint8. 16-bit codes need operator set 21, all others 13.
/// Throws UserError when the graph holds no FakeQuantize node.
[[nodiscard]] Pass lower_to_qdq(const quant::QuantPlan& plan);

}  // namespace espalier::passes
