#include "espalier/train/metric.h"

#include <cmath>

#include <ATen/TensorOperators.h>

#include "espalier/base/check.h"

namespace espalier::train {
namespace {

/// Position of the label when the outputs are sorted, largest first, equal ones by class.
std::int64_t rank_of(std::span<const float> outputs, std::size_t label) {
  const float value = outputs[label];
  std::int64_t rank = 0;
  for (std::size_t index = 0; index < outputs.size(); ++index) {
    if (outputs[index] > value || (outputs[index] == value && index < label)) ++rank;
  }
  return rank;
}

}  // namespace

std::int64_t count_top_k(const Tensor& logits, const Tensor& labels, int k) {
  base::check(logits.dim() == 2 && labels.dim() == 1 && logits.size(0) == labels.size(0),
              "top-{} needs outputs [N, classes] and labels [N]: got {} and {} dimensions with {} "
              "and {} samples",
              k, logits.dim(), labels.dim(), logits.dim() > 0 ? logits.size(0) : 0,
              labels.dim() > 0 ? labels.size(0) : 0);
  const Tensor values = logits.detach().to(at::kCPU, at::kFloat).contiguous();
  const Tensor classes = labels.to(at::kCPU, at::kLong).contiguous();
  const float* row = values.const_data_ptr<float>();
  const auto width = static_cast<std::size_t>(values.size(1));
  std::int64_t count = 0;
  for (std::int64_t sample = 0; sample < values.size(0); ++sample, row += width) {
    const std::int64_t label = classes.const_data_ptr<std::int64_t>()[sample];
    if (label < 0 || label >= values.size(1) || std::isnan(row[label])) continue;
    if (rank_of({row, width}, static_cast<std::size_t>(label)) < k) ++count;
  }
  return count;
}

std::int64_t count_labelled(const Tensor& labels) {
  return (labels >= 0).sum().item<std::int64_t>();
}

void Meters::add(const std::string& name, double value, double weight) {
  MeterState& meter = state_[name];
  meter.sum += value * weight;
  meter.weight += weight;
}

MetricValues Meters::means() const {
  MetricValues means;
  for (const auto& [name, meter] : state_) {
    if (meter.weight > 0) means[name] = meter.sum / meter.weight;
  }
  return means;
}

}  // namespace espalier::train
