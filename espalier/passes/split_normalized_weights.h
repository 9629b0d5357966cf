#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   a = Conv(x, w)   y = BatchNormalization(a, ...)   z = Conv(y, w)
/// After    a = Conv(x, w)   y = BatchNormalization(a, ...)   z = Conv(y, w_1), w_1 a copy of w
/// Why      a normalization that is folded gives its layer a weight of its own: what is decided for
///          the folded graph has to find the same weights in the graph that is trained.
/// Conditions: w is an initializer, used by nothing but the weight ports of several layers, behind
///          one of which a BatchNormalization is the only reader. The first layer keeps it.
[[nodiscard]] Pass split_normalized_weights();

}  // namespace espalier::passes
