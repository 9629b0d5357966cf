#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = Conv(x, W, b)      z = Mul(y, c)
/// After    z = Conv(x, W', b')
/// Formula  as fold_batch_norm, with per channel maps: Mul a = c; Div a = 1 / c; Add shift = c;
///          Sub shift = -c, or a = -1 and shift = c for c - y.
/// Also     ConvTranspose, Gemm and BatchNormalization in the place of Conv; the map before a Conv
///          or Gemm (a shift only where the Conv does not pad).
/// Conditions: c is a constant of one value, or of one value a channel; the value between the two
///          nodes has no other use; the results are finite.
[[nodiscard]] Pass fold_mul_add();

}  // namespace espalier::passes
