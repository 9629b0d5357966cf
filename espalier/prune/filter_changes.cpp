#include "espalier/prune/filter_changes.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/stack.h>

#include "espalier/base/check.h"
#include "espalier/ops/facts.h"
#include "espalier/ops/weight.h"

namespace espalier::prune {
namespace {

bool is_parameter(const ir::Value* value, std::int64_t length) {
  return value != nullptr && tensor::is_floating(value->type().dtype) &&
         value->constant().numel() == length && length > 0;
}

/// Vectors of one element a filter among the node's initializers, apart from running statistics.
void add_vectors(const ir::Node& node, std::int64_t filters, std::vector<Axis>& parameters) {
  for (const std::size_t port : ops::trainable_inputs(node)) {
    const ir::Value* value = ops::initializer_behind(node.input(port));
    if (!is_parameter(value, filters) || value->constant().dim() != 1) continue;
    parameters.push_back({value, 0});
  }
}

/// The normalization that alone reads the layer's output, or null.
const ir::Node* normalization_behind(const ir::Node& layer) {
  const ir::Value* output = layer.output();
  if (output == nullptr || output->is_output() || output->uses().size() != 1) return nullptr;
  const ir::Node* reader = output->uses().front().node;
  return reader->is("BatchNormalization") ? reader : nullptr;
}

/// What makes the output of a layer's filters: factor and offset of the normalization behind it, in
/// which everything before it is contained; or else weight and bias.
std::vector<Axis> parameters_of(const LayerAxes& layer, const Axis& weight) {
  const std::int64_t filters =
      weight.value->constant().size(static_cast<std::int64_t>(weight.axis));
  std::vector<Axis> parameters;
  if (const ir::Node* normalization = normalization_behind(*layer.node)) {
    add_vectors(*normalization, filters, parameters);
    if (!parameters.empty()) return parameters;
  }
  parameters.push_back(weight);
  if (weight.value->constant().dim() > 1) add_vectors(*layer.node, filters, parameters);
  return parameters;
}

/// sum g p along everything but the axis.
Tensor products(const Axis& parameter, const Tensor& gradient) {
  const Tensor& value = parameter.value->constant();
  base::check(gradient.sizes() == value.sizes(),
              "gradients of '{}' do not have the sizes of the weight", parameter.value->name());
  const auto axis = static_cast<std::int64_t>(parameter.axis);
  return (gradient.to(at::kDouble) * value.to(at::kDouble))
      .movedim(axis, 0)
      .reshape({value.size(axis), -1})
      .sum(1);
}

}  // namespace

FilterChangeCollector::FilterChangeCollector(const ChannelMap& map) {
  for (const LayerAxes& layer : map.layers()) {
    const ir::Value* weight = ops::initializer_behind(layer.filters.value);
    if (weight == nullptr || !tensor::is_floating(weight->type().dtype)) continue;
    const Axis axis{weight, layer.filters.axis};
    std::vector<Axis>& parameters = parameters_[axis];
    // A layer that is used several times: what all uses have, once.
    for (const Axis& parameter : parameters_of(layer, axis)) {
      if (std::ranges::find(parameters, parameter) == parameters.end()) {
        parameters.push_back(parameter);
      }
    }
  }
}

void FilterChangeCollector::add(const exec::TensorMap& gradients) {
  for (const auto& [axis, parameters] : parameters_) {
    Tensor change;
    for (const Axis& parameter : parameters) {
      const auto place = gradients.find(parameter.value->name());
      if (place == gradients.end()) continue;
      const Tensor more = products(parameter, place->second);
      change = change.defined() ? change + more : more;
    }
    if (change.defined()) columns_[axis].push_back(change);
  }
}

FilterChanges FilterChangeCollector::take() const {
  FilterChanges changes;
  for (const auto& [axis, columns] : columns_) changes[axis] = at::stack(columns, 1);
  return changes;
}

}  // namespace espalier::prune
