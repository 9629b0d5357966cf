#include "espalier/ops/weight.h"

#include "espalier/ops/estimator.h"
#include "espalier/ops/facts.h"

namespace espalier::ops {
namespace {

/// True for nodes that carry their first input on, apart from rounding.
bool is_carrier(const ir::Node& node) {
  return node.is("Identity") || node.is("DequantizeLinear") || node.is("QuantizeLinear") ||
         (node.domain() == ir::kEspalierDomain && node.op() == "FakeQuantize");
}

ir::Value* initializer_at(const ir::Node& node, int port_index) {
  if (port_index == kNoPort) return nullptr;
  return initializer_behind(node.input(static_cast<std::size_t>(port_index)));
}

}  // namespace

ir::Value* initializer_behind(const ir::Value* value) {
  // Models carry a weight through one or two nodes; a chain of 100 000 would be walked for each.
  constexpr int kLongestChain = 64;
  for (int step = 0; step < kLongestChain; ++step) {
    if (value == nullptr || value->producer() == nullptr) break;
    if (!is_carrier(*value->producer())) break;
    value = value->producer()->input(0);
  }
  return value != nullptr && value->is_initializer() ? const_cast<ir::Value*>(value) : nullptr;
}

std::optional<std::size_t> weight_port(const ir::Node& node) {
  const OpFacts* facts = find(node);
  if (facts == nullptr || facts->weight == kNoPort) return std::nullopt;
  if (initializer_at(node, facts->weight) != nullptr) {
    return static_cast<std::size_t>(facts->weight);
  }
  const bool left_side = facts->cost == CostRule::MatMul && initializer_at(node, 0) != nullptr;
  return left_side ? std::optional<std::size_t>(0) : std::nullopt;
}

ir::Value* weight_initializer(const ir::Node& node) {
  const auto index = weight_port(node);
  return index ? initializer_behind(node.input(*index)) : nullptr;
}

ir::Value* bias_initializer(const ir::Node& node) {
  const OpFacts* facts = find(node);
  return facts == nullptr ? nullptr : initializer_at(node, facts->bias);
}

std::optional<int> weight_axis(const ir::Node& node) {
  const ir::Value* weight = weight_initializer(node);
  if (weight == nullptr) return std::nullopt;
  const int rank = static_cast<int>(weight->constant().dim());
  if (rank < 2) return std::nullopt;
  switch (find(node)->weight_axis) {
    case WeightAxis::None:
      return std::nullopt;
    case WeightAxis::First:
      return 0;
    case WeightAxis::Second:
      return 1;
    case WeightAxis::ByTransposeB:
      return node.get_int("transB", 0) != 0 ? 0 : 1;
    case WeightAxis::Last:
      return weight_port(node) == 0U ? rank - 2 : rank - 1;
  }
  return std::nullopt;
}

std::optional<std::int64_t> output_channels(const ir::Node& node) {
  const auto axis = weight_axis(node);
  if (!axis) return std::nullopt;
  const std::int64_t channels = weight_initializer(node)->constant().size(*axis);
  const bool per_group = find(node)->weight_axis == WeightAxis::Second;
  return per_group ? channels * node.get_int("group", 1) : channels;
}

std::vector<std::size_t> trainable_inputs(const ir::Node& node) {
  const OpFacts* facts = find(node);
  std::vector<std::size_t> indices;
  if (facts == nullptr) return indices;
  const Estimator* estimator = estimator_of(node);
  const PortSet trainable = estimator == nullptr ? facts->trainable : estimator->learned;
  for (std::size_t index = 0; index < node.inputs().size(); ++index) {
    const bool candidate =
        contains(trainable, index) || (facts->kind == OpKind::MatMul && weight_port(node) == index);
    const ir::Value* constant = candidate ? initializer_behind(node.input(index)) : nullptr;
    if (constant == nullptr || !tensor::is_floating(constant->type().dtype)) continue;
    if (facts->kind == OpKind::Binary && constant->constant().numel() <= 1) continue;
    indices.push_back(index);
  }
  return indices;
}

std::vector<std::size_t> running_statistics_inputs(const ir::Node& node) {
  const OpFacts* facts = find(node);
  std::vector<std::size_t> indices;
  if (facts == nullptr) return indices;
  const Estimator* estimator = estimator_of(node);
  const PortSet observed = estimator == nullptr ? facts->running_statistics : estimator->observed;
  for (std::size_t index = 0; index < node.inputs().size(); ++index) {
    if (observed != kNoPorts && contains(observed, index) &&
        initializer_behind(node.input(index)) != nullptr) {
      indices.push_back(index);
    }
  }
  return indices;
}

}  // namespace espalier::ops
