#pragma once

#include <span>
#include <vector>

#include "espalier/recipe/quantization.h"

namespace espalier::recipe {

/// For every node with weights, in graph order: what it reads and how far its simulated output is
/// from the float one on the given inputs, 10 log10(sum y^2 / sum (y - y')^2) in dB (capped at
/// 200).
[[nodiscard]] std::vector<LayerQuality> measure_layers(const ir::Graph& prepared,
                                                       const ir::Graph& simulated,
                                                       const quant::QuantPlan& plan,
                                                       std::span<const Tensor> inputs);

}  // namespace espalier::recipe
