#pragma once

#include <string>

#include "espalier/ir/graph.h"

namespace espalier::kit {

/// One line a node, "y = Conv(x, w) [conv1]", after the inputs and before the outputs: what a
/// failing test prints, and what tests of editing compare. Left-out inputs and outputs are "-".
[[nodiscard]] std::string to_text(const ir::Graph& graph);

}  // namespace espalier::kit
