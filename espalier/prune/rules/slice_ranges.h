#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "espalier/ir/node.h"

namespace espalier::prune {

/// What a Slice takes along one axis: positions start + i * step, i in 0..count-1.
struct SliceRange {
  std::size_t axis = 0;
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::int64_t count = 0;
};

/// The ranges of a Slice node with constant operands, in the order of its `axes`; ranges along axes
/// of unknown size are not resolved (start and count are 0). Nothing when an
/// operand is computed or does not fit.
[[nodiscard]] std::optional<std::vector<SliceRange>> slice_ranges(const ir::Node& slice);

}  // namespace espalier::prune
