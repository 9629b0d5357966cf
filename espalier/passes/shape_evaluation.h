#pragma once

#include <optional>
#include <unordered_map>

#include "espalier/ir/graph.h"
#include "espalier/passes/shape_number.h"

namespace espalier::passes {

/// Values of shape arithmetic that are at least partly known, from the types of the graph and its
/// small constants. Follows Shape, Size, Gather, Slice, Split, Concat, Squeeze, Unsqueeze, Reshape,
/// Flatten, Cast, Identity, Expand, ConstantOfShape, Range, arithmetic, comparisons, Where,
/// rounding and reductions of scalars and vectors.
using ShapeValues = std::unordered_map<const ir::Value*, ShapeVector>;
[[nodiscard]] ShapeValues evaluate_shapes(const ir::Graph& graph);

}  // namespace espalier::passes
