#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Brings the types of all values up to date (onnx::infer_shapes). Counts no changes, so it never
/// keeps a fixed point from being reached.
[[nodiscard]] Pass infer_shapes();

}  // namespace espalier::passes
