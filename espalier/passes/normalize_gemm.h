#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = Gemm(x, W, c), alpha, beta
/// After    y = Gemm(x, W', c'), alpha = beta = 1, c' a vector of one value a column
/// Formula  W' = alpha * W, c' = beta * c, in float64, then cast.
/// Conditions: W and c are constants; c has one value, or one a column; the results are finite.
///          Constants with other users are copied.
[[nodiscard]] Pass normalize_gemm();

}  // namespace espalier::passes
