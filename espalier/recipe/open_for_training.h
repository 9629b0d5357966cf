#pragma once

#include "espalier/ir/graph.h"

namespace espalier::recipe {

/// The model as training runs it: with an open batch (passes::open_batch), also where its file
/// fixes one. That is tried on random images: throws UnsupportedError where the opened model
/// computes something else, and what open_batch throws. Other models are given back as they are.
[[nodiscard]] ir::Graph open_for_training(const ir::Graph& graph);

}  // namespace espalier::recipe
