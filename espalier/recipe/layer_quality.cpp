#include "espalier/recipe/layer_quality.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <ATen/TensorOperators.h>
#include <ATen/ops/sum.h>

#include "espalier/exec/program.h"
#include "espalier/ops/cost.h"
#include "espalier/ops/facts.h"
#include "espalier/quant/quality.h"

namespace espalier::recipe {
namespace {

/// Nothing when they are equal.
std::optional<double> sqnr_db(const Tensor& exact, const Tensor& approximate) {
  const Tensor reference = exact.to(at::kDouble);
  const double noise = quant::energy_of(reference - approximate.to(at::kDouble));
  const double signal = quant::energy_of(reference);
  if (noise <= 0) return std::nullopt;
  if (signal <= 0) return 0;
  return 10 * std::log10(signal / noise);
}

/// The activation that the plan quantizes for this node, or empty.
std::string quantized_input(const ir::Node& node, const quant::QuantPlan& plan) {
  for (const quant::EdgeKey& edge : plan.edges) {
    if (edge.node != node.name()) continue;
    const ir::Value* value = node.input(edge.index);
    if (value != nullptr) return value->name();
  }
  return {};
}

LayerQuality describe(const ir::Node& node, const ops::OpFacts& facts,
                      const quant::QuantPlan& plan) {
  const ir::Value* weight = node.input(static_cast<std::size_t>(facts.weight));
  return {
      .name = node.name(),
      .op = node.op(),
      .input = quantized_input(node, plan),
      .weight = weight != nullptr && plan.weights.contains(weight->name()) ? weight->name() : "",
      .macs = ops::macs(node).value_or(0),
      .output_sqnr_db = std::nullopt};
}

}  // namespace

std::vector<LayerQuality> measure_layers(const ir::Graph& prepared, const ir::Graph& simulated,
                                         const quant::QuantPlan& plan,
                                         std::span<const Tensor> inputs) {
  std::vector<LayerQuality> layers;
  std::vector<std::string> outputs;
  for (const ir::Node* node : prepared.nodes()) {
    const ops::OpFacts* facts = ops::find(*node);
    if (facts == nullptr || facts->cost == ops::CostRule::None) continue;
    if (simulated.find_value(node->output()->name()) == nullptr) continue;
    layers.push_back(describe(*node, *facts, plan));
    outputs.push_back(node->output()->name());
  }
  exec::TensorMap exact;
  const auto reference = exec::Program::compile(prepared, {.taps = outputs});
  static_cast<void>(reference.run(inputs, [&](std::string_view name, const Tensor& tensor) {
    exact.insert_or_assign(std::string(name), tensor.clone());
  }));
  std::map<std::string, std::optional<double>, std::less<>> quality;
  const auto simulation = exec::Program::compile(simulated, {.taps = outputs});
  static_cast<void>(simulation.run(inputs, [&](std::string_view name, const Tensor& tensor) {
    quality.insert_or_assign(std::string(name), sqnr_db(exact.find(name)->second, tensor));
  }));
  for (std::size_t index = 0; index < layers.size(); ++index) {
    layers[index].output_sqnr_db = quality.at(outputs[index]);
  }
  return layers;
}

}  // namespace espalier::recipe
