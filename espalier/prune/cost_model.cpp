#include "espalier/prune/cost_model.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "espalier/base/check.h"
#include "espalier/ops/cost.h"
#include "espalier/ops/einsum.h"
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

/// One axis for every letter; of an operand along which it is not 1.
std::vector<Axis> einsum_axes(const ir::Node& node) {
  std::map<char, Axis> places;
  const auto equation = ops::einsum_equation(node);
  for (std::size_t port = 0; equation && port < equation->inputs.size(); ++port) {
    for (std::size_t axis = 0; axis < equation->inputs[port].size(); ++axis) {
      const Axis here{node.input(port), axis};
      if (size_of(here) != 1) places.emplace(equation->inputs[port][axis], here);
    }
  }
  std::vector<Axis> axes;
  for (const auto& [letter, axis] : places) axes.push_back(axis);
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
    case ops::CostRule::Einsum:
      return einsum_axes(node);
    case ops::CostRule::None:
      break;
  }
  return {};
}

}  // namespace

class CostModel::Builder {
 public:
  Builder(const ChannelMap& map, CostModel& model) : map_(map), model_(model) {}

  [[nodiscard]] std::size_t space(const Axis& axis) {
    const std::span<const ChannelId> along = map_.along(axis);
    const auto [place, is_new] = numbers_.emplace(along.data(), model_.spaces_.size());
    if (is_new) model_.spaces_.push_back(along);
    return place->second;
  }

  /// Axes without channels, whose size is unknown or zero, never shrink.
  [[nodiscard]] Term term(std::int64_t size, const std::vector<Axis>& axes) {
    Term term{.size = size, .spaces = {}};
    for (const Axis& axis : axes) {
      if (!map_.along(axis).empty()) term.spaces.push_back(space(axis));
    }
    return term;
  }

 private:
  const ChannelMap& map_;
  CostModel& model_;
  std::unordered_map<const ChannelId*, std::size_t> numbers_;
};

CostModel::CostModel(const ir::Graph& graph, const ChannelMap& map, const NodeMacs& macs) {
  base::check(macs.empty() || macs.size() == graph.nodes().size(),
              "costs of another graph: got {} nodes, expected {}", macs.size(),
              graph.nodes().size());
  Builder builder(map, *this);
  std::set<const ir::Value*> trainable;
  for (std::size_t index = 0; index < graph.nodes().size(); ++index) {
    const ir::Node* node = graph.nodes()[index];
    const std::int64_t work = macs.empty() ? ops::macs(*node).value_or(0) : macs[index];
    if (work > 0) macs_.push_back(builder.term(work, mac_axes(*node)));
    for (const std::size_t port : ops::trainable_inputs(*node)) {
      trainable.insert(ops::initializer_behind(node->input(port)));
    }
  }
  for (const ir::Value* initializer : graph.initializers()) {
    const Tensor& constant = initializer->constant();
    const auto item = static_cast<std::int64_t>(constant.element_size());
    const std::vector<Axis> axes = axes_of(initializer);
    bytes_.push_back(builder.term(constant.numel() * item, axes));
    if (trainable.contains(initializer)) {
      parameters_.push_back(builder.term(constant.numel(), axes));
    }
  }
  std::set<Axis> counted;  // a weight that several layers read is one
  for (const LayerAxes& layer : map.layers()) {
    const ir::Value* weight = ops::initializer_behind(layer.filters.value);
    if (weight != nullptr && !counted.insert({weight, layer.filters.axis}).second) continue;
    const auto along = map.along(layer.filters);
    const bool may_lose =
        !std::ranges::all_of(along, [&](ChannelId channel) { return map.is_fixed(channel); });
    if (may_lose) filters_.push_back(builder.space(layer.filters));
  }
}

NetworkCost CostModel::cost(const Removal& removal) const {
  std::vector<std::int64_t> kept;
  for (const std::span<const ChannelId> space : spaces_) {
    kept.push_back(std::ranges::count_if(
        space, [&](ChannelId channel) { return !removal.is_removed(channel); }));
  }
  const auto sum = [&](const Terms& terms) {
    std::int64_t total = 0;
    for (const Term& term : terms) {
      std::int64_t rest = term.size;
      for (const std::size_t space : term.spaces) {
        // Exact: the size of the axis is one of the factors of the count.
        rest = rest / static_cast<std::int64_t>(spaces_[space].size()) * kept[space];
      }
      total += rest;
    }
    return total;
  };
  NetworkCost cost{.macs = sum(macs_), .parameters = sum(parameters_), .bytes = sum(bytes_)};
  for (const std::size_t space : filters_) cost.filters += kept[space];
  return cost;
}

}  // namespace espalier::prune
