// Convolutions and matrix products.
#include <map>

#include "espalier/ops/einsum.h"
#include "espalier/ops/weight.h"
#include "espalier/prune/rules/rules.h"

namespace espalier::prune {
namespace {

constexpr std::string_view kGroupWidth = "every group keeps its width";
constexpr std::string_view kMisfit = "its shapes do not fit its attributes";
constexpr std::string_view kUnknown = "the sizes of what it reads are not known";

/// Channels on both sides of a grouped convolution: channel k * width + i belongs to group k.
struct GroupedAxes {
  std::int64_t groups = 1;
  Axis input;
  std::int64_t input_width = 1;
  Axis output;
  std::int64_t output_width = 1;
};

/// Whole groups stay or go, on both sides at once.
void couple_whole_groups(const RuleCall& call, const GroupedAxes& axes) {
  for (std::int64_t inner = 1; inner < axes.input_width; ++inner) {
    call.relations.run(
        {axes.input, 0, axes.input_width, axes.input, inner, axes.input_width, axes.groups});
  }
  for (std::int64_t inner = 0; inner < axes.output_width; ++inner) {
    call.relations.run(
        {axes.input, 0, axes.input_width, axes.output, inner, axes.output_width, axes.groups});
  }
}

/// Every group loses the same places: those of `axis` correspond to the places of one group.
void couple_places(const RuleCall& call, const Axis& axis, const Axis& place, std::int64_t groups) {
  const std::int64_t width = size_of(place);
  for (std::int64_t group = 0; group < groups; ++group) {
    call.relations.run({axis, group * width, 1, place, 0, 1, width});
  }
}

/// Removing groups leaves more to choose from than removing places when there are more groups than
/// places in the wider side of one.
bool prefers_whole_groups(const GroupedAxes& axes) {
  return axes.input_width == 1 || axes.groups >= std::max(axes.input_width, axes.output_width);
}

void relate_spatial(const RuleCall& call) {
  for (const ir::Value* value : {call.input(0), call.input(1)}) {
    for (std::size_t axis = 2; axis < call.rank(value); ++axis) call.fix({value, axis});
  }
  for (std::size_t axis = 2; axis < call.rank(call.output()); ++axis) {
    call.fix({call.output(), axis});
  }
}

/// The input that is the constant operand of a matrix product; none: both are activations.
std::optional<std::size_t> constant_side(const RuleCall& call) {
  for (const std::size_t port : {1U, 0U}) {
    if (ops::initializer_behind(call.input(port)) != nullptr) return port;
  }
  return std::nullopt;
}

}  // namespace

void relate_convolution(const RuleCall& call) {
  const ir::Value* data = call.input(0);
  const ir::Value* weight = call.input(1);
  if (call.rank(data) < 3 || call.rank(weight) != call.rank(data)) {
    return call.relations.veto(call.node, kMisfit);
  }
  const GroupedAxes axes{.groups = call.node.get_int("group", 1),
                         .input = {data, 1},
                         .input_width = size_of({weight, 1}),
                         .output = {call.output(), 1},
                         .output_width = size_of({weight, 0}) /
                                         std::max<std::int64_t>(call.node.get_int("group", 1), 1)};
  if (size_of(axes.input) == kUnknownSize || size_of(axes.output) == kUnknownSize) {
    return call.relations.veto(call.node, kUnknown);
  }
  if (axes.groups < 1 || axes.input_width < 1 || axes.output_width < 1 ||
      size_of(axes.input) != axes.groups * axes.input_width ||
      size_of(axes.output) != axes.groups * axes.output_width) {
    return call.relations.veto(call.node, kMisfit);
  }
  call.same({data, 0}, {call.output(), 0});
  relate_spatial(call);
  call.same({weight, 0}, axes.output);
  if (call.input(2) != nullptr) call.same({call.input(2), 0}, axes.output);
  call.relations.layer({.node = &call.node,
                        .filters = {weight, 0},
                        .output = axes.output,
                        .weight_inputs = {weight, 1}});
  if (call.relations.takes_whole_groups(call.node, axes.groups, prefers_whole_groups(axes))) {
    call.fix({weight, 1}, kGroupWidth);
    couple_whole_groups(call, axes);
    return;
  }
  if (axes.groups == 1) {
    call.same(axes.input, {weight, 1});
  } else {
    couple_places(call, axes.input, {weight, 1}, axes.groups);
    for (std::int64_t group = 1; group < axes.groups; ++group) {
      call.relations.run(
          {axes.output, 0, 1, axes.output, group * axes.output_width, 1, axes.output_width});
    }
  }
  call.relations.contract(call.node, 0, 1);
}

void relate_conv_transpose(const RuleCall& call) {
  const ir::Value* data = call.input(0);
  const ir::Value* weight = call.input(1);
  const std::int64_t groups = call.node.get_int("group", 1);
  if (call.rank(data) < 3 || call.rank(weight) != call.rank(data) || groups < 1) {
    return call.relations.veto(call.node, kMisfit);
  }
  const GroupedAxes axes{.groups = groups,
                         .input = {data, 1},
                         .input_width = size_of({weight, 0}) / groups,
                         .output = {call.output(), 1},
                         .output_width = size_of({weight, 1})};
  if (axes.input_width < 1 || axes.output_width < 1 ||
      size_of(axes.input) != axes.groups * axes.input_width ||
      size_of(axes.output) != axes.groups * axes.output_width) {
    return call.relations.veto(call.node, kMisfit);
  }
  call.same({data, 0}, {call.output(), 0});
  relate_spatial(call);
  call.same(axes.input, {weight, 0});
  if (call.input(2) != nullptr) call.same({call.input(2), 0}, axes.output);
  call.relations.layer({.node = &call.node,
                        .filters = {weight, 1},
                        .output = axes.output,
                        .weight_inputs = {weight, 0}});
  if (call.relations.takes_whole_groups(call.node, axes.groups, prefers_whole_groups(axes))) {
    call.fix({weight, 1}, kGroupWidth);
    couple_whole_groups(call, axes);
    return;
  }
  couple_places(call, axes.output, {weight, 1}, axes.groups);
  for (std::int64_t group = 1; group < axes.groups; ++group) {
    call.relations.run(
        {axes.input, 0, 1, axes.input, group * axes.input_width, 1, axes.input_width});
  }
  call.relations.contract(call.node, 0, 1);
}

void relate_gemm(const RuleCall& call) {
  const ir::Value* left = call.input(0);
  const ir::Value* right = call.input(1);
  if (call.rank(left) != 2 || call.rank(right) != 2) {
    return call.relations.veto(call.node, kMisfit);
  }
  const std::size_t left_inner = call.node.get_int("transA", 0) != 0 ? 0 : 1;
  const std::size_t right_inner = call.node.get_int("transB", 0) != 0 ? 1 : 0;
  call.same({left, 1 - left_inner}, {call.output(), 0});
  call.same({right, 1 - right_inner}, {call.output(), 1});
  call.same({left, left_inner}, {right, right_inner});
  call.relations.contract(call.node, 0, left_inner);
  if (call.input(2) != nullptr) relate_broadcast(call, call.input(2), call.output());
  call.relations.layer({.node = &call.node,
                        .filters = {right, 1 - right_inner},
                        .output = {call.output(), 1},
                        .weight_inputs = {right, right_inner}});
}

void relate_mat_mul(const RuleCall& call) {
  const ir::Value* left = call.input(0);
  const ir::Value* right = call.input(1);
  const std::size_t left_rank = call.rank(left);
  const std::size_t right_rank = call.rank(right);
  const std::size_t rank = call.rank(call.output());
  if (left_rank < 2 || right_rank < 2 || rank != std::max(left_rank, right_rank)) {
    return call.relations.veto(call.node, "no rule for products with vectors");
  }
  call.same({left, left_rank - 2}, {call.output(), rank - 2});
  call.same({right, right_rank - 1}, {call.output(), rank - 1});
  call.same({left, left_rank - 1}, {right, right_rank - 2});
  for (const ir::Value* side : {left, right}) {
    const std::size_t shift = rank - call.rank(side);
    for (std::size_t axis = 0; axis + 2 < call.rank(side); ++axis) {
      if (size_of({side, axis}) != 1) call.same({side, axis}, {call.output(), axis + shift});
    }
  }
  const auto constant = constant_side(call);
  if (constant == 1U) {
    call.relations.layer({.node = &call.node,
                          .filters = {right, right_rank - 1},
                          .output = {call.output(), rank - 1},
                          .weight_inputs = {right, right_rank - 2}});
  } else if (constant == 0U) {
    call.relations.layer({.node = &call.node,
                          .filters = {left, left_rank - 2},
                          .output = {call.output(), rank - 2},
                          .weight_inputs = {left, left_rank - 1}});
  }
  if (constant == 0U) {
    call.relations.contract(call.node, 1, right_rank - 2);
  } else {
    call.relations.contract(call.node, 0, left_rank - 1);
  }
}

void relate_einsum(const RuleCall& call) {
  const auto equation = ops::einsum_equation(call.node);
  if (!equation) {
    return call.relations.veto(call.node,
                               "no rule for diagonals, ellipses of unknown rank and other ranks");
  }
  const auto place_in = [](const std::string& letters, char letter) -> std::optional<std::size_t> {
    const std::size_t place = letters.find(letter);
    return place == std::string::npos ? std::nullopt : std::optional(place);
  };
  std::map<char, Axis> places;
  for (std::size_t axis = 0; axis < equation->output.size(); ++axis) {
    places.emplace(equation->output[axis], Axis{call.output(), axis});
  }
  for (std::size_t port = 0; port < equation->inputs.size(); ++port) {
    const std::string& letters = equation->inputs[port];
    for (std::size_t axis = 0; axis < letters.size(); ++axis) {
      const Axis here{call.input(port), axis};
      const auto [place, is_new] = places.emplace(letters[axis], here);
      if (!is_new) call.same(here, place->second);
      if (!place_in(equation->output, letters[axis])) {
        call.relations.contract(call.node, port, axis);
      }
    }
  }
  const auto constant = constant_side(call);
  if (!constant || equation->inputs.size() != 2) return;
  // A layer: one letter of the weight is new in the output, one is summed with the other operand's.
  const std::string& weight = equation->inputs[*constant];
  const std::string& other = equation->inputs[1 - *constant];
  std::string filters;
  std::string summed;
  for (const char letter : weight) {
    if (!place_in(other, letter)) filters += letter;
    if (place_in(other, letter) && !place_in(equation->output, letter)) summed += letter;
  }
  if (filters.size() != 1 || summed.size() != 1 || !place_in(equation->output, filters[0])) return;
  call.relations.layer({.node = &call.node,
                        .filters = {call.input(*constant), *place_in(weight, filters[0])},
                        .output = {call.output(), *place_in(equation->output, filters[0])},
                        .weight_inputs = {call.input(*constant), *place_in(weight, summed[0])}});
}

}  // namespace espalier::prune
