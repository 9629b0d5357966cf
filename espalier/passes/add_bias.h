#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = Conv(x, W)
/// After    y = Conv(x, W, b), b zeros named `<node>_bias`
/// Also     ConvTranspose and Gemm.
/// Why      bias correction needs a place to put its result.
/// Conditions: W is a constant of floating point type.
[[nodiscard]] Pass add_bias();

}  // namespace espalier::passes
