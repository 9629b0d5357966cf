#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = Dropout(x)
/// After    x in the place of y
/// Conditions: the mask is not used; training_mode is left out or constant false. For graphs that
///          will not be trained again: training needs its Dropout nodes.
[[nodiscard]] Pass eliminate_dropout();

}  // namespace espalier::passes
