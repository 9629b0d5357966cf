#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// fold_batch_norm for layers whose weight is quantized: codes stay what they are.
///
/// Before   y = Conv(x, FakeQuantize(W, s, 0), b)
///          z = BatchNormalization(y, ...), or of y / f with a constant f[o]
///          (correct_folded_weights)
/// After    z = Conv(x, FakeQuantize(W', s', 0), b')
/// Formula  a[o] x + c[o] is what follows the layer; q = codes of W;
///          s'[o] = |a[o]| s[o], W'[o, ...] = a[o] s[o] q[o, ...], b'[o] = a[o] b[o] + c[o]
/// Also     ConvTranspose without groups and Gemm in the place of Conv. A weight with one scale
///          gets one a channel, unless every |a[o]| is 1. Other users of the weight keep the old
///          one.
/// Conditions: the quantizer is settled, its zero point is 0. A channel with a = 0 gets zeros.
[[nodiscard]] Pass fold_quantized_batch_norm();

}  // namespace espalier::passes
