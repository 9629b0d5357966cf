#include "espalier/quant/bias_correction.h"

#include <optional>

#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>

#include "espalier/ops/facts.h"
#include "espalier/ops/weight.h"
#include "espalier/quant/weights.h"

namespace espalier::quant {
namespace {

/// (w - w') E[x] for each output channel; nothing where the layer's form is not covered.
std::optional<std::vector<float>> mean_error(const ir::Node& node, const WeightPlan& plan,
                                             const ChannelMoments& moments) {
  const Tensor& weight = node.input(*ops::weight_port(node))->constant();
  const int axis = *ops::weight_axis(node);
  const Tensor error = (weight.to(at::kFloat) - rounded_weight(weight, plan)).to(at::kDouble);
  const auto inputs = static_cast<std::int64_t>(moments.mean.size());
  auto* data = const_cast<double*>(moments.mean.data());
  const Tensor mean = at::from_blob(data, {inputs}, at::kDouble);
  Tensor sum;
  if (node.is("Conv")) {
    const std::int64_t groups = node.get_int("group", 1);
    if (weight.size(1) * groups != inputs) return std::nullopt;
    const Tensor by_input = error.flatten(2).sum(2).reshape({groups, -1, weight.size(1)});
    sum = (by_input * mean.reshape({groups, 1, -1})).sum(2).reshape({-1});
  } else {
    const bool product = ops::find(node)->cost == ops::CostRule::Gemm ||
                         ops::find(node)->cost == ops::CostRule::MatMul;
    if (!product || weight.dim() != 2 || weight.numel() != inputs * weight.size(axis)) {
      return std::nullopt;
    }
    sum = (error.movedim(axis, 0) * mean).sum(1);
  }
  sum = sum.to(at::kFloat).contiguous();
  return std::vector<float>(sum.data_ptr<float>(), sum.data_ptr<float>() + sum.numel());
}

}  // namespace

std::map<std::string, std::vector<float>> mean_errors(const ir::Graph& prepared,
                                                      const QuantPlan& plan,
                                                      const Statistics& statistics) {
  std::map<std::string, std::vector<float>> corrections;
  for (const ir::Node* node : prepared.nodes()) {
    const auto port = ops::weight_port(*node);
    const ir::Value* bias = ops::bias_initializer(*node);
    if (!port || bias == nullptr || bias->uses().size() != 1 || bias->is_output()) continue;
    const auto weight = plan.weights.find(node->input(*port)->name());
    const ir::Value* input = node->input(*port == 0 ? 1 : 0);
    if (weight == plan.weights.end() || input == nullptr) continue;
    const auto moments = statistics.channels.find(input->name());
    if (moments == statistics.channels.end()) continue;
    if (auto found = mean_error(*node, weight->second, moments->second)) {
      corrections[bias->name()] = std::move(*found);
    }
  }
  return corrections;
}

int correct_biases(const ir::Graph& prepared, QuantPlan& plan, const Statistics& statistics,
                   const PlanError& error) {
  const auto corrections = mean_errors(prepared, plan, statistics);
  double least = error(plan);
  int kept = 0;
  for (const ir::Node* node : prepared.nodes()) {
    const ir::Value* bias = ops::bias_initializer(*node);
    if (bias == nullptr || !corrections.contains(bias->name())) continue;
    const auto [place, fresh] =
        plan.bias_corrections.try_emplace(bias->name(), corrections.at(bias->name()));
    if (!fresh) continue;
    const double found = error(plan);
    if (found < least) {
      least = found;
      ++kept;
    } else {
      plan.bias_corrections.erase(place);
    }
  }
  return kept;
}

}  // namespace espalier::quant
