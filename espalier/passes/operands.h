#pragma once

#include <optional>

#include "espalier/ir/graph.h"

namespace espalier::passes {

/// Number of the input that is the bias of Conv, ConvTranspose, Gemm and BatchNormalization.
inline constexpr std::size_t kBiasInput = 2;

/// The tensor of an initializer; null for anything else, and for null.
[[nodiscard]] const Tensor* constant_of(const ir::Value* value);

/// The integers of an initializer of an integer type with at most one dimension; nothing otherwise.
[[nodiscard]] std::optional<ir::Ints> constant_ints(const ir::Value* value);

/// The number in a floating or integer initializer of exactly one element; nothing otherwise.
[[nodiscard]] std::optional<double> constant_number(const ir::Value* value);

/// The node that alone uses the value, once; null when there are more uses or the value is a graph
/// output.
[[nodiscard]] ir::Node* sole_user(const ir::Value* value);

/// The operator set version of ONNX's own domain; 0 when the graph names none.
[[nodiscard]] std::int64_t opset_of(const ir::Graph& graph);

/// Gives input `index` of the node this constant: in place when the node alone uses the present
/// initializer, as a new initializer of a similar name otherwise.
void replace_constant(ir::Graph& graph, ir::Node& node, std::size_t index, const Tensor& constant);

}  // namespace espalier::passes
