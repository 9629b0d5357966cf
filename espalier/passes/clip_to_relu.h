#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = Clip(x, 0, max)
/// After    y = Relu(x)
/// Conditions: x is floating point; min is the constant 0; max is left out or the constant largest
///          number of the type, or infinity.
[[nodiscard]] Pass clip_to_relu();

/// Turns every Clip of floating point values from the constant 0 on that `fits` into Relu; their
/// number.
std::size_t turn_clips_into_relu(ir::Graph& graph, bool (*fits)(const ir::Node& clip));

}  // namespace espalier::passes
