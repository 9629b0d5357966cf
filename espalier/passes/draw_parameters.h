#pragma once

#include <cstdint>

#include "espalier/ir/graph.h"

namespace espalier::passes {

/// Replaces all parameters and running statistics by random ones that let every part of the network
/// be felt at its outputs: weights normal with deviation sqrt(2 / fan_in) (He et al., ICCV 2015), a
/// fifth of that for the last layer before a residual sum, which keeps deep networks from blowing
/// up rounding; scales in +-[0.5, 1.5], offsets and means in [-0.5, 0.5], variances in [0.5, 1.5].
/// A constant number that shuts a branch (a gain that starts at zero) counts as a scale.
/// Trained or freshly initialized networks may hold scales of zero that hide a wrong rewrite behind
/// them. Returns how many initializers were drawn. Each depends on the seed and its name only.
std::size_t draw_parameters(ir::Graph& graph, std::uint64_t seed);

}  // namespace espalier::passes
