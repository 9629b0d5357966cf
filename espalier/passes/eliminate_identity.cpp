#include "espalier/passes/eliminate_identity.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>

#include <ATen/TensorOperators.h>

#include "espalier/passes/bypass.h"
#include "espalier/passes/operands.h"
#include "espalier/tensor/dtype.h"

namespace espalier::passes {
namespace {

using Condition = bool (*)(const ir::Node&);

bool always(const ir::Node&) {
  return true;
}

bool has_one_input(const ir::Node& node) {
  return node.inputs().size() == 1;
}

/// ONNX TensorProto.DataType numbers of the types that Cast converts between.
tensor::DType dtype_of_number(std::int64_t number) {
  using tensor::DType;
  constexpr std::array kTypes{
      DType::Undefined, DType::Float32, DType::UInt8,  DType::Int8,  DType::UInt16,  DType::Int16,
      DType::Int32,     DType::Int64,   DType::String, DType::Bool,  DType::Float16, DType::Float64,
      DType::UInt32,    DType::UInt64,  DType::Other,  DType::Other, DType::BFloat16};
  const bool known = number > 0 && number < static_cast<std::int64_t>(kTypes.size());
  return known ? kTypes[static_cast<std::size_t>(number)] : DType::Undefined;
}

bool casts_to_same(const ir::Node& node) {
  const tensor::DType held = node.input(0)->type().dtype;
  if (held == tensor::DType::Undefined || held == tensor::DType::Other) return false;
  return held == dtype_of_number(node.get_int("to", 0));
}

/// Both shapes known and equal.
bool keeps_known_shape(const ir::Node& node) {
  const auto& before = node.input(0)->type().shape;
  const auto& after = node.output()->type().shape;
  if (!before || !after) return false;
  const auto sizes = tensor::known_sizes(*before);
  return sizes && sizes == tensor::known_sizes(*after);
}

/// A target of 0 copies the dimension, -1 is the rest: with all others equal it is equal too.
bool reshapes_to_same(const ir::Node& node) {
  if (keeps_known_shape(node)) return true;
  const auto& shape = node.input(0)->type().shape;
  const auto target = constant_ints(node.input(1));
  if (!shape || !target || shape->size() != target->size()) return false;
  if (node.get_int("allowzero", 0) != 0) return false;
  int inferred = 0;
  for (std::size_t axis = 0; axis < shape->size(); ++axis) {
    const std::int64_t wanted = (*target)[axis];
    if (wanted == 0 || (*shape)[axis].size == wanted) continue;
    if (wanted != -1) return false;
    ++inferred;
  }
  return inferred <= 1;
}

bool flattens_matrix(const ir::Node& node) {
  const auto& shape = node.input(0)->type().shape;
  return shape && shape->size() == 2 && node.get_int("axis", 1) == 1;
}

bool keeps_order(const ir::Node& node) {
  const ir::Ints permutation = node.get_ints("perm", {});
  return !permutation.empty() && std::ranges::is_sorted(permutation);
}

bool all_zero(const ir::Ints& values) {
  return std::ranges::all_of(values, [](std::int64_t value) { return value == 0; });
}

bool pads_nothing(const ir::Node& node) {
  if (node.has("pads")) return all_zero(node.get_ints("pads", {}));
  const auto pads = constant_ints(node.input(1));
  return pads && all_zero(*pads);
}

bool slices_everything(const ir::Node& node) {
  const auto& shape = node.input(0)->type().shape;
  const auto starts = constant_ints(node.input(1));
  const auto ends = constant_ints(node.input(2));
  if (!shape || !starts || !ends || starts->size() != ends->size()) return false;
  ir::Ints axes(starts->size());
  std::iota(axes.begin(), axes.end(), 0);
  if (node.input(3) != nullptr) axes = constant_ints(node.input(3)).value_or(ir::Ints{});
  ir::Ints steps(starts->size(), 1);
  if (node.input(4) != nullptr) steps = constant_ints(node.input(4)).value_or(ir::Ints{});
  if (axes.size() != starts->size() || steps.size() != starts->size()) return false;
  const auto rank = static_cast<std::int64_t>(shape->size());
  constexpr std::int64_t kUnboundedEnd = (std::int64_t{1} << 31) - 1;
  for (std::size_t index = 0; index < axes.size(); ++index) {
    const std::int64_t axis = axes[index] < 0 ? axes[index] + rank : axes[index];
    if (axis < 0 || axis >= rank) return false;
    const auto& size = (*shape)[static_cast<std::size_t>(axis)].size;
    const bool reaches_end = (*ends)[index] >= kUnboundedEnd || (size && (*ends)[index] >= *size);
    if ((*starts)[index] != 0 || !reaches_end || steps[index] != 1) return false;
  }
  return true;
}

bool scales_by_one(const ir::Node& node) {
  const std::size_t port = node.is("Resize") ? 2 : 1;
  const Tensor* scales = constant_of(node.input(port));
  if (scales == nullptr || scales->numel() == 0 || node.input(3) != nullptr) return false;
  if (node.get_string("coordinate_transformation_mode", "") == "tf_crop_and_resize") return false;
  return (*scales == 1.0).all().item<bool>();
}

bool pools_single_elements(const ir::Node& node) {
  const auto is_one = [](std::int64_t value) { return value == 1; };
  const ir::Ints window = node.get_ints("kernel_shape", {});
  return !window.empty() && std::ranges::all_of(window, is_one) &&
         std::ranges::all_of(node.get_ints("strides", {}), is_one) &&
         all_zero(node.get_ints("pads", {}));
}

struct Rule {
  std::string_view op;
  Condition gives_back_input;
};

constexpr std::array kRules{
    Rule{"Identity", always},
    Rule{"Cast", casts_to_same},
    Rule{"Reshape", reshapes_to_same},
    Rule{"Expand", keeps_known_shape},
    Rule{"Flatten", flattens_matrix},
    Rule{"Transpose", keeps_order},
    Rule{"Pad", pads_nothing},
    Rule{"Slice", slices_everything},
    Rule{"Concat", has_one_input},
    Rule{"Sum", has_one_input},
    Rule{"Max", has_one_input},
    Rule{"Min", has_one_input},
    Rule{"Mean", has_one_input},
    Rule{"Resize", scales_by_one},
    Rule{"Upsample", scales_by_one},
    Rule{"AveragePool", pools_single_elements},
    Rule{"MaxPool", pools_single_elements},
};

bool gives_back_input(const ir::Node& node) {
  if (!node.domain().empty() || node.input(0) == nullptr || node.output() == nullptr) return false;
  const auto rule = std::ranges::find(kRules, node.op(), &Rule::op);
  return rule != kRules.end() && rule->gives_back_input(node);
}

std::size_t eliminate_identity_in(ir::Graph& graph) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (gives_back_input(*node) && bypass(graph, *node, *node->input(0))) ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

}  // namespace

Pass eliminate_identity() {
  return {.name = "eliminate_identity", .apply = eliminate_identity_in, .to_fixed_point = true};
}

}  // namespace espalier::passes
