// Operators whose output elements are input elements at other places.
#include <algorithm>
#include <numeric>

#include "espalier/prune/rules/rules.h"
#include "espalier/prune/rules/slice_ranges.h"

namespace espalier::prune {
namespace {

constexpr std::string_view kUnknownSizes = "the sizes along its axis are not all known";
constexpr std::string_view kComputed = "where it cuts or pads is known at run time only";

/// Attribute `axis`; vetoes and gives nothing when it does not exist.
std::optional<std::size_t> axis_of(const RuleCall& call, std::int64_t fallback) {
  const auto axis = RuleCall::wrap(call.node.get_int("axis", fallback), call.rank(call.input(0)));
  if (!axis) call.relations.veto(call.node, "its axis does not exist");
  return axis;
}

void same_axes_but(const RuleCall& call, const ir::Value* first, const ir::Value* second,
                   std::size_t excepted) {
  for (std::size_t axis = 0; axis < call.rank(first); ++axis) {
    if (axis != excepted) call.same({first, axis}, {second, axis});
  }
}

bool sizes_are_known(const std::vector<ir::Value*>& values, std::size_t axis) {
  return std::ranges::all_of(values, [&](const ir::Value* value) {
    return value == nullptr || size_of({value, axis}) != kUnknownSize;
  });
}

/// Why positions that a Gather picks cannot be followed.
std::string_view why_unreadable(const ir::Value* indices, std::int64_t size) {
  if (size == kUnknownSize) return "it picks from an axis of unknown size";
  if (indices != nullptr && indices->is_initializer()) return "it picks by a table of several axes";
  return "which positions it picks is known at run time only";
}

}  // namespace

void relate_transpose(const RuleCall& call) {
  const std::size_t rank = call.rank(call.input(0));
  ir::Ints reversed(rank);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    reversed[axis] = static_cast<std::int64_t>(rank - 1 - axis);
  }
  const ir::Ints order = call.node.get_ints("perm", reversed);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const auto from = axis < order.size() ? RuleCall::wrap(order[axis], rank) : std::nullopt;
    if (!from) return call.relations.veto(call.node, "its permutation does not fit");
    call.same({call.input(0), *from}, {call.output(), axis});
  }
}

void relate_concat(const RuleCall& call) {
  const auto axis = axis_of(call, 0);
  if (!axis) return;
  const Axis target{call.output(), *axis};
  if (!sizes_are_known(call.node.inputs(), *axis) || size_of(target) == kUnknownSize) {
    return call.relations.veto(call.node, kUnknownSizes);
  }
  std::int64_t offset = 0;
  for (const ir::Value* input : call.node.inputs()) {
    if (input == nullptr) continue;
    same_axes_but(call, input, call.output(), *axis);
    const std::int64_t size = size_of({input, *axis});
    call.relations.run({{input, *axis}, 0, 1, target, offset, 1, size});
    offset += size;
  }
}

void relate_split(const RuleCall& call) {
  const auto axis = axis_of(call, 0);
  if (!axis) return;
  const Axis source{call.input(0), *axis};
  if (!sizes_are_known(call.node.outputs(), *axis) || size_of(source) == kUnknownSize) {
    return call.relations.veto(call.node, kUnknownSizes);
  }
  std::int64_t offset = 0;
  for (const ir::Value* output : call.node.outputs()) {
    if (output == nullptr) return call.relations.veto(call.node, "one of its parts is not used");
    same_axes_but(call, output, call.input(0), *axis);
    const std::int64_t size = size_of({output, *axis});
    call.relations.run({source, offset, 1, {output, *axis}, 0, 1, size});
    offset += size;
  }
}

void relate_slice(const RuleCall& call) {
  const auto ranges = slice_ranges(call.node);
  if (!ranges) return call.relations.veto(call.node, kComputed);
  std::vector<bool> sliced(call.rank(call.input(0)), false);
  for (const SliceRange& range : *ranges) {
    sliced[range.axis] = true;
    const Axis from{call.input(0), range.axis};
    const Axis to{call.output(), range.axis};
    if (size_of(from) == kUnknownSize || size_of(to) != range.count) {
      call.fix(from, kUnknownSizes);
      call.fix(to, kUnknownSizes);
      continue;
    }
    call.relations.run({from, range.start, range.step, to, 0, 1, range.count});
  }
  for (std::size_t axis = 0; axis < sliced.size(); ++axis) {
    if (!sliced[axis]) call.same({call.input(0), axis}, {call.output(), axis});
  }
}

void relate_pad(const RuleCall& call) {
  const auto pads = integers_of(call.input(1));
  const std::size_t rank = call.rank(call.input(0));
  std::vector<std::size_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0U);
  if (call.input(3) != nullptr) {
    axes.clear();
    for (const std::int64_t number : integers_of(call.input(3)).value_or(ir::Ints{})) {
      axes.push_back(RuleCall::wrap(number, rank).value_or(rank));
    }
  }
  if (!pads || pads->size() != 2 * axes.size()) return call.relations.veto(call.node, kComputed);
  const bool is_constant = call.node.get_string("mode", "constant") == "constant";
  std::vector<std::int64_t> begins(rank, 0);
  std::vector<bool> padded(rank, false);
  for (std::size_t index = 0; index < axes.size(); ++index) {
    if (axes[index] >= rank) return call.relations.veto(call.node, kComputed);
    begins[axes[index]] = (*pads)[index];
    padded[axes[index]] = (*pads)[index] != 0 || (*pads)[index + axes.size()] != 0;
  }
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const Axis from{call.input(0), axis};
    const Axis to{call.output(), axis};
    if (!padded[axis]) {
      call.same(from, to);
    } else if (!is_constant || begins[axis] < 0 || size_of(to) < begins[axis] + size_of(from) ||
               size_of(from) == kUnknownSize) {
      call.fix(from, "its border repeats or removes elements");
      call.fix(to, "its border repeats or removes elements");
    } else {
      call.relations.run({from, 0, 1, to, begins[axis], 1, size_of(from)});
    }
  }
}

void relate_gather(const RuleCall& call) {
  const auto axis = axis_of(call, 0);
  if (!axis) return;
  const ir::Value* data = call.input(0);
  const std::size_t index_rank = call.rank(call.input(1));
  const auto indices = integers_of(call.input(1));
  const Axis from{data, *axis};
  const std::int64_t size = size_of(from);
  for (std::size_t other = 0; other < call.rank(data); ++other) {
    if (other == *axis) continue;
    call.same({data, other}, {call.output(), other < *axis ? other : other + index_rank - 1});
  }
  if (!indices || index_rank > 1 || size == kUnknownSize) {
    const std::string_view reason = why_unreadable(call.input(1), size);
    call.fix(from, reason);
    for (std::size_t extra = 0; extra < index_rank; ++extra) {
      call.fix({call.output(), *axis + extra}, reason);
    }
    return;
  }
  for (std::size_t place = 0; place < indices->size(); ++place) {
    const std::int64_t picked = (*indices)[place] + ((*indices)[place] < 0 ? size : 0);
    if (picked < 0 || picked >= size) return call.relations.veto(call.node, "it picks nothing");
    if (index_rank == 0) {
      call.relations.fix_position(from, picked, call.node, "it picks this position");
    } else {
      call.relations.run(
          {from, picked, 1, {call.output(), *axis}, static_cast<std::int64_t>(place), 1, 1});
    }
  }
}

void relate_expand(const RuleCall& call) {
  relate_broadcast(call, call.input(0), call.output());
  fix_sources_of_unknown_sizes(call, 1);
}

void relate_tile(const RuleCall& call) {
  for (std::size_t axis = 0; axis < call.rank(call.input(0)); ++axis) {
    const Axis from{call.input(0), axis};
    const Axis to{call.output(), axis};
    const std::int64_t size = size_of(from);
    const std::int64_t tiled = size_of(to);
    if (size <= 0 || tiled <= 0 || tiled % size != 0) {
      call.fix(from, kComputed);
      call.fix(to, kComputed);
      continue;
    }
    for (std::int64_t copy = 0; copy < tiled / size; ++copy) {
      call.relations.run({from, 0, 1, to, copy * size, 1, size});
    }
  }
}

namespace {

/// Channels of the deep side and of the shallow side of a block rearrangement correspond: deep
/// channel of (block, c) in depth-first order is block * C + c, in column order c * blocks + block.
void relate_blocks(const RuleCall& call, const ir::Value* deep, const ir::Value* shallow,
                   bool channel_outermost) {
  const std::int64_t side = call.node.get_int("blocksize", 1);
  const std::int64_t channels = size_of({shallow, 1});
  if (side < 1 || channels < 1 || size_of({deep, 1}) != channels * side * side) {
    return call.relations.veto(call.node, kUnknownSizes);
  }
  call.same({deep, 0}, {shallow, 0});
  const std::int64_t blocks = side * side;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t start = channel_outermost ? block : block * channels;
    const std::int64_t step = channel_outermost ? blocks : 1;
    call.relations.run({{shallow, 1}, 0, 1, {deep, 1}, start, step, channels});
  }
  for (const ir::Value* value : {deep, shallow}) {
    for (std::size_t axis = 2; axis < 4; ++axis) call.fix({value, axis}, "blocks are taken of it");
  }
}

}  // namespace

void relate_depth_to_space(const RuleCall& call) {
  relate_blocks(call, call.input(0), call.output(), call.node.get_string("mode", "DCR") == "CRD");
}

void relate_space_to_depth(const RuleCall& call) {
  relate_blocks(call, call.output(), call.input(0), /*channel_outermost=*/false);
}

}  // namespace espalier::prune
