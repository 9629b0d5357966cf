#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = Clip(x, 0, max)
/// After    y = Relu(x)
/// Conditions: x is floating point; min is the constant 0; max is left out or the constant largest
///          number of the type, or infinity.
[[nodiscard]] Pass clip_to_relu();

}  // namespace espalier::passes
