#pragma once

#include "espalier/ir/graph.h"
#include "espalier/prune/cut_map.h"
#include "espalier/prune/plan.h"

namespace espalier::passes {

/// Removes the channels that the plan names, and all that hangs together with them, from every
/// tensor of the graph: initializers become smaller, and attributes and shape constants follow
/// (groups of convolutions, targets of Reshape and Expand, parts of Split, ranges of Slice, borders
/// of Pad, indices of Gather, sizes of Resize). A Slice whose remaining positions are no regular
/// range becomes a Gather. Types are inferred anew; inputs and outputs of the graph stay.
/// Formula  f_cut(x) = f_masked(x), where masked means that the removed channels read as zero
///          wherever the graph sums over them (mask_channels.h; check_cut.h proves it by numbers).
/// Returns what stays of each initializer, for state that is keyed by them.
/// `earlier`: see prune::ChannelMap. Throws UserError when plan and graph do not fit
/// (prune::resolve).
prune::CutMap cut_channels(ir::Graph& graph, const prune::PrunePlan& plan,
                           std::optional<prune::CouplingChoices> earlier = std::nullopt);

/// The same for channels that are already resolved; `removal` must come from a map of this graph.
prune::CutMap cut_channels(ir::Graph& graph, const prune::Removal& removal);

}  // namespace espalier::passes
