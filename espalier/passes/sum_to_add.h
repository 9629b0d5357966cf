#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = Sum(a, b, c)
/// After    y = Add(Add(a, b), c)
/// Why      engines compute the residual Add in integers, and Sum only in floating point.
/// Conditions: two inputs or more.
[[nodiscard]] Pass sum_to_add();

}  // namespace espalier::passes
