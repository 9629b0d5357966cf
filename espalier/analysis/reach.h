#pragma once

#include <span>
#include <unordered_set>

#include "espalier/ir/graph.h"

namespace espalier::analysis {

using NodeSet = std::unordered_set<const ir::Node*>;

/// Nodes that the values depend on, their producers included.
[[nodiscard]] NodeSet upstream(std::span<const ir::Value* const> values);

/// Nodes that depend on the values, their users included.
[[nodiscard]] NodeSet downstream(std::span<const ir::Value* const> values);

/// Nodes on a path from one of `from` to one of `to`.
[[nodiscard]] NodeSet between(std::span<const ir::Value* const> from,
                              std::span<const ir::Value* const> to);

}  // namespace espalier::analysis
