#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = ReduceMean(x, axes of all spatial dimensions)
/// After    y = GlobalAveragePool(x), behind it Flatten where keepdims is 0
/// Conditions: x is floating point of known rank 3 to 5; axes are constant and exactly 2..rank-1.
[[nodiscard]] Pass reduce_mean_to_global_average_pool();

}  // namespace espalier::passes
