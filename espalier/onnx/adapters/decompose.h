#pragma once

#include "espalier/ir/graph.h"

namespace espalier::onnx {

// Operators written with older ones, in the forms of the opset below their own.

/// x * 0.5 * (1 + erf(x / sqrt(2))), or with `approximate` "tanh":
/// 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).
void decompose_gelu(ir::Graph& graph, ir::Node& node);
/// x * tanh(softplus(x)).
void decompose_mish(ir::Graph& graph, ir::Node& node);
/// x * hard_sigmoid(x) with slope 1/6.
void decompose_hard_swish(ir::Graph& graph, ir::Node& node);
/// InstanceNormalization over [N, groups, -1], then scale and bias of each channel (opset 21).
void decompose_channel_group_norm(ir::Graph& graph, ir::Node& node);
/// The same with scale and bias of each group (opset 18).
void decompose_group_norm(ir::Graph& graph, ir::Node& node);

}  // namespace espalier::onnx
