#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "espalier/ir/graph.h"

namespace espalier::ops {

/// What an operator does, as far as compression asks.
enum class OpKind {
  Convolution,
  ConvTranspose,
  MatMul,         ///< matrix product of its first two inputs; either may be the weight
  Gemm,           ///< fully connected layer
  Normalization,  ///< BatchNormalization and its relatives
  Activation,     ///< nonlinear function of one tensor (slopes and limits are parameters)
  Unary,          ///< other elementwise function of one tensor
  Binary,         ///< elementwise with broadcasting over two or more tensors
  Pool,
  Reduction,
  DataMovement,  ///< output elements are input elements (or a fill value) at other places
  Resize,        ///< resampling: Resize, GridSample
  Shape,         ///< shapes and constants rather than activations
  Quantize,      ///< converts to or from integer codes, or computes on codes
  Opaque         ///< not understood: control flow, custom domains
};

/// "Convolution", "Gemm", ...
[[nodiscard]] std::string_view to_string(OpKind kind);

/// Set of input positions, one bit each.
using PortSet = std::uint32_t;
inline constexpr PortSet kNoPorts = 0;
/// Every input, for operators with any number of them.
inline constexpr PortSet kAllPorts = ~PortSet{0};
[[nodiscard]] constexpr PortSet port(unsigned index) {
  return PortSet{1} << index;
}
[[nodiscard]] constexpr bool contains(PortSet set, std::size_t index) {
  return set == kAllPorts || (index < 32 && ((set >> index) & 1U) != 0);
}

/// Marks "has no such input".
inline constexpr int kNoPort = -1;

/// Where the output channels of a weight lie.
enum class WeightAxis {
  None,
  First,        ///< 0: Conv [M, C/g, k...]
  Second,       ///< 1: ConvTranspose [C, M/g, k...], the channels of one group
  Last,         ///< MatMul [..., K, N]
  ByTransposeB  ///< Gemm: 0 when transB is 1, else 1
};

/// How multiply-accumulates are counted.
enum class CostRule { None, Convolution, ConvTranspose, Gemm, MatMul, Einsum };

/// Values pass only when the string attribute `name` (default `fallback`) equals `value`.
struct AttributeCondition {
  std::string_view name = {};
  std::string_view value = {};
  std::string_view fallback = {};
};

inline constexpr double kUnbounded = std::numeric_limits<double>::infinity();

/// Facts of one operator: data that algorithms ask instead of comparing operator names.
/// Input positions are those of the forms of opset 13 and later.
struct OpFacts {
  std::string_view name;
  OpKind kind = OpKind::Opaque;
  std::string_view domain = {};  ///< empty: ONNX
  /// Inputs that carry activations; the others are weights, parameters, shapes, scales. The weight
  /// port of MatMul is listed too: it carries an activation unless it holds an initializer.
  PortSet data = port(0);
  int weight = kNoPort;
  int bias = kNoPort;
  WeightAxis weight_axis = WeightAxis::None;
  CostRule cost = CostRule::None;
  /// Inputs that training may change when they are floating point initializers (one-element
  /// operands of elementwise operators excepted; see trainable_inputs).
  PortSet trainable = kNoPorts;
  /// Inputs that training replaces by running statistics.
  PortSet running_statistics = kNoPorts;
  /// Every output element equals some element of a data input (or fills with zero), so inputs and
  /// output may share quantization parameters. Ask passes_values(node), which knows conditions.
  bool passes_values = false;
  AttributeCondition passes_when = {};
  /// Input that holds a fill value: values pass only when it is left out or the constant zero.
  int fill = kNoPort;
  /// Non-decreasing function of its data input, element by element.
  bool monotonic = false;
  /// Bounds of the output for any finite input; ask output_range(node), which knows Clip's limits.
  double low = -kUnbounded;
  double high = kUnbounded;
};

/// The facts of a node's operator, or null when it is opaque to Espalier.
[[nodiscard]] const OpFacts* find(const ir::Node& node);
[[nodiscard]] const OpFacts* find(std::string_view op, std::string_view domain = {});

/// All facts, by domain and name.
[[nodiscard]] std::span<const OpFacts> all();

/// Kind of a node; Opaque when find() is null.
[[nodiscard]] OpKind kind_of(const ir::Node& node);

/// True when input `index` of the node carries an activation: a data port that holds no
/// initializer.
[[nodiscard]] bool is_activation_input(const ir::Node& node, std::size_t index);

/// True when every output element equals an element of a data input of this node (or zero).
[[nodiscard]] bool passes_values(const ir::Node& node);

/// Interval that holds all outputs of the node; infinite where nothing is known.
struct OutputRange {
  double low = -kUnbounded;
  double high = kUnbounded;
  bool operator==(const OutputRange&) const = default;
};
[[nodiscard]] OutputRange output_range(const ir::Node& node);

}  // namespace espalier::ops
