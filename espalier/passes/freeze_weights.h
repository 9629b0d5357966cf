#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// The frozen form of a simulated graph: weights are integers, held in float; the scale is applied
/// behind the layer (what PaddleSlim's QuantizationFreezePass leaves, in ONNX's operators).
///
/// Before   y = Conv(x, FakeQuantize(W, s, 0), b)
/// After    p = Conv(x, W_int)      y = Add(Mul(p, s), b)
/// Formula  W_int = clamp(round_half_even(W / s), qmin, qmax) as float32
/// Also     ConvTranspose, Gemm (alpha = beta = 1) and MatMul with its weight on the right. Exact
/// up
///          to float rounding. Quantizers of activations stay. UnsupportedError for weights with
///          zero points and for the forms above that are not named.
[[nodiscard]] Pass freeze_weights();

}  // namespace espalier::passes
