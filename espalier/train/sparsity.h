#pragma once

#include <string>
#include <vector>

#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"

namespace espalier::train {

/// Penalties that drive parameters to zero while training, so that pruning finds what it may take.
struct SparsityOptions {
  /// Of the factors of batch normalizations (Liu et al., "Learning efficient convolutional networks
  /// through network slimming", ICCV 2017); 0: none.
  double bn_scale = 0;
};

/// Throws UserError for a penalty below 0 or not finite, and for one on factors that the graph does
/// not have.
void check_sparsity(const ir::Graph& graph, const SparsityOptions& options);

/// Initializers that scale the channels of a BatchNormalization, in graph order, each once.
[[nodiscard]] std::vector<std::string> norm_scales(const ir::Graph& graph);

/// Adds the subgradient of bn_scale * sum |gamma| to the gradients: bn_scale * sign(gamma), 0 at 0.
/// Parameters without a gradient (frozen ones) stay without.
void add_sparsity_gradient(const exec::TensorMap& parameters,
                           const std::vector<std::string>& scales, const SparsityOptions& options);

}  // namespace espalier::train
