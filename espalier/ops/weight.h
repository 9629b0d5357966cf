#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "espalier/ir/graph.h"

namespace espalier::ops {

/// The initializer that a value carries, seen through Identity, FakeQuantize, DequantizeLinear and
/// QuantizeLinear, at most 64 of them; null when the value is computed from activations.
[[nodiscard]] ir::Value* initializer_behind(const ir::Value* value);

/// The initializer behind the node's weight port; null when the operator has none or the weight is
/// computed. For MatMul whose first input is constant, that input.
[[nodiscard]] ir::Value* weight_initializer(const ir::Node& node);
/// The initializer behind the node's bias port, or null.
[[nodiscard]] ir::Value* bias_initializer(const ir::Node& node);
/// Input position of the weight (MatMul: the constant side); nothing without a constant weight.
[[nodiscard]] std::optional<std::size_t> weight_port(const ir::Node& node);

/// Axis of the weight along which per-channel quantization parameters lie: 0 for Conv, 1 for
/// ConvTranspose (channels of one group), by transB for Gemm, the last for MatMul (the last but one
/// when the constant is its left side). Nothing when there is no constant weight, or it is a
/// vector.
[[nodiscard]] std::optional<int> weight_axis(const ir::Node& node);
/// Output channels of the node by its weight, all groups together.
[[nodiscard]] std::optional<std::int64_t> output_channels(const ir::Node& node);

/// Positions of the inputs that training may change: trainable ports that hold a floating point
/// initializer (also behind FakeQuantize). One-element operands of elementwise operators are
/// constants of the architecture (the 6 of a hard swish), not parameters. For FakeQuantize, what
/// its estimator learns.
[[nodiscard]] std::vector<std::size_t> trainable_inputs(const ir::Node& node);
/// Positions of the inputs that hold running statistics in an initializer. For FakeQuantize, what
/// its estimator observes.
[[nodiscard]] std::vector<std::size_t> running_statistics_inputs(const ir::Node& node);

}  // namespace espalier::ops
