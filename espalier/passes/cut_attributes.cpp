#include "espalier/passes/cut_attributes.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <span>

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "espalier/ops/index_rule.h"
#include "espalier/passes/operands.h"
#include "espalier/prune/rules/size_sources.h"
#include "espalier/prune/rules/slice_ranges.h"

namespace espalier::passes {
namespace {

using ops::IndexRule;
using prune::Axis;

struct Cut {
  ir::Graph& graph;
  ir::Node& node;
  const prune::Removal& removal;

  [[nodiscard]] ir::Value* data() const { return node.input(0); }
  [[nodiscard]] ir::Value* output() const { return node.output(0); }
  [[nodiscard]] std::size_t rank(const ir::Value* value) const {
    return prune::rank_of(value).value_or(0);
  }
  [[nodiscard]] bool cuts_any_axis(const ir::Value* value) const {
    for (std::size_t axis = 0; axis < rank(value); ++axis) {
      if (removal.cuts({value, axis})) return true;
    }
    return false;
  }
  /// Where a kept position lies after the cut.
  [[nodiscard]] std::int64_t rank_of_position(const Axis& axis, std::int64_t position) const {
    const auto kept = removal.kept(axis);
    return std::ranges::lower_bound(kept, position) - kept.begin();
  }
  void set_integers(std::size_t port, const ir::Ints& numbers) const {
    const Tensor constant = at::tensor(numbers, at::kLong);
    if (constant_of(node.input(port)) != nullptr) {
      replace_constant(graph, node, port, constant);
      return;
    }
    graph.set_input(node, port, &add_constant("_cut", constant));
  }
  /// An initializer named after the node.
  [[nodiscard]] ir::Value& add_constant(std::string_view suffix, const Tensor& constant) const {
    return graph.add_initializer(graph.unique_value_name(node.name() + std::string(suffix)),
                                 constant);
  }
  [[nodiscard]] std::size_t wrapped(std::int64_t axis) const {
    const auto signed_rank = static_cast<std::int64_t>(rank(data()));
    return static_cast<std::size_t>(axis < 0 ? axis + signed_rank : axis);
  }
};

/// New number of groups: channels of all of them over those of one, which is right whether groups
/// or places inside them went. An axis of unknown size is not cut, and so are no groups.
void set_groups(const Cut& cut, std::string_view attribute, const Axis& all, std::int64_t width) {
  if (prune::size_of(all) == prune::kUnknownSize) return;
  cut.node.set(std::string(attribute), cut.removal.num_kept(all) / width);
}

void cut_convolution(const Cut& cut) {
  if (cut.node.get_int("group", 1) == 1) return;
  set_groups(cut, "group", {cut.data(), 1}, cut.removal.num_kept({cut.node.input(1), 1}));
}

void cut_conv_transpose(const Cut& cut) {
  if (cut.node.get_int("group", 1) == 1) return;
  set_groups(cut, "group", {cut.output(), 1}, cut.removal.num_kept({cut.node.input(1), 1}));
}

void cut_channel_groups(const Cut& cut) {
  const Axis all{cut.data(), 1};
  set_groups(cut, "num_groups", all, prune::size_of(all) / cut.node.get_int("num_groups", 1));
}

/// True when one of the numbers at a port is computed from the size of an axis that is cut.
bool is_computed_from_cut(const Cut& cut, std::size_t port) {
  const auto sources = prune::size_sources(*cut.node.input(port));
  return sources && std::ranges::any_of(*sources, [&](const prune::SizeSource& source) {
           return (source.size_of && cut.removal.cuts(*source.size_of)) ||
                  std::ranges::any_of(source.computed_from,
                                      [&](const Axis& axis) { return cut.removal.cuts(axis); });
         });
}

ir::Value& kept_sizes(const Cut& cut, std::span<const std::optional<std::int64_t>> sizes) {
  ir::Ints numbers;
  for (const auto& size : sizes) numbers.push_back(*size);
  return cut.add_constant("_left", at::tensor(numbers, at::kLong));
}

ir::Value& slice_of(const Cut& cut, ir::Value& sizes, std::size_t first, std::size_t end) {
  const auto bound = [&](std::string_view suffix, std::size_t position) {
    return &cut.add_constant(suffix, at::full({1}, static_cast<std::int64_t>(position), at::kLong));
  };
  return *cut.graph
              .insert_before(cut.node,
                             {.op = "Slice",
                              .inputs = {&sizes, bound("_from", first), bound("_to", end)},
                              .name = cut.graph.unique_node_name(cut.node.name() + "_open")})
              .output();
}

/// Computed sizes of an output: those that are known are written down, sizes' = Concat(what is
/// left, Slice(sizes)). Shape inference follows both, so that the graph can be cut again.
void write_known_sizes(const Cut& cut, std::size_t port) {
  if (!cut.cuts_any_axis(cut.output()) && !is_computed_from_cut(cut, port)) return;
  std::vector<std::optional<std::int64_t>> left;
  for (std::size_t axis = 0; axis < cut.rank(cut.output()); ++axis) {
    const bool known = prune::size_of({cut.output(), axis}) != prune::kUnknownSize;
    left.push_back(known ? std::optional(cut.removal.num_kept({cut.output(), axis}))
                         : std::nullopt);
  }
  const auto unknown = std::ranges::count_if(left, [](const auto& size) { return !size; });
  if (unknown == 0 || (unknown == 1 && cut.node.is("Reshape"))) {
    ir::Ints sizes;
    for (const auto& size : left) sizes.push_back(size.value_or(-1));
    return cut.set_integers(port, sizes);
  }
  ir::Value* sizes = cut.node.input(port);
  std::vector<ir::Value*> parts;
  for (std::size_t first = 0; first < left.size();) {
    const bool known = left[first].has_value();
    std::size_t end = first;
    while (end < left.size() && left[end].has_value() == known) ++end;
    parts.push_back(known ? &kept_sizes(cut, std::span(left).subspan(first, end - first))
                          : &slice_of(cut, *sizes, first, end));
    first = end;
  }
  const ir::Node& joined = cut.graph.insert_before(
      cut.node, {.op = "Concat",
                 .inputs = std::move(parts),
                 .attributes = {{"axis", std::int64_t{0}}},
                 .name = cut.graph.unique_node_name(cut.node.name() + "_sizes")});
  cut.graph.set_input(cut.node, port, joined.output());
}

/// An axis of which one position is left is not to disappear with those that had one before.
void cut_squeeze(const Cut& cut) {
  if (cut.node.input(1) != nullptr || !cut.cuts_any_axis(cut.data())) return;
  ir::Ints axes;
  for (std::size_t axis = 0; axis < cut.rank(cut.data()); ++axis) {
    if (prune::size_of({cut.data(), axis}) == 1) axes.push_back(static_cast<std::int64_t>(axis));
  }
  cut.set_integers(1, axes);
}

void cut_reshape(const Cut& cut) {
  if (cut.node.is("Squeeze")) return cut_squeeze(cut);
  if (!cut.node.is("Reshape")) return;
  const auto old_target = constant_ints(cut.node.input(1));
  if (!old_target) return write_known_sizes(cut, 1);
  if (!cut.cuts_any_axis(cut.output())) return;
  ir::Ints target;
  for (std::size_t axis = 0; axis < cut.rank(cut.output()); ++axis) {
    const bool known = prune::size_of({cut.output(), axis}) != prune::kUnknownSize;
    const std::int64_t kept = known ? cut.removal.num_kept({cut.output(), axis}) : -1;
    const std::int64_t old = (*old_target)[axis];
    const bool repeats_input = old == 0 && cut.node.get_int("allowzero", 0) == 0;
    const bool still_repeats =
        repeats_input && (!known || cut.removal.num_kept({cut.data(), axis}) == kept);
    target.push_back(old == -1 || still_repeats || !known ? old : kept);
  }
  cut.set_integers(1, target);
}

void cut_expand(const Cut& cut) {
  const auto known = constant_ints(cut.node.input(1));
  if (!known) return write_known_sizes(cut, 1);
  if (!cut.cuts_any_axis(cut.output())) return;
  ir::Ints target = *known;
  const std::size_t shift = cut.rank(cut.output()) - target.size();
  for (std::size_t index = 0; index < target.size(); ++index) {
    const Axis axis{cut.output(), index + shift};
    if (target[index] != 1 && cut.removal.cuts(axis)) target[index] = cut.removal.num_kept(axis);
  }
  cut.set_integers(1, target);
}

void cut_split(const Cut& cut) {
  const std::size_t axis = cut.wrapped(cut.node.get_int("axis", 0));
  if (!cut.removal.cuts({cut.data(), axis})) return;
  ir::Ints parts;
  for (const ir::Value* part : cut.node.outputs()) {
    parts.push_back(cut.removal.num_kept({part, axis}));
  }
  cut.node.remove("num_outputs");
  cut.set_integers(1, parts);
}

/// Where the positions that a range picks lie after the cut.
ir::Ints picked_after_cut(const Cut& cut, const prune::SliceRange& range) {
  const Axis axis{cut.data(), range.axis};
  const auto kept = cut.removal.kept(axis);
  ir::Ints picked;
  for (std::int64_t index = 0; index < range.count; ++index) {
    const std::int64_t position = range.start + index * range.step;
    const auto place = std::ranges::lower_bound(kept, position);
    if (place != kept.end() && *place == position) picked.push_back(place - kept.begin());
  }
  return picked;
}

/// The common difference of a list; nothing when it has none, or is 0.
std::optional<std::int64_t> step_of(const ir::Ints& positions) {
  if (positions.size() < 2) return 1;
  const std::int64_t step = positions[1] - positions[0];
  for (std::size_t index = 1; index < positions.size(); ++index) {
    if (positions[index] - positions[index - 1] != step) return std::nullopt;
  }
  return step == 0 ? std::nullopt : std::optional(step);
}

struct SliceBounds {
  ir::Ints starts;
  ir::Ints ends;
  ir::Ints axes;
  ir::Ints steps;
};

void set_bounds(const Cut& cut, const SliceBounds& bounds) {
  cut.set_integers(1, bounds.starts);
  cut.set_integers(2, bounds.ends);
  cut.set_integers(3, bounds.axes);
  cut.set_integers(4, bounds.steps);
}

/// Picks these positions in front of the node's input 0.
void insert_gather(const Cut& cut, const ir::Ints& positions, std::size_t axis) {
  ir::Value& indices = cut.add_constant("_picked", at::tensor(positions, at::kLong));
  const ir::Node& gather = cut.graph.insert_before(
      cut.node, {.op = "Gather",
                 .inputs = {cut.data(), &indices},
                 .attributes = {{"axis", static_cast<std::int64_t>(axis)}},
                 .name = cut.graph.unique_node_name(cut.node.name() + "_pick")});
  cut.graph.set_input(cut.node, 0, gather.output());
}

void cut_slice(const Cut& cut) {
  if (!cut.cuts_any_axis(cut.data())) return;
  const auto ranges = prune::slice_ranges(cut.node).value();
  const ir::Ints starts = constant_ints(cut.node.input(1)).value();
  const ir::Ints ends = constant_ints(cut.node.input(2)).value();
  SliceBounds bounds;
  std::vector<std::pair<std::size_t, ir::Ints>> irregular;
  for (std::size_t index = 0; index < ranges.size(); ++index) {
    const prune::SliceRange& range = ranges[index];
    std::int64_t start = starts[index];
    std::int64_t end = ends[index];
    std::int64_t step = range.step;
    if (cut.removal.cuts({cut.data(), range.axis})) {
      const ir::Ints picked = picked_after_cut(cut, range);
      const auto regular = step_of(picked);
      if (!regular) {
        irregular.emplace_back(range.axis, picked);
        continue;
      }
      if (picked.empty()) {
        bounds.starts.push_back(0);
        bounds.ends.push_back(0);
        bounds.axes.push_back(static_cast<std::int64_t>(range.axis));
        bounds.steps.push_back(1);
        continue;
      }
      start = picked.front();
      step = *regular;
      end = picked.back() + (step > 0 ? 1 : -1);
      // Downwards to the first position: an end that no position has.
      if (end < 0) end = -cut.removal.num_kept({cut.data(), range.axis}) - 1;
    }
    bounds.starts.push_back(start);
    bounds.ends.push_back(end);
    bounds.axes.push_back(static_cast<std::int64_t>(range.axis));
    bounds.steps.push_back(step);
  }
  set_bounds(cut, bounds);
  for (const auto& [axis, picked] : irregular) insert_gather(cut, picked, axis);
  if (!bounds.starts.empty()) return;
  cut.graph.truncate_inputs(cut.node, 1);
  cut.graph.set_op(cut.node, "Identity");
}

void cut_pad(const Cut& cut) {
  if (!cut.cuts_any_axis(cut.output())) return;
  ir::Ints pads = constant_ints(cut.node.input(1)).value();
  const std::size_t count = pads.size() / 2;
  ir::Ints axes(count);
  std::iota(axes.begin(), axes.end(), 0);
  if (cut.node.input(3) != nullptr) axes = constant_ints(cut.node.input(3)).value();
  for (std::size_t index = 0; index < count; ++index) {
    const Axis axis{cut.output(), cut.wrapped(axes[index])};
    if (!cut.removal.cuts(axis)) continue;
    const std::int64_t begin = pads[index];
    const std::int64_t end = prune::size_of(axis) - pads[index + count];
    const auto kept = cut.removal.kept(axis);
    pads[index] = std::ranges::count_if(kept, [&](auto position) { return position < begin; });
    pads[index + count] =
        std::ranges::count_if(kept, [&](auto position) { return position >= end; });
  }
  cut.set_integers(1, pads);
}

void cut_gather(const Cut& cut) {
  const std::size_t axis = cut.wrapped(cut.node.get_int("axis", 0));
  const Axis from{cut.data(), axis};
  if (!cut.removal.cuts(from)) return;
  const Tensor& indices = *constant_of(cut.node.input(1));
  const ir::Ints old = constant_ints(cut.node.input(1)).value();
  const std::int64_t size = prune::size_of(from);
  const auto kept = cut.removal.kept(from);
  ir::Ints picked;
  for (const std::int64_t index : old) {
    const std::int64_t position = index < 0 ? index + size : index;
    if (std::ranges::binary_search(kept, position)) {
      picked.push_back(cut.rank_of_position(from, position));
    }
  }
  Tensor replaced = at::tensor(picked, at::kLong).to(indices.scalar_type());
  if (indices.dim() == 0) replaced = replaced.reshape({});
  replace_constant(cut.graph, cut.node, 1, replaced);
}

void cut_resample(const Cut& cut) {
  const ir::Value* sizes_given = cut.node.input(3);
  if (sizes_given == nullptr) return;
  if (!sizes_given->is_initializer() && !cut.node.has("axes")) return write_known_sizes(cut, 3);
  if (!cut.cuts_any_axis(cut.output())) return;
  ir::Ints axes(cut.rank(cut.data()));
  std::iota(axes.begin(), axes.end(), 0);
  axes = cut.node.get_ints("axes", axes);
  auto sizes = constant_ints(sizes_given);
  if (!sizes) return;
  for (std::size_t index = 0; index < axes.size(); ++index) {
    const Axis axis{cut.output(), cut.wrapped(axes[index])};
    if (cut.removal.cuts(axis)) (*sizes)[index] = cut.removal.num_kept(axis);
  }
  cut.set_integers(3, *sizes);
}

struct CutRow {
  IndexRule rule;
  void (*cut)(const Cut& cut);
};

/// Operators of other rules have no attribute or constant that counts channels.
constexpr std::array kRows{
    CutRow{IndexRule::Convolution, cut_convolution},
    CutRow{IndexRule::ConvTranspose, cut_conv_transpose},
    CutRow{IndexRule::ChannelGroups, cut_channel_groups},
    CutRow{IndexRule::Reshape, cut_reshape},
    CutRow{IndexRule::Expand, cut_expand},
    CutRow{IndexRule::Split, cut_split},
    CutRow{IndexRule::Slice, cut_slice},
    CutRow{IndexRule::Pad, cut_pad},
    CutRow{IndexRule::Gather, cut_gather},
    CutRow{IndexRule::Resample, cut_resample},
};

}  // namespace

void cut_attributes(ir::Graph& graph, ir::Node& node, const prune::Removal& removal) {
  const ops::IndexRuleRow* row = ops::find_index_rule(node);
  if (row == nullptr) return;
  const auto place = std::ranges::find(kRows, row->rule, &CutRow::rule);
  if (place != kRows.end()) place->cut({.graph = graph, .node = node, .removal = removal});
}

}  // namespace espalier::passes
