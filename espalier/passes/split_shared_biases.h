#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = Conv(x, V, b)      z = Conv(y, W, b)
/// After    y = Conv(x, V, b)      z = Conv(y, W, b_1), b_1 a copy of b
/// Why      a quantized bias has the scale s_x * s_w of its own layer, and a correction of its own.
/// Conditions: b is an initializer at the bias port of a node with a weight, and has other uses.
/// The
///          first user keeps it, unless one of the uses is no bias.
[[nodiscard]] Pass split_shared_biases();

}  // namespace espalier::passes
