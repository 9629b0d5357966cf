#include "espalier/onnx/adapters/adapter.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::onnx {

void refuse_below(const ir::Node& node, std::int64_t lowest, std::string reason) {
  throw base::UnsupportedError({.what = "cannot write the model at this opset",
                                .where = node.label(),
                                .got = std::move(reason),
                                .expected = fmt::format("opset {} or later", lowest),
                                .hint = fmt::format("ask for opset {}", lowest)});
}

void refuse_upgrade(const ir::Node& node, std::string reason) {
  throw base::UnsupportedError({.what = "cannot bring the model to a newer opset",
                                .where = node.label(),
                                .got = std::move(reason),
                                .hint = "export the model again with opset 13 or later"});
}

ir::Value& add_constant(ir::Graph& graph, const ir::Node& node, std::string_view what,
                        Tensor constant) {
  return graph.add_initializer(graph.unique_value_name(fmt::format("{}_{}", node.name(), what)),
                               std::move(constant));
}

Tensor int_vector(const ir::Ints& values) {
  return at::tensor(values, at::kLong);
}

Tensor scalar_like(const ir::Value* like, double value) {
  const auto dtype = like == nullptr ? tensor::DType::Undefined : like->type().dtype;
  const auto type = tensor::to_scalar_type(dtype).value_or(at::kFloat);
  return at::scalar_tensor(value, at::TensorOptions(type));
}

std::optional<ir::Ints> constant_ints(const ir::Value* value) {
  if (value == nullptr || !value->is_initializer()) return std::nullopt;
  const Tensor integers = value->constant().to(at::kLong).contiguous();
  const auto* data = integers.const_data_ptr<std::int64_t>();
  return ir::Ints(data, data + integers.numel());
}

void ints_to_input(ir::Graph& graph, ir::Node& node, std::string_view attribute,
                   std::size_t index) {
  if (!node.has(attribute)) return;
  const ir::Ints values = node.get_ints(attribute, {});
  node.remove(attribute);
  graph.set_input(node, index, &add_constant(graph, node, attribute, int_vector(values)));
}

void drop_input(ir::Graph& graph, ir::Node& node, std::size_t index) {
  ir::Value* value = node.input(index);
  if (index >= node.inputs().size()) return;
  graph.set_input(node, index, nullptr);
  std::size_t count = node.inputs().size();
  while (count > 0 && node.input(count - 1) == nullptr) --count;
  graph.truncate_inputs(node, count);
  if (value != nullptr && value->is_initializer() && value->uses().empty() && !value->is_output()) {
    graph.erase(*value);
  }
}

std::optional<std::int64_t> rank_of(const ir::Value* value) {
  if (value == nullptr || !value->type().shape) return std::nullopt;
  return static_cast<std::int64_t>(value->type().shape->size());
}

std::optional<std::int64_t> size_of(const ir::Value* value, std::int64_t axis) {
  const auto rank = rank_of(value);
  if (!rank) return std::nullopt;
  if (axis < 0) axis += *rank;
  if (axis < 0 || axis >= *rank) return std::nullopt;
  return (*value->type().shape)[static_cast<std::size_t>(axis)].size;
}

void become(ir::Graph& graph, ir::Node& node, std::string op,
            const std::vector<ir::Value*>& inputs) {
  const ir::Attributes attributes = node.attributes();
  for (const auto& [name, attribute] : attributes) node.remove(name);
  graph.set_op(node, std::move(op));
  graph.truncate_inputs(node, 0);
  for (std::size_t index = 0; index < inputs.size(); ++index) {
    graph.set_input(node, index, inputs[index]);
  }
}

ir::Value& insert_op(ir::Graph& graph, const ir::Node& place, std::string_view suffix,
                     std::string op, std::vector<ir::Value*> inputs, ir::Attributes attributes) {
  const std::string stem = fmt::format("{}_{}", place.name(), suffix);
  const ir::TypeInfo type = inputs.empty() || inputs[0] == nullptr
                                ? ir::TypeInfo{}
                                : ir::TypeInfo{.dtype = inputs[0]->type().dtype, .shape = {}};
  ir::Node& node = graph.insert_before(place, {.op = std::move(op),
                                               .inputs = std::move(inputs),
                                               .outputs = {graph.unique_value_name(stem)},
                                               .attributes = std::move(attributes),
                                               .name = graph.unique_node_name(stem)});
  node.output()->set_type(type);
  return *node.output();
}

}  // namespace espalier::onnx
