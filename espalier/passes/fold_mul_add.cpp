#include "espalier/passes/fold_mul_add.h"

#include <optional>

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "espalier/passes/bypass.h"
#include "espalier/passes/channel_affine.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

/// A binary node of one computed and one constant operand.
struct Operands {
  ir::Value* value = nullptr;
  Tensor constant;
  bool constant_first = false;
};

std::optional<Operands> operands_of(const ir::Node& node) {
  if (!node.is("Mul") && !node.is("Add") && !node.is("Sub") && !node.is("Div")) return std::nullopt;
  const Tensor* first = constant_of(node.input(0));
  const Tensor* second = constant_of(node.input(1));
  if ((first == nullptr) == (second == nullptr)) return std::nullopt;
  const Tensor& constant = first != nullptr ? *first : *second;
  if (!at::isFloatingType(constant.scalar_type())) return std::nullopt;
  return Operands{.value = node.input(first != nullptr ? 1 : 0),
                  .constant = constant,
                  .constant_first = first != nullptr};
}

/// The constant as one value a channel of a tensor of `rank` dimensions, channels on axis 1;
/// nothing when it varies along another axis.
std::optional<Tensor> per_channel(const Tensor& constant, std::int64_t channels,
                                  std::int64_t rank) {
  if (constant.dim() > rank) return std::nullopt;
  for (std::int64_t axis = 0; axis < constant.dim(); ++axis) {
    const bool is_channel = axis + rank - constant.dim() == 1;
    const std::int64_t size = constant.size(axis);
    if (size != 1 && !(is_channel && size == channels)) return std::nullopt;
  }
  return constant.to(at::kDouble).reshape({-1}).expand({channels}).contiguous();
}

std::optional<ChannelAffine> affine_of(const ir::Node& node, const Operands& operands,
                                       std::int64_t channels, std::int64_t rank) {
  const auto constant = per_channel(operands.constant, channels, rank);
  if (!constant) return std::nullopt;
  const Tensor ones = at::ones({channels}, at::kDouble);
  const Tensor zeros = at::zeros({channels}, at::kDouble);
  ChannelAffine affine{.scale = ones, .shift = zeros};
  if (node.is("Mul")) affine.scale = *constant;
  if (node.is("Add")) affine.shift = *constant;
  if (node.is("Sub")) {
    affine.scale = operands.constant_first ? -ones : ones;
    affine.shift = operands.constant_first ? *constant : -*constant;
  }
  if (node.is("Div")) {
    if (operands.constant_first) return std::nullopt;  // c / y is not linear
    affine.scale = ones / *constant;
  }
  if (!at::isfinite(affine.scale + affine.shift).all().item<bool>()) return std::nullopt;
  return affine;
}

/// Channels that a map behind the node may cover, and the rank of what the node gives.
struct OutputChannels {
  std::int64_t count = 0;
  std::int64_t rank = 0;
};

std::int64_t rank_of(const ir::Node& linear) {
  return constant_of(linear.input(1))->dim();
}

OutputChannels output_channels(const ir::Node& node) {
  if (const auto affine = batch_norm_affine(node)) {
    const auto& shape = node.output()->type().shape;
    if (!shape) return {};
    return {.count = affine->scale.numel(), .rank = static_cast<std::int64_t>(shape->size())};
  }
  const std::int64_t channels = num_output_channels(node);
  return channels == 0 ? OutputChannels{} : OutputChannels{channels, rank_of(node)};
}

/// Folds into the node before, where the value between has no other use.
bool fold_behind(ir::Graph& graph, ir::Node& node, const Operands& operands) {
  ir::Node* before = operands.value->producer();
  if (before == nullptr || sole_user(operands.value) != &node) return false;
  const OutputChannels channels = output_channels(*before);
  if (channels.count == 0 || channels.rank < 2) return false;
  const auto affine = affine_of(node, operands, channels.count, channels.rank);
  return affine && fold_after(graph, *before, *affine) && bypass(graph, node, *operands.value);
}

bool fold(ir::Graph& graph, ir::Node& node) {
  const auto operands = operands_of(node);
  if (!operands || !can_bypass(node, *operands->value)) return false;
  if (fold_behind(graph, node, *operands)) return true;
  ir::Node* after = sole_user(node.output());
  if (after == nullptr || after->input(0) != node.output()) return false;
  const std::int64_t channels = num_input_channels(*after);
  if (channels == 0) return false;
  const auto& shape = operands->value->type().shape;  // a constant must not have widened it
  if (!shape || static_cast<std::int64_t>(shape->size()) != rank_of(*after)) return false;
  if ((*shape)[1].size != channels) return false;
  const auto affine = affine_of(node, *operands, channels, rank_of(*after));
  return affine && fold_before(graph, *after, *affine) && bypass(graph, node, *operands->value);
}

std::size_t fold_mul_add_in(ir::Graph& graph) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (fold(graph, *node)) ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

}  // namespace

Pass fold_mul_add() {
  return {.name = "fold_mul_add", .apply = fold_mul_add_in, .to_fixed_point = true};
}

}  // namespace espalier::passes
