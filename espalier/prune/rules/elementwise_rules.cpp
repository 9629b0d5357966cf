// Operators that keep every axis: elementwise arithmetic, per-channel factors, normalizations.
#include "espalier/prune/rules/rules.h"

namespace espalier::prune {
namespace {

constexpr std::string_view kUnreadable = "which axes it works on is known at run time only";

void fix_all(const RuleCall& call, std::string_view reason) {
  call.relations.veto(call.node, reason);
}

/// Attribute `axis`, or nothing after a veto.
std::optional<std::size_t> flattening_axis(const RuleCall& call, std::int64_t fallback) {
  const auto axis = RuleCall::wrap(call.node.get_int("axis", fallback), call.rank(call.input(0)));
  if (!axis) fix_all(call, "its axis does not exist");
  return axis;
}

}  // namespace

void relate_broadcast(const RuleCall& call, const ir::Value* value, const ir::Value* target) {
  const std::size_t rank = call.rank(value);
  const std::size_t target_rank = call.rank(target);
  if (rank > target_rank) {
    fix_all(call, "its inputs and outputs do not broadcast");
    return;
  }
  const std::size_t shift = target_rank - rank;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    if (size_of({value, axis}) == 1) continue;
    call.same({value, axis}, {target, axis + shift});
  }
}

void relate_elementwise(const RuleCall& call) {
  for (const ir::Value* output : call.node.outputs()) {
    if (output == nullptr) continue;
    for (std::size_t index = 0; index < call.node.inputs().size(); ++index) {
      if (call.input(index) == nullptr || !ops::contains(call.row.ports, index)) continue;
      relate_broadcast(call, call.input(index), output);
    }
  }
}

void relate_per_channel(const RuleCall& call) {
  const ir::Value* data = call.input(0);
  if (call.rank(data) < 2) {
    fix_all(call, "its input has no channel axis");
    return;
  }
  call.same_axes(data, call.output());
  for (std::size_t index = 1; index < call.node.inputs().size(); ++index) {
    const ir::Value* vector = call.input(index);
    if (vector == nullptr || !ops::contains(call.row.ports, index)) continue;
    call.same({vector, 0}, {data, 1});
    if (index == 1) call.relations.scale({.node = &call.node, .scale = {vector, 0}});
  }
  for (std::size_t index = 1; index < call.node.outputs().size(); ++index) {
    const ir::Value* statistic = call.node.output(index);
    if (statistic != nullptr) call.same({statistic, 0}, {data, 1});
  }
  if (call.node.get_int("training_mode", 0) != 0) {
    call.fix({data, 0}, "it normalizes by the mean over the batch");
    for (std::size_t axis = 2; axis < call.rank(data); ++axis) {
      call.fix({data, axis}, "it normalizes by the mean over the batch");
    }
  }
  if (call.row.reason.empty()) return;
  for (std::size_t axis = 2; axis < call.rank(data); ++axis) call.fix({data, axis});
}

void relate_per_axis(const RuleCall& call) {
  const ir::Value* data = call.input(0);
  call.same_axes(data, call.output());
  for (std::size_t index = 1; index < call.node.inputs().size(); ++index) {
    const ir::Value* vector = call.input(index);
    if (vector == nullptr || call.rank(vector) == 0 || size_of({vector, 0}) == 1) continue;
    const auto axis = RuleCall::wrap(call.node.get_int("axis", 1), call.rank(data));
    if (!axis || call.rank(vector) > 1) {
      fix_all(call, "no rule for blocked quantization");
      return;
    }
    call.same({vector, 0}, {data, *axis});
  }
}

void relate_along_axis(const RuleCall& call) {
  call.same_axes(call.input(0), call.output());
  if (const auto axis = flattening_axis(call, -1)) call.fix({call.input(0), *axis});
}

void relate_select_along_axis(const RuleCall& call) {
  const ir::Value* data = call.input(0);
  const bool keeps_axis = call.rank(call.output()) == call.rank(data);
  const bool is_top = call.node.outputs().size() > 1 || call.node.inputs().size() > 1;
  const auto axis = flattening_axis(call, is_top ? -1 : 0);
  if (!axis) return;
  call.fix({data, *axis});
  for (const ir::Value* output : call.node.outputs()) {
    if (output == nullptr) continue;
    for (std::size_t from = 0, to = 0; from < call.rank(data); ++from) {
      if (from != *axis) {
        call.same({data, from}, {output, to++});
      } else if (keeps_axis) {
        call.fix({output, to++});
      }
    }
  }
}

void relate_zero_neutral_axis(const RuleCall& call) {
  const ir::Value* data = call.input(0);
  std::int64_t axis_number = call.node.get_int("axis", -1);
  if (call.row.ports != ops::kNoPorts) {
    const auto numbers = integers_of(call.input(1));
    if (!numbers || numbers->size() != 1) return fix_all(call, kUnreadable);
    axis_number = numbers->front();
  }
  const auto axis = RuleCall::wrap(axis_number, call.rank(data));
  if (!axis) return fix_all(call, "its axis does not exist");
  call.same_axes(data, call.output());
  call.relations.contract(call.node, 0, *axis);
}

void relate_trailing_axes(const RuleCall& call) {
  const ir::Value* data = call.input(0);
  const auto axis = flattening_axis(call, -1);
  if (!axis) return;
  call.same_axes(data, call.output());
  for (std::size_t fixed = *axis; fixed < call.rank(data); ++fixed) call.fix({data, fixed});
  for (std::size_t index = 1; index < call.node.inputs().size(); ++index) {
    if (call.input(index) != nullptr) relate_broadcast(call, call.input(index), data);
  }
  for (std::size_t index = 1; index < call.node.outputs().size(); ++index) {
    const ir::Value* statistic = call.node.output(index);
    if (statistic != nullptr) relate_broadcast(call, statistic, data);
  }
}

void relate_listed_axes(const RuleCall& call) {
  const ir::Value* data = call.input(0);
  call.same_axes(data, call.output());
  for (const std::int64_t number : call.node.get_ints("axes", {0, 2, 3})) {
    const auto axis = RuleCall::wrap(number, call.rank(data));
    if (!axis) return fix_all(call, "its axis does not exist");
    call.fix({data, *axis});
  }
}

void relate_across_channels(const RuleCall& call) {
  call.same_axes(call.input(0), call.output());
  call.fix({call.input(0), 1});
}

/// Channels k * width .. (k + 1) * width - 1 stay or go together: removing a whole block leaves the
/// statistics of the others as they are.
void relate_channel_groups(const RuleCall& call) {
  const ir::Value* data = call.input(0);
  const std::int64_t channels = size_of({data, 1});
  const std::int64_t groups = call.node.get_int("num_groups", 1);
  if (channels <= 0 || groups <= 0 || channels % groups != 0) {
    return fix_all(call, "its channels do not divide into groups");
  }
  const std::int64_t width = channels / groups;
  call.same_axes(data, call.output());
  for (std::size_t axis = 2; axis < call.rank(data); ++axis) call.fix({data, axis});
  const Axis channel{data, 1};
  for (std::int64_t inner = 1; inner < width; ++inner) {
    call.relations.run({channel, 0, width, channel, inner, width, groups});
  }
  for (std::size_t index = 1; index < call.node.inputs().size(); ++index) {
    const ir::Value* vector = call.input(index);
    if (vector == nullptr) continue;
    if (size_of({vector, 0}) == channels) {
      call.same({vector, 0}, channel);
    } else if (size_of({vector, 0}) == groups) {
      call.relations.run({channel, 0, width, {vector, 0}, 0, 1, groups});
    } else {
      return fix_all(call, "its channels do not divide into groups");
    }
  }
}

}  // namespace espalier::prune
