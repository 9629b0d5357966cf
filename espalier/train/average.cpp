#include "espalier/train/average.h"

#include <algorithm>
#include <cmath>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>

#include "espalier/base/check.h"
#include "espalier/ops/facts.h"
#include "espalier/train/element_ranges.h"

namespace espalier::train {
namespace {

template <typename Real>
void move_towards(Real* __restrict average, const Real* __restrict value, std::int64_t count,
                  double share) {
  const auto part = static_cast<Real>(share);
  for (std::int64_t index = 0; index < count; ++index) {
    average[index] += part * (value[index] - average[index]);
  }
}

bool is_normalization_statistic(const ir::Graph& graph, const std::string& name) {
  const ir::Value* value = graph.find_value(name);
  if (value == nullptr) return false;
  return std::ranges::any_of(value->uses(), [](const ir::Use& use) {
    const ops::OpFacts* facts = ops::find(*use.node);
    return facts != nullptr && facts->kind == ops::OpKind::Normalization;
  });
}

}  // namespace

void check_ema(const EmaOptions& options) {
  base::check(std::isfinite(options.decay) && options.decay >= 0 && options.decay < 1,
              "decay of the moving average: got {}, expected 0 or more and below 1", options.decay);
}

exec::TensorMap averaged_tensors(const ir::Graph& graph, const exec::Program& program) {
  exec::TensorMap tensors = program.parameters();
  for (const auto& [name, buffer] : program.buffers()) {
    if (is_normalization_statistic(graph, name)) tensors.emplace(name, buffer);
  }
  return tensors;
}

Average::Average(const EmaOptions& options, exec::TensorMap tensors)
    : options_(options), tensors_(std::move(tensors)) {
  check_ema(options);
  for (const auto& [name, tensor] : tensors_) {
    base::invariant(tensor.is_non_overlapping_and_dense(), "'{}' has gaps in memory", name);
    Tensor average = at::empty_like(tensor.detach());
    average.copy_(tensor.detach());
    averages_.emplace(name, std::move(average));
  }
}

void Average::update(std::int64_t step) {
  const auto number = static_cast<double>(step);
  const double decay =
      options_.warm_up ? std::min(options_.decay, (1 + number) / (10 + number)) : options_.decay;
  std::vector<Tensor> values;
  std::vector<Tensor> averages;
  for (const auto& [name, tensor] : tensors_) {
    values.push_back(tensor);
    averages.push_back(averages_.at(name));
  }
  const std::vector<ElementRange> ranges = split_elements(values);
  for_each_range(ranges, [&](std::size_t index) {
    const ElementRange& range = ranges[index];
    const Tensor& value = values[range.tensor];
    const Tensor& average = averages[range.tensor];
    const std::int64_t count = range.end - range.begin;
    if (value.scalar_type() == at::kFloat) {
      move_towards(average.mutable_data_ptr<float>() + range.begin,
                   value.const_data_ptr<float>() + range.begin, count, 1 - decay);
    } else {
      move_towards(average.mutable_data_ptr<double>() + range.begin,
                   value.const_data_ptr<double>() + range.begin, count, 1 - decay);
    }
  });
}

void Average::exchange() {
  const at::NoGradGuard no_gradients;
  for (const auto& [name, tensor] : tensors_) {
    Tensor& average = averages_.at(name);
    const Tensor values = tensor.detach().clone();
    tensor.detach().copy_(average);
    average.copy_(values);
  }
}

exec::TensorMap Average::slots() const {
  exec::TensorMap map;
  for (const auto& [name, average] : averages_) map.emplace("ema/" + name, average);
  return map;
}

std::size_t Average::adopt_slots(const exec::TensorMap& saved) {
  std::size_t taken = 0;
  for (const auto& [name, average] : slots()) {
    const auto place = saved.find(name);
    if (place == saved.end() || place->second.sizes() != average.sizes()) continue;
    average.copy_(place->second);
    ++taken;
  }
  return taken;
}

}  // namespace espalier::train
