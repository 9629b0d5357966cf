#include "espalier/passes/fold_batch_norm.h"

#include <array>
#include <optional>

#include <ATen/ops/isfinite.h>
#include <ATen/ops/sqrt.h>

#include "espalier/passes/bypass.h"
#include "espalier/passes/channel_affine.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

constexpr float kDefaultEpsilon = 1e-5F;

/// What the BatchNormalization computes per channel, or nothing when it is not a constant map.
std::optional<ChannelAffine> affine_of(const ir::Node& bn) {
  if (bn.get_int("training_mode", 0) != 0) return std::nullopt;  // batch statistics
  std::array<Tensor, 4> parameters;                              // gamma, beta, mean, variance
  for (std::size_t index = 0; index < parameters.size(); ++index) {
    const Tensor* constant = constant_of(bn.input(index + 1));
    if (constant == nullptr || constant->dim() != 1) return std::nullopt;
    parameters[index] = constant->to(at::kDouble);
    if (parameters[index].numel() != parameters[0].numel()) return std::nullopt;
  }
  const auto& [gamma, beta, mean, variance] = parameters;
  const auto epsilon = static_cast<double>(bn.get_float("epsilon", kDefaultEpsilon));
  const Tensor scale = gamma / at::sqrt(variance + epsilon);
  const Tensor shift = beta - scale * mean;
  if (!at::isfinite(scale + shift).all().item<bool>()) return std::nullopt;
  return ChannelAffine{.scale = scale, .shift = shift};
}

bool fold(ir::Graph& graph, ir::Node& bn) {
  ir::Value* input = bn.input(0);
  if (input == nullptr || !can_bypass(bn, *input)) return false;
  ir::Node* before = input->producer();
  ir::Node* after = sole_user(bn.output());
  const bool joins_before = before != nullptr && sole_user(input) == &bn;
  const bool joins_after = after != nullptr && after->input(0) == bn.output();
  if (!joins_before && !joins_after) return false;
  const auto affine = affine_of(bn);
  if (!affine) return false;
  const bool folded = (joins_before && fold_after(graph, *before, *affine)) ||
                      (joins_after && fold_before(graph, *after, *affine));
  return folded && bypass(graph, bn, *input);
}

std::size_t apply(ir::Graph& graph) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (node->is("BatchNormalization") && fold(graph, *node)) ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

}  // namespace

Pass fold_batch_norm() {
  return {.name = "fold_batch_norm", .apply = apply};
}

}  // namespace espalier::passes
