#include "espalier/train/sparsity.h"

#include <algorithm>
#include <cmath>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/sign.h>

#include "espalier/base/check.h"

namespace espalier::train {

void check_sparsity(const ir::Graph& graph, const SparsityOptions& options) {
  base::check(std::isfinite(options.bn_scale) && options.bn_scale >= 0,
              "sparsity: bn_scale: got {}, expected 0 or more", options.bn_scale);
  if (options.bn_scale == 0 || !norm_scales(graph).empty()) return;
  throw base::UserError({.what = "sparsity: bn_scale has nothing to act on",
                         .got = "a model without BatchNormalization",
                         .hint = "an exported model often has it folded into the convolutions: "
                                 "train the model it was made from"});
}

std::vector<std::string> norm_scales(const ir::Graph& graph) {
  constexpr std::size_t kScale = 1;
  std::vector<std::string> names;
  for (const ir::Node* node : graph.nodes()) {
    const ir::Value* scale = node->is("BatchNormalization") ? node->input(kScale) : nullptr;
    if (scale == nullptr || !scale->is_initializer()) continue;
    if (std::ranges::find(names, scale->name()) == names.end()) names.push_back(scale->name());
  }
  return names;
}

void add_sparsity_gradient(const exec::TensorMap& parameters,
                           const std::vector<std::string>& scales, const SparsityOptions& options) {
  if (options.bn_scale <= 0) return;
  const at::NoGradGuard no_gradients;
  for (const std::string& name : scales) {
    const auto parameter = parameters.find(name);
    if (parameter == parameters.end() || !parameter->second.grad().defined()) continue;
    parameter->second.mutable_grad().add_(at::sign(parameter->second), options.bn_scale);
  }
}

}  // namespace espalier::train
