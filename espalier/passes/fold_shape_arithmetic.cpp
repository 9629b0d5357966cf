#include "espalier/passes/fold_shape_arithmetic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <ATen/ops/tensor.h>

#include "espalier/onnx/shapes.h"
#include "espalier/passes/fold_constants.h"
#include "espalier/passes/shape_evaluation.h"

namespace espalier::passes {
namespace {

using Kind = ShapeNumber::Kind;

/// The vector as a tensor of its type; undefined when a number does not fit the type.
Tensor to_tensor(const ShapeVector& vector) {
  std::vector<std::int64_t> integers;
  std::vector<double> reals;
  for (const ShapeNumber& number : vector.numbers) {
    integers.push_back(number.integer);
    reals.push_back(number.as_real());
  }
  constexpr std::int64_t kMaxInt32 = std::numeric_limits<std::int32_t>::max();
  const bool fits = std::ranges::all_of(
      integers, [](std::int64_t value) { return value <= kMaxInt32 && value >= -kMaxInt32 - 1; });
  const auto type = tensor::to_scalar_type(vector.dtype);
  if (!type || (*type == at::kInt && !fits)) return {};
  const Tensor flat = tensor::is_floating(vector.dtype)
                          ? at::tensor(reals, at::TensorOptions(at::kDouble)).to(*type)
                          : at::tensor(integers, at::TensorOptions(at::kLong)).to(*type);
  return vector.scalar ? flat.reshape({}) : flat;
}

/// True when some user of the value is not shape arithmetic with known results itself.
bool is_wanted(const ir::Value& value, const ShapeValues& values) {
  return std::ranges::any_of(value.uses(), [&values](const ir::Use& use) {
    const auto place = values.find(use.node->output());
    return place == values.end() || !place->second.is_constant() || use.node->output()->is_output();
  });
}

std::size_t replace_known_values(ir::Graph& graph, const ShapeValues& values) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    for (ir::Value* output : node->outputs()) {
      const auto place = values.find(output);
      if (output == nullptr || place == values.end() || output->is_output()) continue;
      if (!place->second.is_constant() || !is_wanted(*output, values)) continue;
      const Tensor constant = to_tensor(place->second);
      if (!constant.defined()) continue;
      ir::Value& known =
          graph.add_initializer(graph.unique_value_name(output->name() + "_constant"), constant);
      graph.replace_all_uses(*output, known);
      ++changes;
    }
  }
  return changes;
}

ShapeNumber dim_of(const ir::Value& value, std::size_t axis) {
  const auto& shape = value.type().shape;
  if (!shape || axis >= shape->size()) return {};
  return number_of_dim((*shape)[axis], value.name(), axis);
}

/// The Reshape target with 0 and -1 in the place of unknown sizes; nothing when two stay unknown.
std::optional<std::vector<std::int64_t>> static_target(const ShapeVector& target,
                                                       const ir::Value& input) {
  std::vector<std::int64_t> sizes;
  bool inferred = false;
  for (std::size_t axis = 0; axis < target.numbers.size(); ++axis) {
    const ShapeNumber& number = target.numbers[axis];
    if (number.kind == Kind::Integer) {
      sizes.push_back(number.integer);
    } else if (number.kind == Kind::Linear && number == dim_of(input, axis)) {
      sizes.push_back(0);
    } else {
      sizes.push_back(-1);
    }
    if (sizes.back() == -1 && inferred) return std::nullopt;
    inferred = inferred || sizes.back() == -1;
  }
  return sizes;
}

bool simplify_reshape(ir::Graph& graph, ir::Node& node, const ShapeValues& values) {
  if (!node.is("Reshape") || node.input(1) == nullptr || node.input(1)->is_initializer()) {
    return false;
  }
  const auto target = values.find(node.input(1));
  if (target == values.end() || target->second.scalar) return false;
  if (node.get_int("allowzero", 0) != 0 || node.input(0) == nullptr) return false;
  const auto sizes = static_target(target->second, *node.input(0));
  if (!sizes) return false;
  const std::string name = graph.unique_value_name(node.name() + "_shape");
  graph.set_input(node, 1, &graph.add_initializer(name, at::tensor(*sizes)));
  return true;
}

/// wanted / present as the scale of a Resize, if it gives exactly the wanted size.
std::optional<float> exact_scale(const ShapeNumber& wanted, const ShapeNumber& present) {
  if (wanted.kind == Kind::Unknown || present.kind == Kind::Unknown) return std::nullopt;
  if (wanted == present) return 1.0F;
  if (wanted.kind == Kind::Integer && present.kind == Kind::Integer) {
    if (present.integer <= 0 || wanted.integer <= 0) return std::nullopt;
    const auto size = static_cast<float>(present.integer);
    const float scale = static_cast<float>(wanted.integer) / size;
    const bool exact = std::floor(size * scale) == static_cast<float>(wanted.integer);
    return exact ? std::optional(scale) : std::nullopt;
  }
  const bool is_multiple = wanted.kind == Kind::Linear && wanted.symbol == present.symbol &&
                           wanted.integer == 0 && present.integer == 0 && present.coefficient > 0 &&
                           wanted.coefficient > 0 && wanted.coefficient % present.coefficient == 0;
  if (!is_multiple) return std::nullopt;
  return static_cast<float>(wanted.coefficient / present.coefficient);
}

bool simplify_resize(ir::Graph& graph, ir::Node& node, const ShapeValues& values) {
  if (!node.is("Resize") || node.input(3) == nullptr || node.input(3)->is_initializer()) {
    return false;
  }
  const auto sizes = values.find(node.input(3));
  if (sizes == values.end() || node.has("axes") || node.input(0) == nullptr) return false;
  if (node.get_string("keep_aspect_ratio_policy", "stretch") != "stretch") return false;
  std::vector<float> scales;
  for (std::size_t axis = 0; axis < sizes->second.numbers.size(); ++axis) {
    const auto scale = exact_scale(sizes->second.numbers[axis], dim_of(*node.input(0), axis));
    if (!scale) return false;
    scales.push_back(*scale);
  }
  graph.truncate_inputs(node, 3);
  const std::string name = graph.unique_value_name(node.name() + "_scales");
  graph.set_input(node, 2, &graph.add_initializer(name, at::tensor(scales)));
  return true;
}

std::size_t apply_round(ir::Graph& graph) {
  onnx::infer_shapes(graph);
  const ShapeValues values = evaluate_shapes(graph);
  if (values.empty()) return 0;
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (simplify_reshape(graph, *node, values)) ++changes;
    if (simplify_resize(graph, *node, values)) ++changes;
  }
  changes += replace_known_values(graph, values);
  if (changes != 0) graph.erase_dead();
  return changes + fold_constants().apply(graph);
}

}  // namespace

Pass fold_shape_arithmetic() {
  return {.name = "fold_shape_arithmetic", .apply = apply_round, .to_fixed_point = true};
}

}  // namespace espalier::passes
