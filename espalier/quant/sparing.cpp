#include "espalier/quant/sparing.h"

#include <algorithm>
#include <set>

#include "espalier/analysis/reach.h"
#include "espalier/base/name_match.h"
#include "espalier/ops/cost.h"
#include "espalier/ops/weight.h"
#include "espalier/quant/target.h"

namespace espalier::quant {
namespace {

constexpr std::string_view kReason = "kept in floating point: that lowers the measured error";

std::set<std::string> layer_names(const Placement& placement) {
  std::set<std::string> names;
  for (const QuantizedLayer& layer : placement.layers) names.insert(layer.node);
  return names;
}

/// Layers with weights that read a graph input or whose result leaves the graph.
std::vector<const ir::Node*> end_layers(const ir::Graph& graph, const PlanOptions& options) {
  PlanOptions without_ends = options;
  without_ends.quantize_first = false;
  without_ends.quantize_last = false;
  const std::set<std::string> inner = layer_names(place_for(graph, without_ends, {}));
  std::vector<const ir::Node*> layers;
  for (const QuantizedLayer& layer : place_for(graph, options, {}).layers) {
    if (!inner.contains(layer.node)) layers.push_back(graph.find_node(layer.node));
  }
  return layers;
}

/// Share of all multiply-accumulates; 0 when unknown.
double mac_share(const ir::Graph& graph, const ir::Node& node) {
  const auto total = static_cast<double>(ops::total_macs(graph).macs);
  return total > 0 ? static_cast<double>(ops::macs(node).value_or(0)) / total : 0;
}

/// Elements of the results of nodes for one image (an unknown first dimension counts once);
/// nothing when a size is unknown.
template <typename Nodes>
std::optional<double> elements_of(const Nodes& nodes) {
  double sum = 0;
  for (const ir::Node* node : nodes) {
    for (const ir::Value* output : node->outputs()) {
      if (output == nullptr) continue;
      if (!output->type().shape) return std::nullopt;
      tensor::Shape shape = *output->type().shape;
      if (!shape.empty() && !shape.front().known()) shape.erase(shape.begin());
      const std::optional<std::int64_t> count = tensor::num_elements(shape);
      if (!count) return std::nullopt;
      sum += static_cast<double>(*count);
    }
  }
  return sum;
}

}  // namespace

Placement place_for(const ir::Graph& graph, const PlanOptions& options, const KeptFloat& kept) {
  return place_quantizers(graph, find_target(options.target),
                          {.skip = options.skip,
                           .keep_float = kept,
                           .quantize_first = options.quantize_first,
                           .quantize_last = options.quantize_last});
}

std::vector<const ir::Node*> layers_to_spare(const ir::Graph& graph, const PlanOptions& options) {
  std::vector<const ir::Node*> layers = end_layers(graph, options);
  const auto has_bits = [&](const ir::Node& node) {
    return std::ranges::any_of(options.bits,
                               [&](const BitsRule& rule) { return applies_to(rule, node); });
  };
  std::erase_if(layers, [&](const ir::Node* node) {
    const double share = mac_share(graph, *node);
    return share <= 0 || share > options.float_mac_share || has_bits(*node);
  });
  return layers;
}

std::vector<const ir::Node*> idle_tail(const ir::Graph& graph, const Placement& placement) {
  const std::set<std::string> layers = layer_names(placement);
  std::vector<const ir::Value*> layer_inputs;
  for (const QuantizedLayer& layer : placement.layers) {
    layer_inputs.push_back(graph.find_value(layer.input));
  }
  const analysis::NodeSet useful = analysis::upstream(layer_inputs);
  std::vector<const ir::Value*> results;
  for (const EdgeKey& edge : placement.edges) {
    const ir::Node* reader = edge.node.empty() ? nullptr : graph.find_node(edge.node);
    if (reader == nullptr || layers.contains(edge.node) || useful.contains(reader)) continue;
    for (const ir::Value* output : reader->outputs()) {
      if (output != nullptr) results.push_back(output);
    }
  }
  analysis::NodeSet members = analysis::downstream(results);
  for (const ir::Value* result : results) members.insert(result->producer());
  std::vector<const ir::Node*> tail;
  for (const ir::Node* node : graph.nodes()) {
    if (members.contains(node) && !ops::weight_port(*node)) tail.push_back(node);
  }
  const std::optional<double> all = elements_of(graph.nodes());
  const std::optional<double> part = elements_of(tail);
  if (!all || !part || *part > kFloatTail * *all) return {};
  return tail;
}

QuantPlan spare_ends(const ir::Graph& graph, const PlanOptions& options, const PlanWith& plan_with,
                     QuantPlan plan) {
  KeptFloat kept;
  double error = options.error(plan);
  const auto take_if_below = [&](KeptFloat trial, double bound) {
    std::optional<QuantPlan> spared = plan_with(trial);
    if (!spared) return false;
    const double found = options.error(*spared);
    if (!(found < bound)) return false;
    kept = std::move(trial);
    plan = std::move(*spared);
    error = found;
    return true;
  };
  double left = options.float_mac_share;
  for (const ir::Node* node : layers_to_spare(graph, options)) {
    const double share = mac_share(graph, *node);
    if (share > left) continue;
    KeptFloat trial = kept;
    trial[node->name()] = kReason;
    if (take_if_below(std::move(trial), error * (1 - kWorthFloat))) left -= share;
  }
  KeptFloat trial = kept;
  for (const ir::Node* node : idle_tail(graph, place_for(graph, options, kept))) {
    trial.try_emplace(node->name(), kReason);
  }
  if (trial.size() > kept.size()) (void)take_if_below(std::move(trial), error);
  return plan;
}

}  // namespace espalier::quant
