#pragma once

#include <string>

#include "espalier/ir/graph.h"
#include "espalier/report/json.h"

namespace espalier::recipe {

/// What pruning may cut of a graph: its channel groups, each with its layers, its channels, how
/// many of them may go, and who forbids the others to, and why. The graph is prepared as the
/// command `prune` prepares it.
[[nodiscard]] report::Json channel_groups_json(const ir::Graph& graph);

/// The same for the terminal.
[[nodiscard]] std::string channel_groups_text(const report::Json& groups);

}  // namespace espalier::recipe
