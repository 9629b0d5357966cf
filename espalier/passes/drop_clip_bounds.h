#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = FakeQuantize(Clip(x, 0, max))
/// After    y = FakeQuantize(Relu(x))
/// Conditions: the quantizers, of fewer than 8 bits and one scale, are the only readers of the
///          Clip, and none has a code for more than max: round(max / scale) + zero point is at
///          least qmax. Files bound such codes themselves, and ONNX Runtime computes a convolution
///          in integers behind which Relu stands, but not Clip.
[[nodiscard]] Pass drop_clip_bounds();

}  // namespace espalier::passes
