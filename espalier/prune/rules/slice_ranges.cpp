#include "espalier/prune/rules/slice_ranges.h"

#include <algorithm>
#include <numeric>

#include "espalier/prune/rules/rules.h"

namespace espalier::prune {
namespace {

/// ONNX's clamping of starts and ends.
SliceRange resolve(std::size_t axis, std::int64_t size, const ir::Ints& bounds) {
  const std::int64_t step = bounds[2];
  const auto clamped = [&](std::int64_t bound, std::int64_t low, std::int64_t high) {
    return std::clamp(bound < 0 ? std::max(bound, -size - 1) + size : bound, low, high);
  };
  SliceRange range{.axis = axis, .start = 0, .step = step, .count = 0};
  if (step > 0) {
    range.start = clamped(bounds[0], 0, size);
    const std::int64_t end = clamped(bounds[1], 0, size);
    range.count = end > range.start ? (end - range.start - 1) / step + 1 : 0;
  } else {
    range.start = clamped(bounds[0], 0, size - 1);
    const std::int64_t end = clamped(bounds[1], -1, size - 1);
    range.count = end < range.start ? (range.start - end - 1) / -step + 1 : 0;
  }
  return range;
}

}  // namespace

std::optional<std::vector<SliceRange>> slice_ranges(const ir::Node& slice) {
  const auto rank = rank_of(slice.input(0));
  const auto starts = integers_of(slice.input(1));
  const auto ends = integers_of(slice.input(2));
  if (!rank || !starts || !ends || starts->size() != ends->size()) return std::nullopt;
  ir::Ints axes(starts->size());
  std::iota(axes.begin(), axes.end(), 0);
  if (slice.input(3) != nullptr) {
    const auto given = integers_of(slice.input(3));
    if (!given) return std::nullopt;
    axes = *given;
  }
  ir::Ints steps(starts->size(), 1);
  if (slice.input(4) != nullptr) {
    const auto given = integers_of(slice.input(4));
    if (!given) return std::nullopt;
    steps = *given;
  }
  if (axes.size() != starts->size() || steps.size() != starts->size()) return std::nullopt;
  std::vector<SliceRange> ranges;
  for (std::size_t index = 0; index < axes.size(); ++index) {
    const auto axis = RuleCall::wrap(axes[index], *rank);
    // ONNX forbids the smallest step; it has no magnitude.
    if (!axis || steps[index] == 0 || steps[index] < -kLongestAxis) return std::nullopt;
    const std::int64_t size = size_of({slice.input(0), *axis});
    if (size == kUnknownSize) {
      ranges.push_back({.axis = *axis, .start = 0, .step = steps[index], .count = 0});
    } else {
      ranges.push_back(resolve(*axis, size, {(*starts)[index], (*ends)[index], steps[index]}));
    }
  }
  return ranges;
}

}  // namespace espalier::prune
