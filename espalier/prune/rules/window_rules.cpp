// Pooling, resampling, reductions.
#include <algorithm>

#include "espalier/prune/rules/rules.h"

namespace espalier::prune {
namespace {

void fix_from(const RuleCall& call, const ir::Value* value, std::size_t first) {
  for (std::size_t axis = first; axis < call.rank(value); ++axis) call.fix({value, axis});
}

/// Axes of a reduction, or nothing when they are computed.
std::optional<std::vector<std::size_t>> reduced_axes(const RuleCall& call) {
  const std::size_t rank = call.rank(call.input(0));
  ir::Ints numbers = call.node.get_ints("axes", {});
  if (call.input(1) != nullptr) {
    const auto given = integers_of(call.input(1));
    if (!given) return std::nullopt;
    numbers = *given;
  }
  std::vector<std::size_t> axes;
  if (numbers.empty() && call.node.get_int("noop_with_empty_axes", 0) == 0) {
    for (std::size_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  }
  for (const std::int64_t number : numbers) {
    const auto axis = RuleCall::wrap(number, rank);
    if (!axis) return std::nullopt;
    axes.push_back(*axis);
  }
  return axes;
}

void relate_reduction(const RuleCall& call, bool zeros_are_neutral) {
  const ir::Value* data = call.input(0);
  const auto axes = reduced_axes(call);
  if (!axes) {
    return call.relations.veto(call.node, "which axes it reduces is known at run time only");
  }
  const bool keeps = call.node.get_int("keepdims", 1) != 0;
  for (std::size_t from = 0, to = 0; from < call.rank(data); ++from) {
    if (std::ranges::find(*axes, from) == axes->end()) {
      call.same({data, from}, {call.output(), to++});
      continue;
    }
    to += keeps ? 1 : 0;
    if (zeros_are_neutral) {
      call.relations.contract(call.node, 0, from);
    } else {
      call.fix({data, from});
    }
  }
}

}  // namespace

void relate_window(const RuleCall& call) {
  const ir::Value* data = call.input(0);
  for (const ir::Value* output : call.node.outputs()) {
    if (output == nullptr) continue;
    call.same({data, 0}, {output, 0});
    call.same({data, 1}, {output, 1});
    fix_from(call, output, 2);
  }
  fix_from(call, data, 2);
}

void relate_global_window(const RuleCall& call) {
  const ir::Value* data = call.input(0);
  call.same({data, 0}, {call.output(), 0});
  call.same({data, 1}, {call.output(), 1});
  fix_from(call, data, 2);
}

void relate_unpool(const RuleCall& call) {
  if (call.input(2) != nullptr) {
    return call.relations.veto(call.node, "its output shape is given as a tensor");
  }
  for (const ir::Value* input : {call.input(0), call.input(1)}) {
    call.same({input, 0}, {call.output(), 0});
    call.same({input, 1}, {call.output(), 1});
    fix_from(call, input, 2);
  }
  fix_from(call, call.output(), 2);
}

void relate_resample(const RuleCall& call) {
  const std::string mode = call.node.get_string("coordinate_transformation_mode", "half_pixel");
  if (mode == "tf_crop_and_resize") {
    return call.relations.veto(call.node, "it crops a region out of every axis");
  }
  const ir::Value* data = call.input(0);
  for (std::size_t axis = 0; axis < call.rank(data); ++axis) {
    const Axis from{data, axis};
    const Axis to{call.output(), axis};
    if (axis < 2 && size_of(from) == size_of(to)) {
      call.same(from, to);
    } else {
      call.fix(from);
      call.fix(to);
    }
  }
}

void relate_grid_sample(const RuleCall& call) {
  const ir::Value* data = call.input(0);
  const ir::Value* grid = call.input(1);
  call.same({data, 0}, {call.output(), 0});
  call.same({data, 1}, {call.output(), 1});
  call.same({grid, 0}, {call.output(), 0});
  fix_from(call, data, 2);
  fix_from(call, grid, 1);
  fix_from(call, call.output(), 2);
}

void relate_reduce_sum(const RuleCall& call) {
  relate_reduction(call, /*zeros_are_neutral=*/true);
}

void relate_reduce_fixed(const RuleCall& call) {
  relate_reduction(call, /*zeros_are_neutral=*/false);
}

}  // namespace espalier::prune
