#pragma once

#include "espalier/prune/cut_map.h"
#include "espalier/prune/plan.h"

namespace espalier::prune {

/// The plan that does in one go what `first` and then `second` do: positions of `second`, which was
/// made for the graph that `first` leaves, become those of the graph before it. `first_cuts` is
/// what `first` keeps there. An axis that both cut has one entry. The model is that of `first`, the
/// criterion that of `second`.
[[nodiscard]] PrunePlan compose_plans(const PrunePlan& first, const CutMap& first_cuts,
                                      const PrunePlan& second);

/// What stays of every initializer after two cuts, `second` of the graph that `first` leaves.
[[nodiscard]] CutMap compose_cuts(const CutMap& first, const CutMap& second);

}  // namespace espalier::prune
