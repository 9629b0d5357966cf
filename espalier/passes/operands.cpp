#include "espalier/passes/operands.h"

#include <ATen/ops/flatten.h>

namespace espalier::passes {

const Tensor* constant_of(const ir::Value* value) {
  return value != nullptr && value->is_initializer() ? &value->constant() : nullptr;
}

std::optional<ir::Ints> constant_ints(const ir::Value* value) {
  const Tensor* constant = constant_of(value);
  if (constant == nullptr || constant->dim() > 1) return std::nullopt;
  if (!at::isIntegralType(constant->scalar_type(), /*includeBool=*/false)) return std::nullopt;
  const Tensor list = constant->to(at::kLong).flatten().contiguous();
  return ir::Ints(list.const_data_ptr<std::int64_t>(),
                  list.const_data_ptr<std::int64_t>() + list.numel());
}

std::optional<double> constant_number(const ir::Value* value) {
  const Tensor* constant = constant_of(value);
  if (constant == nullptr || constant->numel() != 1 || constant->scalar_type() == at::kBool) {
    return std::nullopt;
  }
  return constant->to(at::kDouble).item<double>();
}

ir::Node* sole_user(const ir::Value* value) {
  if (value == nullptr || value->is_output() || value->uses().size() != 1) return nullptr;
  return value->uses().front().node;
}

std::int64_t opset_of(const ir::Graph& graph) {
  const auto place = graph.opsets.find("");
  return place == graph.opsets.end() ? 0 : place->second;
}

void replace_constant(ir::Graph& graph, ir::Node& node, std::size_t index, const Tensor& constant) {
  ir::Value* present = node.input(index);
  if (sole_user(present) == &node && present->is_initializer()) {
    graph.set_constant(*present, constant);
    return;
  }
  const std::string stem = present == nullptr ? node.name() + "_constant" : present->name();
  graph.set_input(node, index, &graph.add_initializer(graph.unique_value_name(stem), constant));
}

}  // namespace espalier::passes
