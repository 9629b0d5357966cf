#pragma once

#include <optional>
#include <vector>

#include "espalier/prune/relations.h"

namespace espalier::prune {

/// Where one number of a shape computation comes from.
struct SizeSource {
  /// The axis whose size it is, unchanged; nothing for other numbers.
  std::optional<Axis> size_of = std::nullopt;
  /// Axes whose sizes it is computed from otherwise, each once.
  std::vector<Axis> computed_from = {};
  bool operator==(const SizeSource&) const = default;
};

/// The sources of the elements of a scalar or vector of numbers, followed back through Gather,
/// Slice, Concat, arithmetic and what only moves or casts them to Shape and Size. Nothing where the
/// number of elements is unknown, or the computation is longer than 64 operators in a row.
[[nodiscard]] std::optional<std::vector<SizeSource>> size_sources(const ir::Value& numbers);

}  // namespace espalier::prune
