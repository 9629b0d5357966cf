#pragma once

#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "espalier/ir/graph.h"

namespace espalier::deploy {

/// Nodes of an exported graph that one layer of an engine stands for: from the layer's `outputs`
/// (values of the exported graph) back to values that other layers give (`kept`), graph inputs, or
/// QuantizeLinear nodes other than those that make the outputs.
[[nodiscard]] std::vector<std::string> covered_nodes(
    std::span<const ir::Value* const> outputs, const std::unordered_set<const ir::Value*>& kept);

}  // namespace espalier::deploy
