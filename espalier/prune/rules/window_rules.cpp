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

bool is_read_by_unpooling_alone(const ir::Value& positions) {
  return !positions.is_output() && std::ranges::all_of(positions.uses(), [](const ir::Use& use) {
    return use.node->is("MaxUnpool") && use.index == 1;
  });
}

/// True when a Resize leaves an axis as it is: a size that stays may still be resampled.
bool keeps_axis(const RuleCall& call, std::size_t axis) {
  if (size_of({call.input(0), axis}) != size_of({call.output(), axis})) return false;
  const ir::Value* scales = call.input(2);
  if (scales == nullptr || !scales->is_initializer()) return true;
  const Tensor& factors = scales->constant();
  const auto place = call.node.get_ints("axes", {});
  std::int64_t index = static_cast<std::int64_t>(axis);
  if (!place.empty()) {
    const auto rank = static_cast<std::int64_t>(call.rank(call.input(0)));
    const auto found = std::ranges::find_if(
        place, [&](std::int64_t listed) { return (listed + rank) % rank == index; });
    if (found == place.end()) return true;
    index = found - place.begin();
  }
  return index >= factors.numel() || factors.flatten()[index].item<double>() == 1;
}

}  // namespace

void relate_window(const RuleCall& call) {
  const ir::Value* data = call.input(0);
  // Positions of a pooling count elements of the whole tensor: to MaxUnpool they mean the same
  // after a cut, to others they are numbers.
  const ir::Value* positions = call.node.outputs().size() > 1 ? call.node.output(1) : nullptr;
  if (positions != nullptr && !is_read_by_unpooling_alone(*positions)) {
    return call.relations.veto(call.node, "its positions are used as numbers");
  }
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
    if (axis < 2 && keeps_axis(call, axis)) {
      call.same(from, to);
    } else {
      call.fix(from);
      call.fix(to);
    }
  }
  const ir::Value* sizes = call.input(3);
  if (sizes == nullptr || sizes->producer() == nullptr) return;
  if (call.node.has("axes")) return fix_sources(call, *sizes);
  fix_sources_of_unknown_sizes(call, 3);
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
