#include "espalier/prune/cost_model.h"

#include <set>

#include "espalier/ops/cost.h"
#include "espalier/ops/facts.h"
#include "espalier/ops/weight.h"

namespace espalier::prune {
namespace {

std::vector<Axis> axes_of(const ir::Value* value) {
  std::vector<Axis> axes;
  for (std::size_t axis = 0; axis < rank_of(value).value_or(0); ++axis)
    axes.push_back({value, axis});
  return axes;
}

/// Axes whose sizes the node's multiply-accumulates are a product of, apart from fixed ones.
std::vector<Axis> mac_axes(const ir::Node& node) {
  switch (ops::find(node)->cost) {
    case ops::CostRule::Convolution:
    case ops::CostRule::ConvTranspose:
    case ops::CostRule::Gemm:
      return {{node.input(1), 0}, {node.input(1), 1}};
    case ops::CostRule::MatMul: {
      std::vector<Axis> axes = axes_of(node.output());
      axes.push_back({node.input(0), rank_of(node.input(0)).value_or(1) - 1});
      return axes;
    }
    case ops::CostRule::None:
      break;
  }
  return {};
}

}  // namespace

CostModel::CostModel(const ir::Graph& graph, const ChannelMap& map) {
  std::set<const ir::Value*> trainable;
  for (const ir::Node* node : graph.nodes()) {
    const std::int64_t macs = ops::macs(*node).value_or(0);
    if (macs > 0) macs_.push_back({macs, mac_axes(*node)});
    for (const std::size_t port : ops::trainable_inputs(*node)) {
      trainable.insert(ops::initializer_behind(node->input(port)));
    }
  }
  for (const ir::Value* initializer : graph.initializers()) {
    const Tensor& constant = initializer->constant();
    const auto item = static_cast<std::int64_t>(constant.element_size());
    bytes_.push_back({constant.numel() * item, axes_of(initializer)});
    if (trainable.contains(initializer)) {
      parameters_.push_back({constant.numel(), axes_of(initializer)});
    }
  }
  for (const LayerAxes& layer : map.layers()) filters_.push_back(layer.filters);
}

std::int64_t CostModel::after(const Term& term, const Removal& removal) {
  std::int64_t rest = term.size;
  for (const Axis& axis : term.axes) {
    if (!removal.cuts(axis)) continue;
    // Exact: the size of the axis is one of the factors of the count.
    rest = rest / size_of(axis) * removal.num_kept(axis);
  }
  return rest;
}

NetworkCost CostModel::cost(const Removal& removal) const {
  NetworkCost cost;
  for (const Term& term : macs_) cost.macs += after(term, removal);
  for (const Term& term : parameters_) cost.parameters += after(term, removal);
  for (const Term& term : bytes_) cost.bytes += after(term, removal);
  for (const Axis& axis : filters_) cost.filters += removal.num_kept(axis);
  return cost;
}

}  // namespace espalier::prune
