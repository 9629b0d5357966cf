#include <algorithm>
#include <array>

#include "espalier/prune/rules/rules.h"

namespace espalier::prune {
namespace {

using ops::IndexRule;

struct RuleFunction {
  IndexRule rule;
  void (*relate)(const RuleCall& call);
};

constexpr std::array kFunctions{
    RuleFunction{IndexRule::Elementwise, relate_elementwise},
    RuleFunction{IndexRule::PerChannel, relate_per_channel},
    RuleFunction{IndexRule::PerAxis, relate_per_axis},
    RuleFunction{IndexRule::Convolution, relate_convolution},
    RuleFunction{IndexRule::ConvTranspose, relate_conv_transpose},
    RuleFunction{IndexRule::Gemm, relate_gemm},
    RuleFunction{IndexRule::MatMul, relate_mat_mul},
    RuleFunction{IndexRule::Einsum, relate_einsum},
    RuleFunction{IndexRule::Window, relate_window},
    RuleFunction{IndexRule::GlobalWindow, relate_global_window},
    RuleFunction{IndexRule::Unpool, relate_unpool},
    RuleFunction{IndexRule::Resample, relate_resample},
    RuleFunction{IndexRule::GridSample, relate_grid_sample},
    RuleFunction{IndexRule::ReduceSum, relate_reduce_sum},
    RuleFunction{IndexRule::ReduceFixed, relate_reduce_fixed},
    RuleFunction{IndexRule::AlongAxis, relate_along_axis},
    RuleFunction{IndexRule::SelectAlongAxis, relate_select_along_axis},
    RuleFunction{IndexRule::ZeroNeutralAxis, relate_zero_neutral_axis},
    RuleFunction{IndexRule::TrailingAxes, relate_trailing_axes},
    RuleFunction{IndexRule::ListedAxes, relate_listed_axes},
    RuleFunction{IndexRule::AcrossChannels, relate_across_channels},
    RuleFunction{IndexRule::ChannelGroups, relate_channel_groups},
    RuleFunction{IndexRule::Transpose, relate_transpose},
    RuleFunction{IndexRule::Reshape, relate_reshape},
    RuleFunction{IndexRule::Concat, relate_concat},
    RuleFunction{IndexRule::Split, relate_split},
    RuleFunction{IndexRule::Slice, relate_slice},
    RuleFunction{IndexRule::Pad, relate_pad},
    RuleFunction{IndexRule::Gather, relate_gather},
    RuleFunction{IndexRule::Expand, relate_expand},
    RuleFunction{IndexRule::Tile, relate_tile},
    RuleFunction{IndexRule::DepthToSpace, relate_depth_to_space},
    RuleFunction{IndexRule::SpaceToDepth, relate_space_to_depth},
    RuleFunction{IndexRule::Size, relate_size},
    RuleFunction{IndexRule::Generator, relate_generator},
    RuleFunction{IndexRule::Veto, relate_veto},
};

/// Inputs that say how long the axes of an output are: their rules follow them.
bool says_sizes(const ir::Node& node, std::size_t port) {
  return ((node.is("Reshape") || node.is("Expand")) && port == 1) ||
         (node.is("ConstantOfShape") && port == 0) || (node.is("Resize") && port == 3);
}

/// Bounds, counts and borders that are computed from sizes.
void fix_sources_of_numbers(const RuleCall& call) {
  const ops::OpFacts* facts = ops::find(call.node);
  if (facts == nullptr || call.row.rule == IndexRule::Size) return;
  for (std::size_t port = 0; port < call.node.inputs().size(); ++port) {
    const ir::Value* numbers = call.input(port);
    if (numbers == nullptr || numbers->producer() == nullptr) continue;
    if (ops::contains(facts->data, port) || says_sizes(call.node, port)) continue;
    fix_sources(call, *numbers);
  }
}

bool ranks_are_known(const ir::Node& node) {
  for (const auto* values : {&node.inputs(), &node.outputs()}) {
    for (const ir::Value* value : *values) {
      if (value != nullptr && !rank_of(value)) return false;
    }
  }
  return node.output(0) != nullptr || node.outputs().size() > 1;
}

}  // namespace

void RuleCall::same_axes(const ir::Value* first, const ir::Value* second) const {
  for (std::size_t axis = 0; axis < rank(first); ++axis) same({first, axis}, {second, axis});
}

std::optional<std::size_t> RuleCall::wrap(std::int64_t axis, std::size_t rank) {
  const auto signed_rank = static_cast<std::int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) return std::nullopt;
  return static_cast<std::size_t>(axis < 0 ? axis + signed_rank : axis);
}

std::optional<ir::Ints> integers_of(const ir::Value* value) {
  if (value == nullptr || !value->is_initializer()) return std::nullopt;
  const Tensor& constant = value->constant();
  if (constant.dim() > 1 || !at::isIntegralType(constant.scalar_type(), /*includeBool=*/false)) {
    return std::nullopt;
  }
  const Tensor wide = constant.to(at::kLong).contiguous();
  const auto* data = wide.data_ptr<std::int64_t>();
  return ir::Ints(data, data + wide.numel());
}

bool has_function(ops::IndexRule rule) {
  return std::ranges::find(kFunctions, rule, &RuleFunction::rule) != kFunctions.end();
}

void relate(const ir::Node& node, Relations& relations) {
  const ops::IndexRuleRow* row = ops::find_index_rule(node);
  if (row == nullptr) {
    relations.veto(node, "Espalier does not know this operator");
    return;
  }
  if (!ranks_are_known(node)) {
    relations.veto(node, "the shapes of its inputs and outputs are not known");
    return;
  }
  const auto place = std::ranges::find(kFunctions, row->rule, &RuleFunction::rule);
  const RuleCall call{.node = node, .row = *row, .relations = relations};
  place->relate(call);
  fix_sources_of_numbers(call);
}

}  // namespace espalier::prune
