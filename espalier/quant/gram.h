#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/quant/calibrate.h"
#include "espalier/tensor/tensor.h"

namespace espalier::quant {

/// Second moments of what one layer with weights multiplies them by. A column x holds the inputs of
/// one output element, in the order of a row of the weight (channel axis first, flattened).
struct LayerMoments {
  Tensor covariance;  ///< float32 [groups, k, k]: E[(x - mean)(x - mean)^T]
  Tensor mean;        ///< float32 [groups, k]
};

struct GramOptions {
  std::size_t samples = 128;
  std::size_t micro_batch = 8;
  int threads = 1;  ///< changes no bit
  /// Output positions of one micro-batch that are looked at, evenly spread; bounds the time.
  std::int64_t positions = 1024;
};

/// True for layers whose moments can be collected: convolutions over two dimensions and products
/// with a constant weight.
[[nodiscard]] bool has_moments(const ir::Node& node);
/// Bytes that collecting needs for the layer.
[[nodiscard]] std::uint64_t moment_bytes(const ir::Node& node);

/// Runs the graph over the samples and collects the moments of the named layers, by node name.
[[nodiscard]] std::map<std::string, LayerMoments> collect_moments(
    const ir::Graph& graph, std::span<const std::string> nodes, const BatchSource& next,
    const GramOptions& options);

}  // namespace espalier::quant
