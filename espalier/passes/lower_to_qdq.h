#pragma once

#include "espalier/passes/pass.h"
#include "espalier/quant/plan.h"

namespace espalier::passes {

/// Writes a simulated graph in ONNX's own operators, as engines take it.
///
/// Before   x_dq = FakeQuantize(x, scale, zero_point)
/// After    x_q = QuantizeLinear(x, scale, zero_point)
///          x_dq = DequantizeLinear(x_q, scale, zero_point)
/// Before   y = Conv(x_dq, FakeQuantize(W, scale, zero_point), b)
/// After    y = Conv(x_dq, DequantizeLinear(W_q, scale, zero_point), b')
///          b' = DequantizeLinear(b_q, s_x * s_w)
/// Formula  W_q = clamp(round(W / scale) + zero_point) as int8 (uint8 for unsigned grids);
///          b_q = round(b / (s_x * s_w)) as int32, for every node of `plan.biases`.
///
/// Fewer   x_dq = DequantizeLinear(Clip(x_q, qmin, qmax), ...) where the codes of
/// codes   a value do not fill their 8 or 16 bit type: QuantizeLinear saturates at its limits alone
///
/// Biases have no zero point: it is zero. Equal zero points of others are one initializer. The
/// result computes the same numbers bit for bit. Codes of weights may be any part of their type.
/// 16-bit codes need operator set 21, all others 13. Throws UserError when the graph holds no
/// FakeQuantize node.
[[nodiscard]] Pass lower_to_qdq(const quant::QuantPlan& plan);

}  // namespace espalier::passes
