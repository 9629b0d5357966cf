#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = Identity(x), or another node that provably gives back its input
/// After    x in the place of y
/// Conditions, by operator (shapes as the graph's types state them):
///          Cast to the type x has; Reshape and Expand to the shape x has; Flatten of a matrix at
///          axis 1; Transpose with a sorted permutation; Pad by nothing; Slice of everything;
///          Concat, Sum, Max, Min, Mean of one input; Resize and Upsample by 1;
///          AveragePool and MaxPool of a 1x1 window at stride 1 without padding.
///          A node whose output is a graph output stays when its input is a graph input or an
///          initializer; graph outputs keep their names.
[[nodiscard]] Pass eliminate_identity();

}  // namespace espalier::passes
