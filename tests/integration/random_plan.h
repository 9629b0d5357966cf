#pragma once

#include <cstdint>
#include <optional>

#include <gtest/gtest.h>

#include "espalier/ir/graph.h"
#include "espalier/prune/plan.h"

namespace espalier::prune_test {

/// A plan that removes about this share of the channels of every group that can be cut, chosen at
/// random, and leaves at least one of each.
/// `earlier`: see prune::ChannelMap.
[[nodiscard]] prune::PrunePlan random_plan(
    const ir::Graph& graph, std::uint64_t seed, double share,
    std::optional<prune::CouplingChoices> earlier = std::nullopt);

/// Cuts by one random plan and then by another. True when the composed plan cuts the original to
/// the very same parameters.
[[nodiscard]] testing::AssertionResult two_cuts_are_one(const ir::Graph& whole, std::uint64_t seed,
                                                        double share);

}  // namespace espalier::prune_test
