#pragma once

#include <cstdint>
#include <optional>

#include "espalier/ir/graph.h"

namespace espalier::ops {

/// Multiply-accumulates of a convolution, transposed convolution, Gemm, MatMul or Einsum, from the
/// shapes of its values; an unknown batch (dimension 0 of the activation) counts as 1. Zero for
/// operators that have none by convention; nothing when a needed size is unknown, or for an Einsum
/// whose equation einsum_equation does not read.
[[nodiscard]] std::optional<std::int64_t> macs(const ir::Node& node);

/// Sum over the nodes of a graph.
struct TotalMacs {
  std::int64_t macs = 0;
  /// Nodes whose count needs an unknown size; they are left out of the sum.
  std::int64_t uncounted = 0;
};
[[nodiscard]] TotalMacs total_macs(const ir::Graph& graph);

/// Elements of all weights, biases and other trainable initializers, each initializer once; integer
/// codes of quantized weights count, running statistics and quantization scales do not.
[[nodiscard]] std::int64_t parameters(const ir::Graph& graph);

}  // namespace espalier::ops
