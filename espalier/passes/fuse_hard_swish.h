#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   s = Div(Clip(Add(x, 3), 0, 6), 6), also Mul by 1/6, also behind a Relu6 written as Clip
/// After    s = HardSigmoid(x), alpha = 1/6, beta = 0.5
/// Before   y = Mul(x, s)
/// After    y = HardSwish(x), also from Div(Mul(x, Clip(Add(x, 3), 0, 6)), 6)
/// Conditions: constants as written (within 1e-6 relative); the values between have no other use;
///          operator set 14 for HardSwish.
[[nodiscard]] Pass fuse_hard_swish();

}  // namespace espalier::passes
