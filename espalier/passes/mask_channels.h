#pragma once

#include <cstddef>

#include "espalier/ir/graph.h"
#include "espalier/prune/channel_map.h"
#include "espalier/prune/plan.h"

namespace espalier::passes {

/// Before   y = Conv(x, W)           (channels of x are to be removed)
/// After    y = Conv(Where(keep, x, 0), W)
/// Also     every other operator that sums over an axis of x which loses channels.
/// Why      the graph computes what the cut graph will compute while all tensors keep their sizes:
///          pruning that can still be taken back, and the reference that a cut is checked against.
/// The masks are boolean initializers named `<value>_kept`: training leaves them alone. Types are
/// inferred anew. Returns how many masks were put in. `earlier`: see prune::ChannelMap. Throws as
/// cut_channels does.
std::size_t mask_channels(ir::Graph& graph, const prune::PrunePlan& plan,
                          std::optional<prune::CouplingChoices> earlier = std::nullopt);

/// The same for channels that are already resolved; `removal` must come from a map of this graph.
std::size_t mask_channels(ir::Graph& graph, const prune::Removal& removal);

}  // namespace espalier::passes
