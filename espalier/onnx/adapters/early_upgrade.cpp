// Opsets 1 to 6: explicit broadcasting, `is_test`, `consumed_inputs`, shapes as attributes.
#include <array>
#include <numeric>

#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "espalier/onnx/adapters/adapter.h"
#include "espalier/onnx/elem_type.h"

namespace espalier::onnx {
namespace {

void name_pads(ir::Graph&, ir::Node& node) {
  if (!node.has("paddings")) return;
  const ir::Ints pads = node.get_ints("paddings", {});
  node.remove("paddings");
  node.set("pads", pads);
}

void default_concat_axis(ir::Graph&, ir::Node& node) {
  if (!node.has("axis")) node.set("axis", std::int64_t{1});
}

void shape_to_input(ir::Graph& graph, ir::Node& node) {
  ints_to_input(graph, node, "shape", 1);
  node.remove("consumed_inputs");
}

void drop_consumed_inputs(ir::Graph&, ir::Node& node) {
  node.remove("consumed_inputs");
}

/// Cast 6: the type is a number instead of a name like "FLOAT".
void number_cast_type(ir::Graph&, ir::Node& node) {
  struct Row {
    std::string_view name;
    tensor::DType dtype;
  };
  constexpr std::array kRows{
      Row{"FLOAT", tensor::DType::Float32},   Row{"DOUBLE", tensor::DType::Float64},
      Row{"FLOAT16", tensor::DType::Float16}, Row{"INT8", tensor::DType::Int8},
      Row{"UINT8", tensor::DType::UInt8},     Row{"INT16", tensor::DType::Int16},
      Row{"UINT16", tensor::DType::UInt16},   Row{"INT32", tensor::DType::Int32},
      Row{"UINT32", tensor::DType::UInt32},   Row{"INT64", tensor::DType::Int64},
      Row{"UINT64", tensor::DType::UInt64},   Row{"BOOL", tensor::DType::Bool}};
  const std::string name = node.get_string("to", "");
  for (const Row& row : kRows) {
    if (row.name != name) continue;
    node.set("to", std::int64_t{elem_type_of(row.dtype)});
    return;
  }
  refuse_upgrade(node, fmt::format("the type '{}'", name));
}

void require_test_form(ir::Graph&, ir::Node& node) {
  if (node.get_int("is_test", 0) == 0) refuse_upgrade(node, "its training form (is_test 0)");
  node.remove("is_test");
  node.remove("consumed_inputs");
}

void drop_gemm_broadcast(ir::Graph&, ir::Node& node) {
  node.remove("broadcast");
}

/// Binary operators 7: B was aligned with A at `axis`, now shapes align at their ends.
void align_broadcast(ir::Graph& graph, ir::Node& node) {
  const bool broadcast = node.get_int("broadcast", 0) != 0;
  const bool has_axis = node.has("axis");
  std::int64_t axis = node.get_int("axis", 0);
  node.remove("broadcast");
  node.remove("axis");
  if (!broadcast || !has_axis) return;
  const auto left = rank_of(node.input(0));
  const auto right = rank_of(node.input(1));
  if (!left || !right) refuse_upgrade(node, "broadcasting of tensors of unknown rank");
  if (axis < 0) axis += *left;
  const std::int64_t behind = *left - axis - *right;
  if (behind < 0 || behind > *left) refuse_upgrade(node, fmt::format("axis {}", axis));
  if (behind == 0) return;
  ir::Ints axes(static_cast<std::size_t>(behind));
  std::iota(axes.begin(), axes.end(), *right);
  ir::Value& aligned =
      insert_op(graph, node, "aligned", "Unsqueeze", {node.input(1)}, {{"axes", axes}});
  graph.set_input(node, 1, &aligned);
}

/// Upsample 7: one scale for every axis.
void join_scales(ir::Graph&, ir::Node& node) {
  if (node.has("scales")) return;
  const ir::Floats scales{1.0F, 1.0F, node.get_float("height_scale", 1.0F),
                          node.get_float("width_scale", 1.0F)};
  node.remove("height_scale");
  node.remove("width_scale");
  node.set("scales", scales);
}

constexpr std::array kEarlyUpgrades{
    Adapter{"Pad", 2, name_pads},
    Adapter{"Concat", 4, default_concat_axis},
    Adapter{"Reshape", 5, shape_to_input},
    Adapter{"Abs", 6, drop_consumed_inputs},
    Adapter{"Ceil", 6, drop_consumed_inputs},
    Adapter{"Clip", 6, drop_consumed_inputs},
    Adapter{"Elu", 6, drop_consumed_inputs},
    Adapter{"Exp", 6, drop_consumed_inputs},
    Adapter{"Floor", 6, drop_consumed_inputs},
    Adapter{"HardSigmoid", 6, drop_consumed_inputs},
    Adapter{"InstanceNormalization", 6, drop_consumed_inputs},
    Adapter{"LeakyRelu", 6, drop_consumed_inputs},
    Adapter{"Log", 6, drop_consumed_inputs},
    Adapter{"Max", 6, drop_consumed_inputs},
    Adapter{"Mean", 6, drop_consumed_inputs},
    Adapter{"Min", 6, drop_consumed_inputs},
    Adapter{"Neg", 6, drop_consumed_inputs},
    Adapter{"PRelu", 6, drop_consumed_inputs},
    Adapter{"Reciprocal", 6, drop_consumed_inputs},
    Adapter{"Relu", 6, drop_consumed_inputs},
    Adapter{"Selu", 6, drop_consumed_inputs},
    Adapter{"Sigmoid", 6, drop_consumed_inputs},
    Adapter{"Sqrt", 6, drop_consumed_inputs},
    Adapter{"Sum", 6, drop_consumed_inputs},
    Adapter{"Tanh", 6, drop_consumed_inputs},
    Adapter{"Add", 6, drop_consumed_inputs},
    Adapter{"Sub", 6, drop_consumed_inputs},
    Adapter{"Mul", 6, drop_consumed_inputs},
    Adapter{"Div", 6, drop_consumed_inputs},
    Adapter{"Cast", 6, number_cast_type},
    Adapter{"BatchNormalization", 7, require_test_form},
    Adapter{"Dropout", 7, require_test_form},
    Adapter{"Gemm", 7, drop_gemm_broadcast},
    Adapter{"Add", 7, align_broadcast},
    Adapter{"Sub", 7, align_broadcast},
    Adapter{"Mul", 7, align_broadcast},
    Adapter{"Div", 7, align_broadcast},
    Adapter{"Pow", 7, align_broadcast},
    Adapter{"And", 7, align_broadcast},
    Adapter{"Or", 7, align_broadcast},
    Adapter{"Xor", 7, align_broadcast},
    Adapter{"Equal", 7, align_broadcast},
    Adapter{"Greater", 7, align_broadcast},
    Adapter{"Less", 7, align_broadcast},
    Adapter{"Upsample", 7, join_scales},
};

}  // namespace

std::span<const Adapter> early_upgrades() {
  return kEarlyUpgrades;
}

}  // namespace espalier::onnx
