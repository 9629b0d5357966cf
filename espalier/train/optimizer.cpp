#include "espalier/train/optimizer.h"

#include <set>

#include <ATen/ops/empty_like.h>

#include "espalier/base/check.h"
#include "espalier/train/adam.h"
#include "espalier/train/sgd.h"

namespace espalier::train {
namespace {

[[noreturn]] void refuse_slot(const std::string& name, std::string got, std::string expected) {
  throw base::UserError({.what = "the checkpoint's optimizer state does not fit",
                         .where = fmt::format("slot '{}'", name),
                         .got = std::move(got),
                         .expected = std::move(expected),
                         .hint = "resume with the optimizer and the model of the run"});
}

std::vector<OptimizedParameter> collect(const exec::TensorMap& parameters,
                                        const std::vector<ParameterGroup>& groups) {
  std::vector<OptimizedParameter> list;
  std::set<std::string> seen;
  for (const ParameterGroup& group : groups) {
    for (const std::string& name : group.names) {
      const auto place = parameters.find(name);
      base::invariant(place != parameters.end(), "a group names the unknown parameter '{}'", name);
      base::invariant(seen.insert(name).second, "the parameter '{}' is in two groups", name);
      const Tensor& value = place->second;
      base::require_supported(
          value.device().is_cpu() &&
              (value.scalar_type() == at::kFloat || value.scalar_type() == at::kDouble),
          "cannot train the parameter '{}' of type {}: only float32 and float64 on the CPU", name,
          c10::toString(value.scalar_type()));
      list.push_back({.name = name,
                      .value = value,
                      .weight_decay = group.weight_decay,
                      .lr_scale = group.lr_scale,
                      .relative = group.relative});
    }
  }
  base::invariant(seen.size() == parameters.size(), "{} of {} parameters are in no group",
                  parameters.size() - seen.size(), parameters.size());
  return list;
}

Tensor aligned_gradient(const Tensor& value) {
  const Tensor& gradient = value.grad();
  const bool aligned = !gradient.defined() || (gradient.scalar_type() == value.scalar_type() &&
                                               gradient.strides() == value.strides());
  if (aligned) return gradient;
  Tensor copy = at::empty_like(value.detach());
  copy.copy_(gradient);
  return copy;
}

}  // namespace

Optimizer::Optimizer(std::vector<OptimizedParameter> parameters)
    : parameters_(std::move(parameters)) {
  for (const OptimizedParameter& parameter : parameters_) {
    base::invariant(parameter.value.is_non_overlapping_and_dense(),
                    "the parameter '{}' has gaps in memory", parameter.name);
  }
}

std::vector<Tensor> Optimizer::aligned_gradients() const {
  std::vector<Tensor> gradients;
  for (const OptimizedParameter& parameter : parameters_) {
    gradients.push_back(aligned_gradient(parameter.value));
  }
  return gradients;
}

void Optimizer::clear_gradients() {
  for (OptimizedParameter& parameter : parameters_) parameter.value.mutable_grad().reset();
}

void Optimizer::load_slots(const exec::TensorMap& saved) {
  const exec::TensorMap own = slots();
  for (const auto& [name, tensor] : own) {
    const auto place = saved.find(name);
    if (place == saved.end()) refuse_slot(name, "nothing", "its values");
    if (place->second.sizes() != tensor.sizes()) {
      refuse_slot(name, fmt::format("{} elements", place->second.numel()),
                  fmt::format("{} elements in the parameter's shape", tensor.numel()));
    }
  }
  for (const auto& [name, tensor] : saved) {
    if (!own.contains(name)) refuse_slot(name, "values", "no such slot");
  }
  for (const auto& [name, tensor] : own) tensor.copy_(saved.at(name));
}

std::size_t Optimizer::adopt_slots(const exec::TensorMap& saved) {
  std::size_t taken = 0;
  for (const auto& [name, tensor] : slots()) {
    const auto place = saved.find(name);
    if (place == saved.end() || place->second.sizes() != tensor.sizes()) continue;
    tensor.copy_(place->second);
    ++taken;
  }
  return taken;
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options,
                                          const exec::TensorMap& parameters,
                                          const std::vector<ParameterGroup>& groups) {
  std::vector<OptimizedParameter> list = collect(parameters, groups);
  struct Rows {
    std::vector<OptimizedParameter>& list;
    std::unique_ptr<Optimizer> operator()(const SgdOptions& sgd) const {
      return make_sgd(sgd, std::move(list));
    }
    std::unique_ptr<Optimizer> operator()(const AdamOptions& adam) const {
      return make_adam(adam, std::move(list));
    }
  };
  return std::visit(Rows{list}, options);
}

}  // namespace espalier::train
