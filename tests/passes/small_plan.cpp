#include "tests/passes/small_plan.h"

#include "espalier/ops/facts.h"
#include "espalier/ops/weight.h"

namespace espalier::passes_test {
namespace {

quant::ActivationPlan activation(double low, double high) {
  const tensor::QuantGrid grid{};
  const auto [scale, zero] = tensor::scale_for_range(low, high, grid, /*symmetric=*/false);
  return {.params = {.grid = grid, .scale = {scale}, .zero_point = {zero}, .axis = -1},
          .method = "min_max",
          .low = low,
          .high = high};
}

quant::WeightPlan weight_plan(const Tensor& weight, int axis) {
  const tensor::QuantGrid grid{.bits = 8, .is_signed = true, .narrow = true};
  quant::WeightPlan plan;
  plan.params = {.grid = grid, .scale = {}, .zero_point = {}, .axis = axis};
  for (std::int64_t channel = 0; channel < weight.size(axis); ++channel) {
    const double limit = weight.select(axis, channel).abs().max().item<double>();
    plan.params.scale.push_back(
        tensor::scale_for_range(-limit, limit, grid, /*symmetric=*/true).scale);
    plan.params.zero_point.push_back(0);
  }
  return plan;
}

}  // namespace

quant::QuantPlan plan_for(const ir::Graph& graph, const PlanRequest& request) {
  quant::QuantPlan plan;
  for (const std::string& value : request.values) plan.activations[value] = activation(-2, 3);
  for (const std::string& value : request.non_negative) plan.activations[value] = activation(0, 4);
  for (const auto& [value, params] : request.special) {
    plan.activations[value] = {.params = params, .method = "min_max"};
  }
  for (const ir::Node* node : graph.nodes()) {
    for (std::size_t index = 0; index < node->inputs().size(); ++index) {
      const ir::Value* input = node->input(index);
      if (input == nullptr || !plan.activations.contains(input->name())) continue;
      plan.edges.push_back({.node = node->name(), .index = index});
    }
    const ir::Value* weight = ops::weight_initializer(*node);
    if (weight == nullptr) continue;
    plan.weights[weight->name()] = weight_plan(weight->constant(), *ops::weight_axis(*node));
    const ir::Value* bias = ops::bias_initializer(*node);
    if (bias != nullptr && request.biases) plan.biases[node->name()] = bias->name();
  }
  return plan;
}

}  // namespace espalier::passes_test
