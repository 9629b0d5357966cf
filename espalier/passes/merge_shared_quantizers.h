#pragma once

#include <cstddef>
#include <string_view>

#include "espalier/ir/graph.h"
#include "espalier/quant/plan.h"

namespace espalier::passes {

/// Attribute of a FakeQuantize: names of further values that have its parameters.
inline constexpr std::string_view kSharedBy = "shared_by";

/// Before   p' = FakeQuantize(MaxPool(x')),  x' = FakeQuantize(x)
/// After    p' = MaxPool(x'),                x' = FakeQuantize(x), shared_by "p"
/// Before   y' = FakeQuantize(Concat(a', b')), a' = FakeQuantize(a), b' = FakeQuantize(b)
/// After    y' = FakeQuantize(Concat(a, b)), shared_by "a", "b"
///
/// In a training graph, for values to which the plan gives the same parameters because the target
/// wants one scale there (Treatment::PassThrough, Treatment::SharedScale). Quantizers that were
/// trained each for itself would drift apart: a second one behind the first sees clipped values
/// alone, and a moving average of their maxima shrinks. Values of one quantizer stay on its codes
/// when elements are moved; a Concat's inputs, and what is only moved into them, are quantized
/// with its result where nothing else reads them quantized. Quantizers with different estimators
/// stay. extract_plan gives the values that lost theirs the parameters of the one that stayed.
/// Returns how many were taken out.
std::size_t merge_shared_quantizers(ir::Graph& graph, const quant::QuantPlan& plan);

/// Values of the attribute kSharedBy.
[[nodiscard]] ir::Strings values_sharing(const ir::Node& quantizer);

}  // namespace espalier::passes
