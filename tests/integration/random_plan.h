#pragma once

#include <cstdint>

#include "espalier/ir/graph.h"
#include "espalier/prune/plan.h"

namespace espalier::prune_test {

/// A plan that removes about this share of the channels of every group that can be cut, chosen at
/// random, and leaves at least one of each.
[[nodiscard]] prune::PrunePlan random_plan(const ir::Graph& graph, std::uint64_t seed,
                                           double share);

}  // namespace espalier::prune_test
