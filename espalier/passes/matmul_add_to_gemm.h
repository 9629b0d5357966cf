#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = MatMul(x, W)      z = Add(y, c)
/// After    z = Gemm(x, W, c)
/// Conditions: x is a matrix, W a constant matrix, c a constant of one value or one a column; y has
///          no other use.
[[nodiscard]] Pass matmul_add_to_gemm();

}  // namespace espalier::passes
