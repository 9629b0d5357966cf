#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/quant/calibrate.h"
#include "espalier/quant/placement.h"

namespace espalier::quant_test {

/// A graph in ONNX's text syntax with inferred shapes. Inputs whose names do not start with "x"
/// become initializers of random numbers.
[[nodiscard]] ir::Graph graph_of(std::string_view text, std::uint64_t seed = 1);

/// Gives `data` (one tensor an input) in batches of `size` samples.
[[nodiscard]] quant::BatchSource source_of(std::vector<Tensor> data, std::int64_t size);

/// Statistics of a value whose samples are these values.
[[nodiscard]] quant::ValueStatistics statistics_of(const std::vector<float>& values);

/// Statistics of all values that the default plan of the graph needs, on random normal inputs.
[[nodiscard]] quant::Statistics calibrated(const ir::Graph& graph, std::string_view target,
                                           std::int64_t samples = 16);

/// A placement as text: "{x} {r p} | conv:0 pool:0 output:0 | relu": groups, edges, float nodes.
[[nodiscard]] std::string placed(std::string_view text, std::string_view target,
                                 const quant::PlacementOptions& options = {});

}  // namespace espalier::quant_test
