#pragma once

#include <optional>

#include "espalier/ops/index_rule.h"
#include "espalier/prune/relations.h"

namespace espalier::prune {

/// Adds what the node's operator says about positions.
void relate(const ir::Node& node, Relations& relations);

/// True when there is code for a rule (there is for all; a test asks).
[[nodiscard]] bool has_function(ops::IndexRule rule);

/// What a rule sees.
struct RuleCall {
  const ir::Node& node;
  const ops::IndexRuleRow& row;
  Relations& relations;

  [[nodiscard]] const ir::Value* input(std::size_t index) const { return node.input(index); }
  [[nodiscard]] const ir::Value* output() const { return node.output(0); }
  [[nodiscard]] std::size_t rank(const ir::Value* value) const { return rank_of(value).value(); }
  /// Every axis of `first` corresponds to the same axis of `second`.
  void same_axes(const ir::Value* first, const ir::Value* second) const;
  void same(const Axis& first, const Axis& second) const { relations.same(first, second, node); }
  void fix(const Axis& axis) const { relations.fix(axis, node, row.reason); }
  void fix(const Axis& axis, std::string_view reason) const { relations.fix(axis, node, reason); }
  /// `axis` or axis + rank, or nothing when it is out of range.
  [[nodiscard]] static std::optional<std::size_t> wrap(std::int64_t axis, std::size_t rank);
};

/// Integers of an initializer, at most one dimension; nothing for anything else.
[[nodiscard]] std::optional<ir::Ints> integers_of(const ir::Value* value);

/// Input `port` says how long the axes of the output are. A cut writes known sizes in the place of
/// computed ones; the sources of those that stay computed are fixed. Vetoes where the sources are
/// not known.
void fix_sources_of_unknown_sizes(const RuleCall& call, std::size_t port);

/// Numbers that are no sizes of the output (bounds, counts, borders) must stay what they are: the
/// axes whose sizes they come from are fixed.
void fix_sources(const RuleCall& call, const ir::Value& numbers);

/// Axes that `value` (broadcast, aligned at the last axis) shares with `target` correspond; axes of
/// size 1 that are repeated have no counterpart.
void relate_broadcast(const RuleCall& call, const ir::Value* value, const ir::Value* target);

// One function for each ops::IndexRule. The ranks of all inputs and outputs are known.
void relate_elementwise(const RuleCall& call);
void relate_per_channel(const RuleCall& call);
void relate_per_axis(const RuleCall& call);
void relate_convolution(const RuleCall& call);
void relate_conv_transpose(const RuleCall& call);
void relate_gemm(const RuleCall& call);
void relate_mat_mul(const RuleCall& call);
void relate_einsum(const RuleCall& call);
void relate_window(const RuleCall& call);
void relate_global_window(const RuleCall& call);
void relate_unpool(const RuleCall& call);
void relate_resample(const RuleCall& call);
void relate_grid_sample(const RuleCall& call);
void relate_reduce_sum(const RuleCall& call);
void relate_reduce_fixed(const RuleCall& call);
void relate_along_axis(const RuleCall& call);
void relate_select_along_axis(const RuleCall& call);
void relate_zero_neutral_axis(const RuleCall& call);
void relate_trailing_axes(const RuleCall& call);
void relate_listed_axes(const RuleCall& call);
void relate_across_channels(const RuleCall& call);
void relate_channel_groups(const RuleCall& call);
void relate_transpose(const RuleCall& call);
void relate_reshape(const RuleCall& call);
void relate_concat(const RuleCall& call);
void relate_split(const RuleCall& call);
void relate_slice(const RuleCall& call);
void relate_pad(const RuleCall& call);
void relate_gather(const RuleCall& call);
void relate_expand(const RuleCall& call);
void relate_tile(const RuleCall& call);
void relate_depth_to_space(const RuleCall& call);
void relate_space_to_depth(const RuleCall& call);
void relate_size(const RuleCall& call);
void relate_generator(const RuleCall& call);
void relate_veto(const RuleCall& call);

}  // namespace espalier::prune
