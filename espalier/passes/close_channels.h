#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Gives inputs of the graph the channels that a convolution which reads them asks for.
/// Before   x [N, C, H, W], y = Conv(x, W [M, c, kh, kw])
/// After    x [N, c * group, H, W]
/// Conditions: the rank of x is known, its axis 1 is open, and so of constant W the shape.
[[nodiscard]] Pass close_channels();

}  // namespace espalier::passes
